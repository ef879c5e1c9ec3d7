"""The parts of `benchmarks.ingest`: the feed, its pusher, and the three lanes that take it, each a process of its own."""
