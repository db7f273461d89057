"""``e2e ssh`` with the system's ssh, against a real server of our own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.lifecycle.folder import create_folder
from e2e.lifecycle.state import Presence
from providers.contracts import Machine
from providers.reach import KNOWN_HOSTS, Reach, write_reach
from providers.ssh.access import Access, Endpoint, Jump, KeyFile
from providers.ssh.hostkeys import pin_line
from tests.support.sshd import Sshd, make_key, run_sshd
from tests.unit.e2e.lifecycle.test_state import make_state

RUN = "ci-x-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with run_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def host_key(server: Sshd) -> str:
    return " ".join((server.folder / "host_key.pub").read_text().split()[:2])


@dataclass(frozen=True)
class Person:
    """Somebody with a run whose machine ``w1`` is the server."""

    state_dir: Path

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "e2e", "ssh", *words]

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.state_dir), "E2E_STATE_DIR": str(self.state_dir)}

    def e2e_ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def person(folder: Path, server: Sshd, *, key: str = "", jump: bool = False) -> Person:
    """Make a run. ``key``: what the server must show, its own unless given; ``jump``: through itself."""
    run = create_folder(folder, lambda _: RUN, tries=1)
    run.write(make_state(run=RUN, job={"job": "ci-x", "provider": {"name": "ubuntu"}}, clusters={"c1": Presence.MADE}))
    place = run.cluster_folder("c1")
    place.mkdir(parents=True)
    endpoint = Endpoint("127.0.0.1", server.port)
    access = Access(server.user, KeyFile(server.key), Jump(endpoint, server.user) if jump else None)
    write_reach(place, Reach(access, (Machine("w1", "worker", endpoint),)))
    (place / KNOWN_HOSTS).write_text(pin_line(endpoint, key or host_key(server)))
    return Person(folder)


@pytest.mark.parametrize("jump", [False, True], ids=["straight", "through a jump host"])
def test_a_command_runs_there_and_its_code_is_ours(jump: bool, server: Sshd, tmp_path: Path) -> None:
    before = server.log().count("Accepted publickey")
    done = person(tmp_path, server, jump=jump).e2e_ssh("ci-x", "w1", "--", "echo $((40+2)); tty; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, "42\nnot a tty\n", "")
    assert server.log().count("Accepted publickey") - before == 1 + jump


def test_another_host_key_than_the_runs_is_refused(server: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    done = person(tmp_path / "state", server, key=" ".join(other[:2])).e2e_ssh(RUN, "w1", "--", "echo in")

    assert (done.returncode, done.stdout) == (255, "")
    assert "Host key verification failed." in done.stderr


def test_a_terminal_is_a_terminal(server: Sshd, tmp_path: Path) -> None:
    somebody = person(tmp_path, server)

    said, code = type_into(somebody, (RUN, "w1"), b"tty; echo $((40+2))-there; exit 7\n")
    drawn, drawn_code = type_into(somebody, (RUN, "w1", "--", "tty"), b"")

    assert (code, "/dev/pts/" in said, "42-there" in said) == (7, True, True)
    assert (drawn_code, drawn.startswith("/dev/pts/")) == (0, True)


def type_into(somebody: Person, words: tuple[str, ...], typed: bytes) -> tuple[str, int]:
    """Run it on a terminal, type, and return what was shown, and the exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        somebody.argv(*words), env={**somebody.env, "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        with suppress(OSError):  # the last one has let go of the terminal
            while chunk := os.read(ours, 4096):
                shown += chunk
        code = process.wait(30)
    os.close(ours)
    return shown.decode(errors="replace"), code
