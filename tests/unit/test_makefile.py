"""What the Makefile does to the virtual environment beyond calling its tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["plain", "caf\u00e9"])
def test_path_of_the_checkout_is_read_in_any_locale(name: str, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / name)
    cached, file = tmp_path / "cached.pth", tmp_path / "a.pth"
    cached.write_bytes(folder + b"\n" + folder)
    file.hardlink_to(cached)
    show = ["make", "--silent", "--eval", "show: ; @printf '%s' \"$$SPELL_OUT\"", "show"]
    program = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout

    subprocess.run([sys.executable, "-S", "-c", program, file], timeout=60, check=True)

    line = file.read_bytes()
    script = f"import sys, site; site.addpackage({str(tmp_path)!r}, 'a.pth', set()); print(ascii(sys.path[-1]))"
    assert (line.isascii(), cached.read_bytes()) == (True, folder + b"\n" + folder)
    assert (line == folder + b"\n" + folder) == folder.isascii()
    if not folder.isascii():
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-S", "-c", script], env=env, capture_output=True, timeout=60, check=True
        )
        assert done.stdout.decode().strip() == ascii(str(tmp_path / name))
