"""The breaker: a pure fold over the journal that says, per integration, whether it may be used."""
