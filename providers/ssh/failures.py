"""What the SSH library and the system say when a machine is not there, in words that say what to do. Mapped once, here."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import Enum
from typing import Final

from providers.ssh.access import Access, Endpoint, KeyFile, Patience
from providers.wording import visible
from upload.errors import NodeUnreachable

# what may pass by itself while a machine boots
PASSING: Final = frozenset({"no-answer", "closed", "silent", "dropped", "lost"})


class Stage(Enum):
    """How far a connection has come."""

    CONNECT = "connecting"
    GREET = "the greeting"
    LOGIN = "the login"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried: everything a message needs. ``pins``: the file of pinned keys; ``via``: the jump host, if any."""

    node: str
    endpoint: Endpoint
    access: Access
    patience: Patience
    pins: str
    via: str = ""

    @property
    def place(self) -> str:
        """Where it is, as a person would say it."""
        return f"{self.endpoint} through {self.via}" if self.via else str(self.endpoint)

    @property
    def login(self) -> str:
        """The ssh command that a person would try."""
        port = f" -p {self.endpoint.port}" if self.endpoint.port != 22 else ""
        key = f" -i {self.access.identity.path}" if isinstance(self.access.identity, KeyFile) else ""
        jump = self.access.jump
        through = f" -J {jump.user}@{jump.endpoint.bracketed}:{jump.endpoint.port}" if jump and self.via else ""
        return f"ssh{port}{key}{through} {self.access.user}@{self.endpoint.host}"

    def unreachable(self, reason: str, message: str, hint: str) -> NodeUnreachable:
        """Return the error."""
        return NodeUnreachable(self.node, reason, message, hint=hint)


def connect_error(error: Exception, stage: Stage, attempt: Attempt) -> NodeUnreachable:
    """Return our error for what broke a connection before the first command. Pure."""
    import asyncssh

    match error:
        case asyncssh.HostKeyNotVerifiable():
            return _other_key(attempt)
        case asyncssh.PermissionDenied():
            return _denied(attempt)
        case asyncssh.ChannelOpenError():
            what = f"{attempt.via} cannot reach {attempt.endpoint}: {visible(error.reason, 200)}"
            return attempt.unreachable("no-answer", what, attempt.login)
        case asyncssh.KeyExchangeFailed():
            what = f"the SSH server on {attempt.place} shares no algorithm with us: {visible(error.reason, 200)}"
            return attempt.unreachable("no-ssh", what, f"{attempt.login} -v")
        case asyncssh.ProtocolError() | asyncssh.ProtocolNotSupported():
            what = f"what answers on {attempt.place} is no SSH server that we understand: {visible(error.reason, 200)}"
            return attempt.unreachable("no-ssh", what, f"{attempt.login} -v")
        case TimeoutError():
            return _silent(stage, attempt)
        case asyncssh.DisconnectError():
            return _dropped(visible(error.reason, 200), stage, attempt)
        case OSError():
            return _os_error(error, stage, attempt)
    return attempt.unreachable(
        "broken", f"{attempt.place}: {type(error).__name__}: {visible(str(error), 200)}", attempt.login
    )


def lost_error(node: str, program: str, cause: str, output_tail: str) -> NodeUnreachable:
    """Return the error for a connection that broke while a command ran. Pure."""
    what = f"the connection broke while {program} ran ({visible(cause, 200)}); whether {program} goes on is not known"
    hint = "the same command again continues where it was; look at the machine's console if it does not answer"
    return NodeUnreachable(node, "lost", what, output_tail=output_tail, hint=hint)


def _denied(attempt: Attempt) -> NodeUnreachable:
    key = attempt.access.identity
    what = f"{attempt.place} lets nobody in as {attempt.access.user} with {key}: another user, or another key"
    hint = attempt.login
    if isinstance(key, KeyFile) and not attempt.via:
        hint = f"ssh-copy-id -i {key.path}.pub -p {attempt.endpoint.port} {attempt.access.user}@{attempt.endpoint.host}"
    return attempt.unreachable("denied", what, hint)


def _other_key(attempt: Attempt) -> NodeUnreachable:
    given = attempt.endpoint.host_key
    where = "the given one" if given else f"the one pinned in {attempt.pins}"
    what = f"the host key of {attempt.place} is not {where}: another machine, one made anew, or somebody in between"
    hint = (
        f"ssh-keyscan -p {attempt.endpoint.port} {attempt.endpoint.host}"
        if given
        else f"ssh-keygen -R '{attempt.endpoint.pin_name}' -f {attempt.pins}, if the machine was made anew"
    )
    return attempt.unreachable("host-key", what, hint)


def _silent(stage: Stage, attempt: Attempt) -> NodeUnreachable:
    seconds = f"{attempt.patience.connect_s:g} s"
    if stage is Stage.CONNECT:
        what = f"nothing answers at {attempt.place} within {seconds}"
        return attempt.unreachable("no-answer", what, _probe(attempt))
    what = f"{attempt.place} accepts the connection and then says nothing during {stage.value} for {seconds}"
    return attempt.unreachable("silent", what, f"{attempt.login} -v")


def _dropped(cause: str, stage: Stage, attempt: Attempt) -> NodeUnreachable:
    what = f"{attempt.place} hung up during {stage.value}: {cause}"
    return attempt.unreachable("dropped", what, f"journalctl -u ssh -n 20   (on {attempt.node})")


def _os_error(error: OSError, stage: Stage, attempt: Attempt) -> NodeUnreachable:
    said = error.strerror or str(error)
    if isinstance(error, socket.gaierror):
        what = f"the name {attempt.endpoint.host} cannot be resolved: {said}"
        return attempt.unreachable("no-name", what, f"getent hosts {attempt.endpoint.host}")
    if isinstance(error, ConnectionRefusedError):
        what = f"port {attempt.endpoint.port} of {attempt.endpoint.host} is closed"
        return attempt.unreachable("closed", what, _probe(attempt))
    if stage is Stage.CONNECT:
        return attempt.unreachable("no-answer", f"{attempt.place} cannot be reached: {said}", _probe(attempt))
    return _dropped(said, stage, attempt)


def _probe(attempt: Attempt) -> str:
    if attempt.via:
        return attempt.login
    return f"nc -vz -w 5 {attempt.endpoint.host} {attempt.endpoint.port}"
