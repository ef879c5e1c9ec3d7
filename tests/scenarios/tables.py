"""Markdown tables, a line at a time."""


def table(*columns: str) -> list[str]:
    """A table's head."""
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def row(*cells: object) -> str:
    """One of its rows."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def ms(value: float) -> str:
    """Milliseconds."""
    return f"{value:,.1f} ms"
