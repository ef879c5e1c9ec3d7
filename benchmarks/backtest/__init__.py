"""What the back-test of the gas forecasts writes."""
