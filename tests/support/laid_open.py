"""State laid open: two things that were built differently are compared by all that they hold."""

from detectors._math.undo import Map, Undo


def laid_open(thing: object, seen: set[int] | None = None) -> object:
    """All of its state as plain comparable values, whatever classes hold it; an undo log and its maps are laid open once."""
    seen = set() if seen is None else seen
    if isinstance(thing, Undo | Map):
        if id(thing) in seen:
            return "…"
        seen.add(id(thing))
    if isinstance(thing, dict):
        return {key: laid_open(thing[key], seen) for key in sorted(thing, key=repr)}
    if isinstance(thing, list | tuple):
        return [laid_open(value, seen) for value in thing]
    names = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    held = {name: getattr(thing, name) for name in names if hasattr(thing, name)} | getattr(thing, "__dict__", {})
    return {name: laid_open(value, seen) for name, value in held.items()} if held else thing
