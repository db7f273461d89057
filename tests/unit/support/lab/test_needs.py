from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab.image import packages_of
from tests.support.lab.needs import PROGRAMS, effective_capabilities

DEBIAN_PACKAGES = Path(__file__).parents[3] / "support" / "debian-packages.txt"
ALWAYS_THERE = {"tar", "util-linux"}  # essential in Debian


@pytest.mark.parametrize(
    ("status", "bits"),
    [
        pytest.param("Name:\tx\nCapInh:\t0\nCapEff:\t000001fffeffffff\nCapBnd:\t00\n", 0x1FFFEFFFFFF, id="root"),
        pytest.param("CapEff:\t0000000000000000\n", 0, id="user"),
        pytest.param("", 0, id="none"),
    ],
)
def test_capabilities_are_the_effective_ones(status: str, bits: int) -> None:
    assert effective_capabilities(status) == bits


def test_every_program_that_the_lab_needs_is_installed_by_a_file_of_ours() -> None:
    installed = packages_of(DEBIAN_PACKAGES.read_text(encoding="utf-8"))

    assert set(PROGRAMS.values()) - ALWAYS_THERE <= set(installed)


def test_without_root_the_lab_says_so() -> None:
    drop = "import os; os.geteuid() or os.setuid(65534)\n"
    code = "from tests.support.lab.__main__ import main\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}{drop}raise SystemExit(main(['up']))"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[4],
    )

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "there can be no lab here: the lab needs root: run it with sudo\n"
