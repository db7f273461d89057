"""``python -m tests.support.fetch_release ROOT CACHE VERSION PROGRAM…``: a process that fetches, to be killed or raced."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.versions import resolve
from tests.support.release_server import ReleaseServer
from upload.errors import HarnessError


def main(root: str, cache: str, version: str, *programs: str) -> int:
    """Print the paths, or the error. A program ``--file-limit=BYTES`` stands for a disk that is full after so many."""
    wanted = []
    for program in programs:
        if program.startswith("--file-limit="):
            limit = int(program.partition("=")[2])
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        else:
            wanted.append(program)
    sources = replace(ReleaseServer(root).sources(Path(cache)), stall_s=60.0)
    deadline = Deadline.after(60, "fetching")
    try:
        paths = resolve(version, sources=sources, deadline=deadline).ensure(wanted, deadline=deadline)
    except HarnessError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return error.outcome.value.exit_code
    sys.stdout.write("\n".join(str(path) for path in paths.values()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
