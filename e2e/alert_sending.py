"""One sending of alerts: the state file locked, what changed worked out, taken to its receiver, then remembered."""

from __future__ import annotations

import fcntl
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dashboard_feed.alerts import Watched
from dashboard_feed.notify import Webhook, make_webhook, post, run_command
from dashboard_feed.sendings import (
    LARGEST_STATE_BYTES,
    Change,
    Told,
    change_since,
    read_state,
    render_message,
    render_state,
)
from e2e.lifecycle.folder import write_private
from upload.errors import UsageError

AGAIN = "the alerts are sent again with the next call"


@dataclass(frozen=True, slots=True)
class Sending:
    """To whom alerts are sent, a command (``argv``) or a ``webhook``; ``state``: the file that remembers what was."""

    state: Path
    argv: tuple[str, ...] = ()
    webhook: Webhook | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @contextmanager
    def begun(self) -> Iterator[dict[str, Told]]:
        """Lock the state and give what was sent so far. Raises UsageError when another sending has it."""
        with ExitStack() as held:
            try:
                lock = held.enter_context(self.state.with_name(f"{self.state.name}.lock").open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                content = self._content()
            except BlockingIOError as error:
                busy = f"another sending works with {self.state}"
                raise UsageError(busy, hint="wait for it, or give another --state") from error
            except OSError as error:
                raise UsageError(f"{error.filename or self.state}: {error.strerror or error}") from error
            yield read_state(content, str(self.state))

    def send(self, sent: Mapping[str, Told], watched: Watched) -> Change:
        """Send what changed since ``sent``, if anything did, and remember it. Raises what ``notify`` raises."""
        change = change_since(sent, watched)
        if not change.is_empty:
            message = render_message(change)
            if self.webhook is not None:
                post(self.webhook, message, sleep=time.sleep, again=AGAIN)
            else:
                run_command(self.argv, message, env=self.variables, again=AGAIN)
        if change.sent != sent or not self.state.exists():
            write_private(self.state, render_state(change.sent))
        return change

    def _content(self) -> bytes | None:
        try:
            with self.state.open("rb") as file:
                content = file.read(LARGEST_STATE_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(content) > LARGEST_STATE_BYTES:
            raise UsageError(f"{self.state} is larger than {LARGEST_STATE_BYTES} bytes")
        return content


def asked_sending(
    *, send_to: str | None, webhook: str | None, state: Path | None, variables: Mapping[str, str]
) -> Sending | None:
    """Return the sending that the options and E2E_WEBHOOK_URL ask for, None without one. Raises UsageError.

    A command is split like a shell's words, and no shell runs it.
    """
    address = webhook or ("" if send_to else variables.get("E2E_WEBHOOK_URL", ""))
    if send_to and address:
        raise UsageError("--send-to and --webhook are one too many: what was sent is remembered for one receiver")
    if not send_to and not address:
        if state is not None:
            raise UsageError("--state says what was sent, and nothing is to be sent", hint="add --send-to or --webhook")
        return None
    if state is None:
        raise UsageError("nobody remembers what was sent", hint="add --state FILE")
    if address:
        return Sending(state, webhook=make_webhook(address, variables.get("E2E_WEBHOOK_TOKEN", "")))
    try:
        argv = tuple(shlex.split(send_to or ""))
    except ValueError as error:
        raise UsageError(f"--send-to {send_to!r} is no command: {error}") from error
    if not argv:
        raise UsageError("--send-to is empty")
    return Sending(state, argv=argv, variables=variables)
