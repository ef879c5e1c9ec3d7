"""Change the breaker's pure core in every small way mutmut knows and see that its fast tests notice. `python -m tests.mutation`.

It works in a copy, so that no mutant is ever in the tree. `[tool.mutmut]` of pyproject.toml says which files and which tests;
`equivalent.toml` names the mutants that no test can tell from the original, each with the reason.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
GOAL = 0.9
PARTS = ("monitor", "detectors", "alerts", "tests", "pyproject.toml")
_ALIVE = frozenset((0, 5, 33))
"""mutmut's codes for: every test passed; there was none; none reaches it. Any other is a test that failed or never ended."""


class Equivalent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mutant that behaves as the original does. `function` and `change` (the line as it becomes) name it."""

    function: str
    change: str
    why: str


def equivalents() -> list[Equivalent]:
    """All that are known."""
    return msgspec.convert(tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text())["mutant"], list[Equivalent])


def codes(tree: Path) -> dict[str, int | None]:
    """What became of each mutant, by its name."""
    found: dict[str, int | None] = {}
    for meta in sorted((tree / "mutants").rglob("*.py.meta")):
        found |= json.loads(meta.read_text())["exit_code_by_key"]
    return found


def change_of(name: str, tree: Path) -> str:
    """The line that a mutant has in place of another."""
    command = [sys.executable, "-m", "mutmut", "show", name]
    told = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout
    return " ".join(line[1:].strip() for line in told.splitlines() if line.startswith("+") and not line.startswith("+++"))


def main() -> None:
    """Mutate, test, tell: the survivors, then one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / part, tree / part)
        command = [sys.executable, "-m", "mutmut", "run", *sys.argv[1:]]
        subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, check=True)
        made = codes(tree)
        same = {(one.function, one.change) for one in equivalents()}
        alive, excused = [], 0
        for name in sorted(name for name, code in made.items() if code in _ALIVE):
            function, change = name.rpartition(".")[2].rpartition("__mutmut_")[0], change_of(name, tree)
            if (function, change) in same:
                excused += 1
                continue
            alive.append(name)
            sys.stderr.write(f"ALIVE {name}: {change}\n")
    counted = len(made) - excused
    killed = counted - len(alive)
    report = {
        "mutants": len(made), "equivalent": excused, "killed": killed, "survived": len(alive),
        "score": round(killed / counted, 4), "score_with_equivalent": round(killed / len(made), 4), "goal": GOAL,
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")
    sys.exit(report["score_with_equivalent"] < GOAL)


if __name__ == "__main__":
    main()
