"""Dialects of execution traces, each read into the flat Execution the detectors see: `read(data, source)` tells them apart."""

from monitor.chains.traces.readings import Origin, Reading, Unreadable
from monitor.chains.traces.sniff import read
from monitor.chains.traces.words import Words, allow_deep

__all__ = ["Origin", "Reading", "Unreadable", "Words", "allow_deep", "read"]
