"""Serves from a thread within a block: what every HTTP server of the tests does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

POLL_S = 0.02
END_S = 5.0


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Answer requests within the block; afterwards nothing listens."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(END_S)
