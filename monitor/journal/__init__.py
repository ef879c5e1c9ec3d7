"""The journal is the truth: one append-only, hash-chained log of everything decided, and what is kept beside it."""

from monitor.journal.base import Draft, Journal, Record, Verified, encode

__all__ = ["Draft", "Journal", "Record", "Verified", "encode"]
