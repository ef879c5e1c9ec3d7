"""Nodes and what they say: one connection, one link of three, typed reads, and what a node can do."""
