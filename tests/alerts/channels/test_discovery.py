"""Every channel is found by itself, and every one that is found behaves as a channel."""

import ast
import inspect
from pathlib import Path

import pytest

import alerts.channels
from alerts.base import Channel
from alerts.channels import discover

FOUND = discover()


def test_ours_are_there_under_their_names() -> None:
    assert {"console", "webhook", "alertmanager"} <= set(FOUND)


def test_every_file_holds_a_channel_of_its_name() -> None:
    files = {path.stem for path in Path(alerts.channels.__path__[0]).glob("*.py")} - {"__init__"}
    assert files <= set(FOUND)


@pytest.mark.parametrize("channel", FOUND.values(), ids=FOUND)
def test_its_settings_are_keywords_with_types_and_it_says_what_it_is(channel: type[Channel]) -> None:
    settings = list(inspect.signature(channel).parameters.values())
    assert all(setting.kind is setting.KEYWORD_ONLY for setting in settings)
    assert all(setting.annotation is not setting.empty for setting in settings)
    assert channel.summary.endswith(".")
    assert inspect.getdoc(channel)


@pytest.mark.parametrize("channel", FOUND.values(), ids=FOUND)
def test_it_fits_on_a_page(channel: type[Channel]) -> None:
    source = inspect.getsource(inspect.getmodule(channel))  # type: ignore[arg-type]
    assert len(source.splitlines()) <= 120
    assert ast.get_docstring(ast.parse(source))
