"""The kept bugs still fit the code, so that `make soak` can plant them; that they are found is shown there."""

import ast

import pytest

from tests.seeded.__main__ import Bug, bugs, planted


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_kept_bug_still_has_its_place_and_is_valid_python(bug: Bug) -> None:
    ast.parse(planted(bug))
