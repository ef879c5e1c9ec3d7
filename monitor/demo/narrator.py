"""The narrator: tells on the terminal what is happening, as it happens."""

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.demo.report import Outcome, Private


class Narrator:
    """Speaks on standard error when the standard output belongs to a machine, so that both can be read."""

    def __init__(self, *, machine: bool) -> None:
        self.console = Console(stderr=machine, highlight=False)
        self._began = time.monotonic()

    def progress(self) -> Progress:
        """A spinner with a line of text, for what takes a while."""
        return Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=self.console, transient=True
        )

    def say(self, text: str, style: str = "") -> None:
        """One line with the show's clock before it."""
        self.console.print(f"[dim]{time.monotonic() - self._began:7.2f} s[/dim]  {text}", style=style or None)

    def pending(self, name: str, integration: str, tx: str) -> None:
        """An attack entered the public pool."""
        self.say(f"[yellow]pending[/yellow]  {name} on {integration}: {tx[:18]}… is in the public pool, not in any block")

    def paused(self, outcome: Outcome) -> None:
        """The flag turned; show the finding and its numbers."""
        took = f"{outcome.pending_to_flag_ms:.1f} ms after it was seen" if outcome.pending_to_flag_ms is not None else ""
        if finding := outcome.finding:
            self._finding(finding)
        self.say(f"[bold red]PAUSE[/bold red]    {outcome.integration} reads pause {took}")

    def _finding(self, finding: dict[str, Any]) -> None:
        self.say(f"[red]finding[/red]  {escape(str(finding['title']))} (confidence {finding['confidence']:.2f})")
        numbers = ", ".join(f"{name} {value}" for name, value in list(finding["evidence"].items())[:6])
        self.say(f"         [dim]{escape(numbers[:200])}[/dim]")

    def mined(self, outcome: Outcome) -> None:
        """Only now the block."""
        if outcome.mined_at is None:
            self.say(f"[red]block[/red]    {outcome.name} was not mined in time")
        elif outcome.headroom_seconds is not None:
            self.say(f"[blue]block[/blue]    mined {outcome.headroom_seconds:.2f} s after the pause")
        else:
            self.say("[blue]block[/blue]    mined; nobody had paused")
        if outcome.gone_share is not None:
            self.say(f"         the attacker took {outcome.gone_share:.0%} of what {outcome.integration} held")

    def rescued(self, private: Private) -> None:
        """What the pause saved of the attack nobody could see coming."""
        if private.block_to_flag_ms is not None and private.saved_share is not None:
            self.say(
                f"[bold red]PAUSE[/bold red]    {private.integration} reads pause {private.block_to_flag_ms:.1f} ms "
                f"after its first block; the treasury saved {private.saved_share:.0%} of its deposit"
            )
        elif private.saved_share is not None:
            self.say(f"         nobody called: {private.saved_share:.0%} of the treasury's deposit is left")

    def alert(self, body: dict[str, Any]) -> None:
        """An alert reached the show's own receiver."""
        data = body.get("data", {})
        text = f"{body.get('type')}: {data.get('title') or data.get('integration')}"
        self.say(f"[magenta]alert[/magenta]    {escape(text[:140])}")
