"""``python -m tests.support.prepare``: fetch or build, with progress, every program and image that tests use. Nothing when cached.

A cold machine takes minutes for this; no test's own deadline should pay for it.
"""

from __future__ import annotations

import os
import sys
import time

from providers import kwok
from providers.contracts import Deadline
from providers.releases.sources import Progress, sources_from_env
from providers.releases.versions import resolve
from tests.support.gotools import FAKE_GCS_SERVER, PROW, TESTGRID, go_tool
from tests.support.lab.image import host_image
from tests.support.lab.images import lab_images
from tests.support.lab.needs import missing
from upload.errors import HarnessError

FETCH_S = 2400.0
OF_TESTERS = ("e2e.test", "ginkgo")
OF_MACHINES = ("kubeadm", "kubelet", "kube-proxy", "coredns")
SAID_EVERY_S = 15.0


class Lines:
    """Writes progress as a line now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SAID_EVERY_S

    def __call__(self, progress: Progress) -> None:
        """Write one line if the last is old enough."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SAID_EVERY_S
            print(f"{progress.program}: {progress.done} of {progress.total} {progress.unit}", flush=True)


def main() -> int:
    sources = sources_from_env(os.environ, progress=Lines())
    deadline = Deadline.after(FETCH_S, "fetching the programs that tests use")
    try:
        lacks = missing()
        programs = (*kwok.NEEDED, *OF_TESTERS, *(() if lacks else OF_MACHINES))
        resolve("pinned", sources=sources, deadline=deadline).ensure(programs, deadline=deadline)
        for tool in (FAKE_GCS_SERVER, TESTGRID, PROW):
            go_tool(tool, sources)
        if lacks:
            print(f"host tests will skip: {'; '.join(lacks)}", file=sys.stderr)
        else:
            host_image(sources)
            lab_images("pinned", sources)
    except HarnessError as error:
        print(f"{error}\n{error.hint}", file=sys.stderr)
        return error.outcome.value.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
