"""Channels: one file each. A new file here, or an entry point `seawall.channels` elsewhere, is found by its class's name."""

import importlib
import pkgutil
from importlib.metadata import entry_points

from alerts.base import Channel

GROUP = "seawall.channels"


def discover() -> dict[str, type[Channel]]:
    """Every channel class by its `name`: the modules of this package, then installed plug-ins (which cannot replace ours).

    Raises TypeError for an entry point that is not a Channel; what a broken plug-in raises on import rises as it is.
    """
    found: dict[str, type[Channel]] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Channel) and value.__module__ == f"{__name__}.{module.name}":
                found[value.name] = value
    for entry in entry_points(group=GROUP):
        plugged = entry.load()
        if not (isinstance(plugged, type) and issubclass(plugged, Channel)):
            raise TypeError(f"entry point {GROUP}:{entry.name} is {plugged!r}, not a Channel; fix or uninstall {entry.value}")
        found.setdefault(plugged.name, plugged)
    return found
