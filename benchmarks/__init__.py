"""Same-run ratio measurements; each prints one JSON object."""
