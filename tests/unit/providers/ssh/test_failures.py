"""Every way in which a connection breaks has its own words. What really raises these: tests/integration."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import asyncssh
import pytest

from providers.ssh.access import Access, Endpoint, Jump, KeyFile, Patience
from providers.ssh.failures import Attempt, Stage, connect_error, lost_error

ACCESS = Access("me", KeyFile(Path("/k")), jump=Jump(Endpoint("gate", 2200), "you"))
ATTEMPT = Attempt("w1", Endpoint("192.0.2.1", 2222), ACCESS, Patience(), "/run/pins")
BEHIND = Attempt("w1", Endpoint("192.0.2.1", 2222), ACCESS, Patience(), "/run/pins", via=str(ACCESS.jump))
TRY = "ssh -p 2222 -i /k me@192.0.2.1"


@pytest.mark.parametrize(
    ("error", "stage", "reason", "says", "hint"),
    [
        (
            OSError(errno.EHOSTUNREACH, "No route to host"),
            Stage.CONNECT,
            "no-answer",
            "192.0.2.1:2222 cannot be reached: No route to host",
            "nc -vz -w 5 192.0.2.1 2222",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            Stage.CONNECT,
            "no-name",
            "the name 192.0.2.1 cannot be resolved: Name or service not known",
            "getent hosts 192.0.2.1",
        ),
        (TimeoutError(), Stage.CONNECT, "no-answer", "nothing answers at 192.0.2.1:2222 within 20 s", "nc -vz -w 5 192.0.2.1 2222"),
        (
            TimeoutError(),
            Stage.LOGIN,
            "silent",
            "192.0.2.1:2222 accepts the connection and then says nothing during the login for 20 s",
            f"{TRY} -v",
        ),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            Stage.GREET,
            "dropped",
            "192.0.2.1:2222 hung up during the greeting: Connection reset by peer",
            "journalctl -u ssh -n 20   (on w1)",
        ),
        (
            asyncssh.DisconnectError(2, "Too many authentication failures\x1b[31m"),
            Stage.LOGIN,
            "dropped",
            r"192.0.2.1:2222 hung up during the login: Too many authentication failures\x1b[31m",
            "journalctl -u ssh -n 20   (on w1)",
        ),
        (
            asyncssh.KeyExchangeFailed("No matching key exchange algorithm found"),
            Stage.GREET,
            "no-ssh",
            "the SSH server on 192.0.2.1:2222 shares no algorithm with us: No matching key exchange algorithm found",
            f"{TRY} -v",
        ),
        (
            asyncssh.ProtocolError("Unknown disconnect code"),
            Stage.GREET,
            "no-ssh",
            "what answers on 192.0.2.1:2222 is no SSH server that we understand: Unknown disconnect code",
            f"{TRY} -v",
        ),
        (ValueError("what is this"), Stage.GREET, "broken", "192.0.2.1:2222: ValueError: what is this", TRY),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)  # fmt: skip
def test_what_is_said(error: Exception, stage: Stage, reason: str, says: str, hint: str) -> None:
    said = connect_error(error, stage, ATTEMPT)

    assert (said.reason, str(said), said.hint) == (reason, f"w1: {says}", hint)


def test_behind_a_jump_host_it_is_named_and_part_of_what_to_try() -> None:
    said = connect_error(TimeoutError(), Stage.CONNECT, BEHIND)

    assert str(said) == "w1: nothing answers at 192.0.2.1:2222 through jump host you@gate:2200 within 20 s"
    assert said.hint == "ssh -p 2222 -i /k -J you@gate:2200 me@192.0.2.1"


def test_a_lost_command() -> None:
    said = lost_error("w1", "kubeadm", "Connection lost", "[init] Using\n")

    assert (
        str(said)
        == "w1: the connection broke while kubeadm ran (Connection lost); whether kubeadm goes on is not known"
    )
    assert (said.reason, said.output_tail) == ("lost", "[init] Using\n")
