"""What is odd about the caller's shell must look neither like failed cases nor like a bug of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upload.errors import Outcome

E2E = (sys.executable, "-m", "e2e")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(("check", "--schema"), Outcome.PASSED.value.exit_code, id="stdout"),
        pytest.param(("check", "no-such-job"), Outcome.USAGE.value.exit_code, id="verdict"),
        pytest.param(("run", "no-such-job"), Outcome.USAGE.value.exit_code, id="stderr"),
    ],
)
def test_reader_that_left_changes_no_verdict(argv: tuple[str, ...], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        process = subprocess.Popen([*E2E, *argv], stdout=gone, stderr=gone)

    assert process.wait(timeout=60) == code


def test_full_device_is_said_to_be_full() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*E2E, "check", "--schema"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == Outcome.RESULTS.value.exit_code
    assert done.stderr.decode() == ("e2e: not everything could be written: No space left on device\n     try: df -h\n")


def test_removed_working_folder_is_usage(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && exec "$0" -m e2e check local'

    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == Outcome.USAGE.value.exit_code
    assert done.stderr.decode() == "e2e: the current folder does not exist any more\n     try: cd\n"


@pytest.mark.parametrize(
    ("name", "locale"),
    [
        pytest.param(
            b"nos\xc3\xbcch", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="ascii-locale"
        ),
        pytest.param(b"nos\xffch", {"LC_ALL": "C.UTF-8"}, id="no-utf-8"),
    ],
)
def test_job_that_is_no_text_is_unknown(name: bytes, locale: dict[str, str], tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **locale}

    done = subprocess.run([*E2E, "run", name], cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)

    assert done.returncode == Outcome.USAGE.value.exit_code
    assert b"e2e: unknown job 'nos" in done.stderr
