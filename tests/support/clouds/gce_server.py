"""Serves the fake of Compute v1 over plain HTTP on loopback, and checks both directions against Google's document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.clouds import discovery
from tests.support.clouds.gce import Call, Compute, Said
from tests.support.http_server import running


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    compute: Compute


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PATCH = do_PUT = do_GET  # noqa: N815  # http.server's names

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        try:
            status, answer, headers = self._answered(body)
        except Exception as error:
            self.server.compute.refused.append(f"{type(error).__name__}: {error}")
            status, answer, headers = 501, _error(501, "refusedByTheFake", str(error)), {}
        sent = json.dumps(answer).encode()
        try:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(sent)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)
        except OSError:  # whoever asked was killed
            self.close_connection = True

    def _answered(self, body: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        method, params = discovery.find(self.command, split.path)
        discovery.check_query(method, query)
        discovery.check_body(method, body)
        call = Call(method.id, {**params, **query}, body)
        try:
            answer = self.server.compute.answer(call)
        except Said as said:
            call.status = said.status
            return said.status, _error(said.status, said.reason, said.message), said.headers
        discovery.check_answer(method, answer)
        call.status = 200
        return 200, answer, {}


def _error(status: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "error": {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": "global", "reason": reason}],
        }
    }


@contextmanager
def serving(compute: Compute) -> Iterator[str]:
    """Serve a fake and give its address. What it had to refuse fails the test."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.compute = compute
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"
    assert compute.refused == []
