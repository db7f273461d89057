"""A TCP proxy that makes the faults of a network between us and a server: silence, and cuts."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK = 65536


class TcpProxy:
    """Forwards connections to ``upstream``, a function that connects there.

    ``muted``: new connections are accepted and get nothing. ``opened``: how many connections came.
    ``cut()`` resets all; ``freeze()`` keeps them and lets nothing through any more.
    """

    def __init__(self, upstream: Callable[[], socket.socket]) -> None:
        self.muted = False
        self.opened = 0
        self._upstream = upstream
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Reset every connection, as a machine does that loses its state."""
        for sock in self._taken():
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def freeze(self) -> None:
        """Let nothing through any more, without a word."""
        self._frozen.set()

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self.cut()

    def _taken(self) -> list[socket.socket]:
        taken, self._sockets = self._sockets, []
        return taken

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            self._sockets.append(client)
            if not self.muted:
                server = self._upstream()
                self._sockets.append(server)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK):
                if self._frozen.is_set():
                    continue
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def tcp_proxy(port: int) -> Iterator[TcpProxy]:
    """Run a proxy in front of a loopback port."""
    proxy = TcpProxy(lambda: socket.create_connection(("127.0.0.1", port), 10))
    try:
        yield proxy
    finally:
        proxy.close()
