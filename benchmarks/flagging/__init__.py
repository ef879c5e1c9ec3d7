"""The parts of `benchmarks.flags`: servers to ask, and the asker."""
