"""What the command costs before it does anything."""

from __future__ import annotations

import subprocess
import sys
import time

HELP_AT_MOST = 2.5  # DESIGN section 3: `e2e --help` against `python -c "import click"`


def seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, timeout=60, check=True)
    return time.perf_counter() - start


def test_help_against_importing_click(record_ratio) -> None:  # type: ignore[no-untyped-def]
    ours = [sys.executable, "-m", "e2e", "--help"]
    peer = [sys.executable, "-c", "import click"]
    pairs = [(seconds(ours), seconds(peer)) for _ in range(15)]

    record_ratio("e2e --help / import click", pairs, HELP_AT_MOST)
