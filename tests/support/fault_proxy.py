"""A proxy in front of a storage server that makes the faults of a network: cuts, lost and truncated answers, refusals.

It sees every byte, so its log is the truth about what was asked, in which order, and what reached the server.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support.gcs_rules import Rules
from tests.support.http_messages import Answer, Request
from tests.support.http_server import running

__all__ = ["Act", "Exchange", "Fault", "FaultProxy", "Request", "fault_proxy"]

UPSTREAM_TIMEOUT_S = 30.0
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Act(Enum):
    """What happens to a request."""

    PASS = "passes"
    ANSWER = "answered here, never forwarded"
    CUT_BEFORE = "the connection is cut before the server hears of it"
    RESET_BEFORE = "the connection is reset before the server hears of it"
    CUT_MIDDLE = "half of a session's piece arrives, then the connection is reset"
    CUT_AFTER = "the server did it, the answer is lost"
    TRUNCATE = "the answer is cut short, with a length that fits"
    BREAK = "the answer is cut short of its announced length"
    STALL = "the answer comes late"
    HALF_CLOSE = "nobody answers and the sending half is closed"
    CLOSE_IDLE = "answered; then the connection is closed, though it was to be kept"


@dataclass(slots=True)
class Fault:
    """An act on the next ``times`` requests that ``match``. ``status`` and ``body`` are those of ANSWER."""

    act: Act
    match: Callable[[Request], bool] = lambda _request: True
    times: int = 1
    status: int = 503
    body: bytes = b'{"error": {"code": 503, "message": "fault"}}'
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the log. ``status``: what the server said, 0 where it was not asked."""

    at_s: float
    request: Request
    act: Act
    status: int


@dataclass(slots=True)
class FaultProxy:
    """A running proxy. ``faults`` are used up in order, the first one that matches."""

    upstream: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    log: list[Exchange] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    _lock: threading.RLock = field(default_factory=threading.RLock)  # a match may look at the log

    def add(self, act: Act, match: Callable[[Request], bool] = lambda _r: True, **rest: object) -> None:
        """Plan a fault."""
        with self._lock:
            self.faults.append(Fault(act, match, **rest))  # type: ignore[arg-type]  # keyword arguments of Fault

    def writes(self) -> list[str]:
        """Return the names of the objects that were written, in the order in which the server took them."""
        with self._lock:
            return [e.request.object for e in self.log if e.request.is_upload and e.status == 200 and e.request.object]

    def requests(self, match: Callable[[Request], bool]) -> list[Exchange]:
        """Return the logged exchanges whose request matches."""
        with self._lock:
            return [e for e in self.log if match(e.request)]

    def take(self, request: Request) -> Fault:
        """Return the fault for a request, and count it."""
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.match(request):
                    fault.times -= 1
                    return fault
        return Fault(Act.PASS)

    def note(self, request: Request, act: Act, status: int) -> None:
        """Log an exchange."""
        with self._lock:
            self.log.append(Exchange(time.monotonic(), request, act, status))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = UPSTREAM_TIMEOUT_S
    proxy: FaultProxy

    def handle_one(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("content-length", 0))
        request = Request(
            self.command, split.path, parse_qs(split.query), dict(self.headers), self.rfile.read(length), self.path
        )
        fault = self.proxy.take(request)
        if fault.act in (Act.ANSWER, Act.CUT_BEFORE, Act.RESET_BEFORE, Act.HALF_CLOSE):
            self.proxy.note(request, fault.act, 0)
            self._refuse(fault)
            return
        answer = self.proxy.rules.forward(request, self._forward, half=fault.act is Act.CUT_MIDDLE)
        self.proxy.note(request, fault.act, answer.status)
        self._reply(answer, fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_one  # noqa: N815  # http.server asks for these names

    def log_message(self, *_: object) -> None:
        """Say nothing: the log is a list."""

    def _refuse(self, fault: Fault) -> None:
        if fault.act is Act.ANSWER:
            self._reply(Answer(fault.status, [("Content-Type", "application/json"), *fault.headers], fault.body), fault)
            return
        if fault.act is Act.HALF_CLOSE:
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True
            return
        if fault.act is Act.RESET_BEFORE:
            self._reset_on_close()
        self._hang_up()

    def _forward(self, request: Request) -> Answer:
        target = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=UPSTREAM_TIMEOUT_S)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(request.method, request.target, body=request.body or None, headers=headers)
            response = connection.getresponse()
            kept = [(k, v) for k, v in response.getheaders() if k.lower() not in _HOP]
            here = [(k, v.replace(self.proxy.upstream, self.proxy.url)) for k, v in kept]
            return Answer(response.status, here, response.read())
        finally:
            connection.close()

    def _reply(self, answer: Answer, fault: Fault) -> None:
        if fault.act in (Act.CUT_AFTER, Act.CUT_MIDDLE):
            if fault.act is Act.CUT_MIDDLE:
                self._reset_on_close()
            self._hang_up()
            return
        if fault.act is Act.STALL:
            time.sleep(fault.seconds)
        body = answer.body[: len(answer.body) // 2] if fault.act in (Act.TRUNCATE, Act.BREAK) else answer.body
        announced = len(answer.body) if fault.act is Act.BREAK else len(body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if fault.act in (Act.BREAK, Act.CLOSE_IDLE):
            self._hang_up()

    def _reset_on_close(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Clients hang up here by design."""


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy on a free loopback port."""
    proxy = FaultProxy(upstream)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield proxy
