"""The shell around the gas forecasts: a worker for the fits, and the line protocol of a back-test."""
