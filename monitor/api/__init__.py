"""The doors: what payment services, operators, Prometheus and browsers read and say."""
