"""The embedded show: a local chain, staged protocols, an attack."""
