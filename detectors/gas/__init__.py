"""Gas as advice: the exact next fee, calibrated forecasts further out, and whether to send now or wait."""
