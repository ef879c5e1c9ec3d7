"""Log events have stable names: the table in docs/logs.md is what the code logs, and lines are JSON that machines read."""

import json
import re
import subprocess
import sys

from tests.support.log_events import logged
from tests.support.parts import ROOT

ROW = re.compile(r"^\| `([^`]+)` \| ([a-z, ]+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
TABLE = {
    event: (level, fields.strip(), when) for event, level, fields, when in ROW.findall((ROOT / "docs" / "logs.md").read_text())
}


def coded() -> dict[str, tuple[str, str]]:
    """Level and fields of every event, as the table writes them."""
    levels: dict[str, set[str]] = {}
    fields: dict[str, set[str]] = {}
    for one in logged():
        levels.setdefault(one.event, set()).add(one.level)
        fields.setdefault(one.event, set()).update(one.fields)
    return {
        event: (", ".join(sorted(levels[event])), ", ".join([*sorted(fields[event] - {"…"}), *(fields[event] & {"…"})]))
        for event in levels
    }


def test_every_event_is_in_the_table_with_its_level_and_fields_and_none_is_left_over() -> None:
    assert {event: row[:2] for event, row in TABLE.items()} == coded(), "bring docs/logs.md up to date"
    assert all(len(when) > 15 for _, _, when in TABLE.values())


def test_names_are_short_plain_words() -> None:
    assert [event for event in TABLE if not re.fullmatch(r"[a-z0-9]+([._][a-z0-9]+)*", event)] == []
    assert list(TABLE) == sorted(TABLE)


def test_a_line_is_json_with_event_level_and_time_whatever_a_chain_says() -> None:
    script = (
        "import structlog; from monitor.logs import start_logging; start_logging('info', 'json');"
        "structlog.get_logger().warning('node_down', chain='eip155:1', error='a\\n{\"event\":\"forged\"}\\x1b[2J')"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    (line,) = told.stderr.splitlines()
    facts = json.loads(line)
    assert (facts["event"], facts["level"], facts["chain"]) == ("node_down", "warning", "eip155:1")
    assert facts["timestamp"].endswith("Z")
    assert "\x1b" not in line
