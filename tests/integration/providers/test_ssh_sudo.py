"""Becoming root by the real sudo, in a copy of this machine that has a user for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.node import SshNode
from providers.ssh.session import Ssh
from tests.support.copied_host import CopiedHost, copied_host, need_program
from upload.errors import CommandError, DeadlineExceeded, NodeUnreachable

PASSWORD = "correct horse 'battery"
USER = f"""
useradd --create-home --shell /bin/sh deploy
printf '%s' "deploy:{PASSWORD}" | chpasswd
rm -f /home/deploy/.profile
"""
ASKS = "echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy"
OPEN = "echo 'deploy ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/deploy"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CopiedHost]:
    need_program("sudo")
    with copied_host(tmp_path_factory.mktemp("copy")) as host:
        host.sh(USER)
        yield host


def node(ssh: Ssh, host: CopiedHost) -> SshNode:
    return ssh.node("w1", "worker", Endpoint("127.0.0.1", host.port))


def within(seconds: float = 20.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def access(host: CopiedHost, password: str = "") -> Access:
    return Access("deploy", KeyFile(host.key), sudo_password=password)


@pytest.mark.parametrize(
    ("rule", "password"), [(OPEN, ""), (OPEN, PASSWORD), (ASKS, PASSWORD)], ids=["open", "open, given", "asks, given"]
)
def test_commands_run_as_root_and_get_their_stdin(rule: str, password: str, host: CopiedHost, tmp_path: Path) -> None:
    host.sh(rule)
    with Ssh(access(host, password), pins=tmp_path / "pins", run="job-1") as ssh:
        machine = node(ssh, host)
        said = [machine.run(("sh", "-c", "id -u; cat"), deadline=within(), stdin=b"mine").stdout for _ in range(2)]
        machine.put(b"x\n" * 100_000, "/etc/kept", deadline=within(), mode=0o600)

    assert said == ["0\nmine"] * 2
    assert host.sh("stat -c '%U %a %s' /etc/kept") == "root 600 200000\n"


@pytest.mark.parametrize(
    ("rule", "password", "says"),
    [
        (ASKS, "", "deploy cannot become root by sudo without a password: sudo: a password is required"),
        (ASKS, "wrong", "deploy cannot become root by sudo with the given password: sudo: "),
        ("rm -f /etc/sudoers.d/deploy", PASSWORD, "deploy is not in the sudoers file"),
    ],
    ids=["no password", "wrong password", "not allowed"],
)
def test_who_cannot_become_root_is_said(rule: str, password: str, says: str, host: CopiedHost, tmp_path: Path) -> None:
    host.sh(rule)
    with (
        Ssh(access(host, password), pins=tmp_path / "pins", run="job-1") as ssh,
        pytest.raises(NodeUnreachable) as caught,
    ):
        node(ssh, host).run(("true",), deadline=within())

    assert caught.value.reason == "no-root"
    assert says in str(caught.value)
    assert caught.value.hint.startswith("sudo -l -U deploy   (on the machine)")


def test_the_password_stands_in_no_argv_and_no_environment(host: CopiedHost, tmp_path: Path) -> None:
    host.sh(ASKS)
    with Ssh(access(host, PASSWORD), pins=tmp_path / "pins", run="job-1") as ssh:
        machine = node(ssh, host)
        machine.run(("true",), deadline=within())
        thread = threading.Thread(target=machine.run, args=(("sleep", "2"),), kwargs={"deadline": within()})
        thread.start()
        time.sleep(0.7)
        seen = host.sh("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
        thread.join(10)

    assert "FEDERATED_E2E_RUN=job-1" in seen
    assert "sleep" in seen
    assert "battery" not in seen


def test_a_command_of_root_ends_at_its_deadline_too(host: CopiedHost, tmp_path: Path) -> None:
    host.sh(OPEN)
    with Ssh(access(host), pins=tmp_path / "pins", run="job-1") as ssh:
        machine = node(ssh, host)
        with pytest.raises(DeadlineExceeded):
            machine.run(("sleep", "77"), deadline=within(1.0))

        assert (
            "77" not in machine.run(("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), deadline=within()).stdout
        )


def test_a_failed_command_is_no_failed_sudo(host: CopiedHost, tmp_path: Path) -> None:
    host.sh(ASKS)
    with (
        Ssh(access(host, PASSWORD), pins=tmp_path / "pins", run="job-1") as ssh,
        pytest.raises(CommandError, match="sh on w1 ended with code 5: no"),
    ):
        node(ssh, host).run(("sh", "-c", "echo no >&2; exit 5"), deadline=within())
