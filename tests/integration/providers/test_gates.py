from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from providers._gates import READY, SERVED, hold_back, let_go

HELD = ("kwok", "kube-scheduler", "kube-controller-manager")


@pytest.fixture
def held(tmp_path: Path) -> dict[str, Path]:
    """Return programs that print their name and arguments, held back; their folder's name needs quoting."""
    folder = tmp_path / "it's $HOME"
    folder.mkdir()
    programs = {}
    for name in (*HELD, "etcd"):
        programs[name] = folder / name
        programs[name].write_text(f'#!/bin/sh\necho {name} "$@"\n')
        programs[name].chmod(0o700)
    return hold_back(programs, folder / "gates")


def test_only_what_needs_the_api_server_is_held_back(held: dict[str, Path]) -> None:
    assert {name for name, path in held.items() if path.parent.name == "gates"} == set(HELD)


@pytest.mark.parametrize("name", HELD)
def test_the_version_is_told_at_once(held: dict[str, Path], name: str) -> None:
    done = subprocess.run([held[name], "--version"], capture_output=True, text=True, timeout=10, check=True)

    assert done.stdout == f"{name} --version\n"


@pytest.mark.parametrize(("name", "gate"), list(zip(HELD, (SERVED, SERVED, READY), strict=True)))
def test_a_program_starts_when_its_gate_opens_with_its_pid_and_arguments(
    held: dict[str, Path], name: str, gate: str
) -> None:
    gates = held[name].parent
    other = {SERVED: READY, READY: SERVED}[gate]
    let_go(gates, other)
    with subprocess.Popen([held[name], "--a", "b c"], stdout=subprocess.PIPE, text=True) as child:
        time.sleep(0.3)
        waiting = child.poll() is None
        let_go(gates, gate)

        assert child.communicate(timeout=10)[0] == f"{name} --a b c\n"

    assert waiting
