"""Real parts: where the programs and recordings are that a test needs. Missing is a failure in CI, a loud skip on a desk."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seawall"
"""Outside the repository: what is slow to make and the same for every checkout."""

_SYSTEM = ":/usr/local/sbin:/usr/sbin:/sbin"


def missing(what: str) -> NoReturn:
    """Fail when CI=true, skip otherwise. `what` says what is missing and how to get it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"missing in CI: {what}", pytrace=False)
    pytest.skip(f"MISSING PART: {what}")


def need(program: str) -> Path:
    """The path of a program that `make setup` or `make system` installs."""
    own = ROOT / ".venv" / "bin" / program
    found = str(own) if own.exists() else shutil.which(program, path=os.environ.get("PATH", "") + _SYSTEM)
    return Path(found) if found else missing(f"{program} is not installed; run `make setup system`")


def need_root() -> None:
    """Some parts (a container engine) work only as root."""
    if os.geteuid() != 0:
        missing("root, for a container engine of the test's own; run as root")


def shared_data(*names: str) -> Path:
    """A recording that is kept beside the project, not in it. Skips, in CI too, where there is none."""
    path = ROOT.parent.joinpath("shared", "data", *names)
    if not path.exists():
        pytest.skip(f"no recording {'/'.join(names)} in ../shared/data beside the project")
    return path
