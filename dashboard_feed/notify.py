"""Takes a message to a command or a web address: bounded in time and tries, and no secret in an argument or an error."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from upload.errors import DeadlineExceeded, ResultsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TRIES = 4
REQUEST_S = 20.0
LONGEST_WAIT_S = 30.0
COMMAND_S = 60.0
TAIL_BYTES = 2_000
_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages are posted to. ``url`` may hold a secret itself; ``token``: sent as a bearer token, empty: none."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}/…"


def make_webhook(url: str, token: str) -> Webhook:
    """Return a webhook. Raises UsageError for no web address, one with a password, and a token that would go in the clear."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("the webhook is no http:// or https:// address")
    if "@" in parts.netloc:
        raise UsageError("the webhook's address holds a user or a password", hint="put a token into E2E_WEBHOOK_TOKEN")
    if not token.isprintable() or not token.isascii():
        raise UsageError("E2E_WEBHOOK_TOKEN holds characters that no header can carry")
    if token and parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise UsageError("a token is sent over https:// only", hint="use https:// or unset E2E_WEBHOOK_TOKEN")
    return Webhook(url, token)


def post(
    webhook: Webhook, body: bytes, *, sleep: Callable[[float], None], again: str = "", first_wait_s: float = 1.0
) -> None:
    """Post a JSON document; try again what may pass, four times in all. A redirect is not followed.

    ``again``: what becomes of a message that is not taken. Raises: ResultsError that names the host and the status, and
    nothing else of the address.
    """
    import httpx2

    headers = {"Content-Type": "application/json", "User-Agent": "federated-e2e"}
    if webhook.token:
        headers["Authorization"] = f"Bearer {webhook.token}"
    said, wait_s = "", first_wait_s
    with httpx2.Client(timeout=REQUEST_S, follow_redirects=False) as client:
        for number in range(1, TRIES + 1):
            after = ""
            try:
                with client.stream("POST", webhook.url, content=body, headers=headers) as response:  # no body is read
                    if response.is_success:
                        return
                    said, after = f"HTTP {response.status_code}", response.headers.get("Retry-After", "")
                    if response.status_code not in _BUSY:
                        break
            except httpx2.HTTPError as error:
                said = type(error).__name__  # its text may hold the address
            if number < TRIES:
                sleep(
                    min(
                        LONGEST_WAIT_S,
                        float(after) if after.isascii() and after.isdigit() and len(after) < 9 else wait_s,
                    )
                )
                wait_s *= 2
    raise ResultsError(f"{webhook.shown}: the message was not taken: {said}", hint=again)


def run_command(
    argv: Sequence[str], body: bytes, *, env: Mapping[str, str], again: str = "", timeout_s: float = COMMAND_S
) -> None:
    """Run a command with the document on its standard input, and end it with all that it started when it is late.

    Raises: UsageError when it cannot be started; ResultsError when it fails; DeadlineExceeded.
    """
    try:
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
    with process:
        try:
            _, told = process.communicate(body, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DeadlineExceeded(argv[0], timeout_s) from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # also when it is broken off, and whatever it left behind
    if process.returncode:
        last = told[-TAIL_BYTES:].decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ResultsError(
            f"{argv[0]} ended with code {process.returncode}" + (f": {last}" if last else ""),
            hint=again,
        )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
