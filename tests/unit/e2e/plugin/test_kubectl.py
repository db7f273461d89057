from __future__ import annotations

import os
from pathlib import Path

import pytest

from e2e.plugin.kubectl import Kubectl, KubectlFailed, Output


def fake(folder: Path, script: str) -> Kubectl:
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Kubectl(program, Path("/the/kubeconfig"), folder)


def test_output_is_returned(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, 'echo "$@"; cat >&2')

    assert kubectl("get", "pods", stdin="asked") == Output(
        f"--kubeconfig=/the/kubeconfig --cache-dir={tmp_path} get pods\n", "asked", 0
    )


def test_failure_shows_the_command_and_its_output(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, "echo no such thing >&2; exit 3")

    with pytest.raises(KubectlFailed, match=r"^kubectl get 'a b' ended with code 3\nno such thing\n$"):
        kubectl("get", "a b")


def test_failure_may_be_wanted(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, "echo differs; exit 1")

    assert kubectl("diff", check=False) == Output("differs\n", "", 1)


def test_command_that_does_not_end_is_cut(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, "exec sleep 60")

    with pytest.raises(KubectlFailed, match=r"kubectl get was not done after 0\.2 s"):
        kubectl("get", timeout_s=0.2)


def test_environment_of_the_caller_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/another")
    kubectl = fake(tmp_path, 'echo "${KUBECONFIG-none} $HOME"')

    assert kubectl("get").stdout == f"none {tmp_path}\n"


def test_running_command_gives_its_first_line_and_is_ended(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, f'echo $$ > {tmp_path}/pid; echo "$3"; echo more; exec sleep 60')

    with kubectl.running("port-forward") as line:
        assert line == "port-forward"

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_command_that_ends_instead_of_running_is_shown(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, "echo no such pod >&2; exit 1")

    with (
        pytest.raises(KubectlFailed, match=r"^kubectl port-forward a wrote nothing in time\nno such pod\n$"),
        kubectl.running("port-forward", "a"),
    ):
        pass


def test_running_command_that_is_silent_is_ended(tmp_path: Path) -> None:
    kubectl = fake(tmp_path, "exec sleep 60")

    with (
        pytest.raises(KubectlFailed, match=r"^kubectl attach wrote nothing in time\n$"),
        kubectl.running("attach", timeout_s=0.2),
    ):
        pass
