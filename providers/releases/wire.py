"""HTTP as releases need it: every wait bounded, dead hosts remembered, no way from https to an open wire."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import httpx2

from providers.contracts import Deadline
from providers.releases.sources import Sources, require_safe, without_password
from upload.errors import ProviderError, UsageError

T = TypeVar("T")
REDIRECTS = 5
TRIES = 3
DOCUMENT_BYTES = 4 << 20
_BUSY = (429, 500, 502, 503, 504)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Transient(ProviderError):
    """A failure that may be gone on the next try: a cut connection, a stall, a busy server."""


class Wire:
    """A client for a few requests; close it in the end. Several threads may share it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._behind_proxy = any(name.lower() in _PROXIES and value for name, value in sources.env.items())
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(sources.stall_s, connect=sources.connect_s),
            headers={"Accept-Encoding": "identity", "User-Agent": "federated-e2e"},
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def document(self, url: str, deadline: Deadline) -> str:
        """Return a small text. Raises ProviderError for every way in which there is none."""
        return self.patiently(lambda: self._document(url, deadline), deadline)

    def _document(self, url: str, deadline: Deadline) -> str:
        text = bytearray()
        with self.open(url, deadline) as (_, blocks):
            for block in blocks:
                text += block
                if len(text) > DOCUMENT_BYTES:
                    raise ProviderError(f"{without_password(url)}: more than {DOCUMENT_BYTES} bytes")
        return text.decode("utf-8", "replace")

    def patiently(self, ask: Callable[[], T], deadline: Deadline) -> T:
        """Return what ``ask`` returns; a Transient failure is tried again, at most ``TRIES`` times in all."""
        for number in range(1, TRIES):
            try:
                return ask()
            except Transient:
                wait_s = self._sources.retry_pause_s * number
                if deadline.remaining_s() <= wait_s:
                    raise
                time.sleep(wait_s)
        return ask()

    def exists(self, url: str, deadline: Deadline) -> bool:
        """Say whether something lies at ``url``, without fetching it. Raises ProviderError when nobody answers."""
        with self._answered("HEAD", url, deadline) as response:
            if response.status_code not in (200, 404):
                raise ProviderError(f"{without_password(url)}: HTTP {response.status_code}")
            return response.status_code == 200

    @contextmanager
    def open(self, url: str, deadline: Deadline) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Give the size in bytes (0: not told) and the blocks of what lies at ``url``.

        Raises: Transient and other ProviderErrors, also out of the blocks; DeadlineExceeded between two blocks.
        """
        with self._answered("GET", url, deadline) as response:
            if response.status_code != 200:
                kind = Transient if response.status_code in _BUSY else ProviderError
                raise kind(f"{without_password(url)}: HTTP {response.status_code}")
            told = response.headers.get("Content-Length", "")
            yield int(told) if told.isdigit() else 0, self._blocks(response, url, deadline)

    def _blocks(self, response: httpx2.Response, url: str, deadline: Deadline) -> Iterator[bytes]:
        with _mapped(url):
            for block in response.iter_bytes(1 << 20):
                deadline.check()
                yield block

    @contextmanager
    def _answered(self, method: str, url: str, deadline: Deadline) -> Iterator[httpx2.Response]:
        """Follow redirects, each checked like the first address, and give the last answer."""
        for _ in range(REDIRECTS + 1):
            deadline.check()
            self._reach(url)
            stall_s = max(0.1, min(self._sources.stall_s, deadline.remaining_s()))
            timeout = httpx2.Timeout(stall_s, connect=min(self._sources.connect_s, stall_s))
            with _mapped(url):
                request = self._client.build_request(method, url, timeout=timeout)
                response = self._client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                url = _next(url, response.headers["Location"])
            finally:
                response.close()
        raise ProviderError(f"{without_password(url)}: more than {REDIRECTS} redirects")

    def _reach(self, url: str) -> None:
        """Raise ProviderError when the host of ``url`` takes no connection within ``connect_s``, name lookup included.

        The connect timeout of a client counts neither the lookup nor the second address of a host.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        known = self._sources.reach
        if self._behind_proxy:  # only the proxy can look names up
            return
        if (host, port) not in known:
            known[host, port] = _probe(host, port, self._sources.connect_s)
        if why := known[host, port]:
            raise ProviderError(f"{host}: {why}")


def _probe(host: str, port: int, within_s: float) -> str:
    """Return why no connection is to be had within the time, or an empty text."""
    said: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=within_s).close()
            said.append("")
        except TimeoutError:
            pass
        except OSError as exc:
            said.append(f"no connection ({exc.strerror or exc})")

    thread = threading.Thread(target=connect, name=f"connect-{host}", daemon=True)
    thread.start()
    thread.join(within_s)
    return said[0] if said else f"no connection within {within_s:g} s"


def _next(url: str, location: str) -> str:
    target = urljoin(url, location)
    try:
        require_safe(target, "a redirect")
    except UsageError as exc:
        raise ProviderError(f"{without_password(url)}: {exc}") from exc
    if url.startswith("https:") and not target.startswith("https:"):
        raise ProviderError(f"{without_password(url)}: redirects from https to {without_password(target)}")
    return target


@contextmanager
def _mapped(url: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as exc:
        raise ProviderError(f"{without_password(url)}: no connection ({exc})") from exc
    except httpx2.TimeoutException as exc:
        raise Transient(f"{without_password(url)}: nothing came for too long") from exc
    except httpx2.TransportError as exc:
        raise Transient(f"{without_password(url)}: the connection broke ({exc})") from exc
    except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
        raise ProviderError(f"{without_password(url)}: {exc}") from exc
