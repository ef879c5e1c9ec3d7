"""Feeds: what a chain does, as events: heads, pending transactions, executions, pool states, prices."""
