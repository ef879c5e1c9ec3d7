"""`python -m tests.hostile`: the whole daemon under everything hostile at once. Prints one JSON object."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.hostile.siege import endure


def main() -> None:
    """Run once and print what came of it."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-hostile-", ignore_cleanup_errors=True) as folder:
        endured = asyncio.run(endure(Path(folder)))
    sys.stdout.write(msgspec.json.encode(endured).decode() + "\n")


if __name__ == "__main__":
    main()
