"""Pure detection: events in, findings out. No I/O, no clock, no logging."""
