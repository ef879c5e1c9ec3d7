"""Telling people: routing, grouping, delivery, one file per channel."""
