"""``Node`` of providers/contracts.py over SSH."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from providers.contracts import Deadline, Output, Role
from providers.ssh.loop import Calls
from providers.ssh.running import chunks_of
from providers.ssh.shell import Shell
from upload.errors import ProviderError

OUTPUT_BYTES = 8 * 1024 * 1024
_PRIVATE = 0o600

# a connection cut in the middle ends stdin like a whole file does: only the length tells
_PUT = """set -eu
folder=$(dirname -- "$1")
mkdir -p -- "$folder"
half=$(mktemp -- "$folder/.e2e.XXXXXX")
trap 'rm -f -- "$half"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cat > "$half"
got=$(wc -c < "$half")
[ "$got" -eq "$2" ] || { echo "$got of $2 bytes came" >&2; exit 1; }
chmod -- "$3" "$half"
mv -fT -- "$half" "$1"
trap - EXIT
"""


class SshNode:
    """A machine reached over SSH. Threads may share it; commands beside each other share its connection."""

    def __init__(self, name: str, role: Role, addresses: tuple[str, ...], shell: Shell, calls: Calls) -> None:
        self._name = name
        self._role = role
        self._addresses = addresses
        self._shell = shell
        self._calls = calls

    @property
    def name(self) -> str:
        """The name of the machine in the cluster."""
        return self._name

    @property
    def role(self) -> Role:
        """What it is for."""
        return self._role

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which other nodes reach it, the preferred one first."""
        return self._addresses

    def run(self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b"") -> Output:
        """Run a command and return what it printed."""
        return self._calls.wait_for(self._run(argv, deadline, stdin))

    def put(self, content: bytes | Path, path: str, *, deadline: Deadline, mode: int = 0o644) -> None:
        """Write a file, there whole or not at all."""
        size_bytes = len(content) if isinstance(content, bytes) else _size(content)
        self.run(("sh", "-c", _PUT, "put", path, str(size_bytes), f"{mode:o}"), deadline=deadline, stdin=content)

    def get(self, path: str, dest: Path, *, deadline: Deadline, limit_bytes: int) -> bool:
        """Copy a file, at most its first ``limit_bytes``; return whether it was whole."""
        half = dest.with_name(f".{dest.name}.half")
        left = limit_bytes + 1
        try:
            with (
                os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as file,
                self.stream(("head", "-c", str(left), "--", path), deadline=deadline) as chunks,
            ):
                for chunk in chunks:
                    file.write(chunk[: max(0, left - 1)])
                    left -= len(chunk)
            half.replace(dest)
        except OSError as exc:
            raise ProviderError(f"{dest}: {exc.strerror or exc}") from exc
        finally:
            half.unlink(missing_ok=True)
        return left > 0

    @contextmanager
    def stream(
        self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b""
    ) -> Iterator[Iterator[bytes]]:
        """Run a command and hand out its stdout as it comes; leaving early hangs up on it."""
        running = self._calls.wait_for(self._shell.start(argv, deadline, chunks_of(stdin)))
        try:
            yield iter(lambda: self._calls.wait_for(running.read()), b"")
        finally:
            self._calls.finish(running.end)

    def close(self) -> None:
        """Break off what runs and refuse what comes."""
        self._calls.close()

    async def _run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes | Path) -> Output:
        running = await self._shell.start(argv, deadline, chunks_of(stdin))
        printed = bytearray()
        try:
            while chunk := await running.read():
                printed += chunk
                if len(printed) > OUTPUT_BYTES:
                    raise ProviderError(f"{argv[0]} on {self._name} printed more than {OUTPUT_BYTES} bytes")
        finally:
            running.end()
        return Output(printed.decode("utf-8", "replace"), running.stderr.decode("utf-8", "replace"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as exc:
        raise ProviderError(f"{path}: {exc.strerror or exc}") from exc
