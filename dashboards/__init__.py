"""Dashboards and rules: data for Grafana and Prometheus, and the script that makes it."""
