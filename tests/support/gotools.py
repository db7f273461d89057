"""Go programs that tests need, built from their pins by the product's own code, once a machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from providers.contracts import Deadline
from providers.fanout import Limit
from providers.releases.cache import Cache, Key
from providers.releases.gobuild import build
from providers.releases.pinned import Pin, read_pin
from providers.releases.programs import Program
from providers.releases.sources import Sources, sources_from_env

PINS = Path(__file__).parent / "go"
BUILD_S = 900.0


@dataclass(frozen=True, slots=True)
class GoTool:
    """Programs of one pin. ``module``: the one whose version is theirs; ``packages``: program → its Go package.

    A package of the pin's own module is ours: its source lies beside ``go.mod``.
    """

    project: str
    module: str
    packages: Mapping[str, str]

    @property
    def programs(self) -> tuple[Program, ...]:
        return tuple(Program(name, self.project, package, ()) for name, package in self.packages.items())


_TESTGRID = "github.com/GoogleCloudPlatform/testgrid"
FAKE_GCS_SERVER = GoTool(
    "fake-gcs-server",
    "github.com/fsouza/fake-gcs-server",
    {"fake-gcs-server": "github.com/fsouza/fake-gcs-server"},
)
TESTGRID = GoTool(
    "testgrid",
    _TESTGRID,
    {
        "testgrid-updater": f"{_TESTGRID}/cmd/updater",
        "testgrid-summarizer": f"{_TESTGRID}/cmd/summarizer",
        "testgrid-convert": "federated-e2e.test/testgrid/testgrid-convert",
    },
)
_TEST_IMAGES = "k8s.io/kubernetes/test/images"
AGNHOST = GoTool(
    "agnhost",
    "k8s.io/kubernetes",
    {"agnhost": f"{_TEST_IMAGES}/agnhost", "nnp": f"{_TEST_IMAGES}/nonewprivs"},
)
PROW = GoTool("prow", "sigs.k8s.io/prow", {"prow-reader": "federated-e2e.test/prow/prow-reader"})


def fake_gcs_server(sources: Sources | None = None) -> Path:
    """Return the path of fake-gcs-server. The first call on a machine builds it, which takes about a minute."""
    return go_tool(FAKE_GCS_SERVER, sources or sources_from_env(os.environ))["fake-gcs-server"]


def testgrid_programs() -> Mapping[str, Path]:
    """Return TestGrid's programs by name. The first call on a machine builds them, which takes about a minute."""
    return go_tool(TESTGRID, sources_from_env(os.environ))


def prow_reader() -> Path:
    """Return the path of a program around prow's packages. The first call on a machine builds it: two minutes or more."""
    return go_tool(PROW, sources_from_env(os.environ))["prow-reader"]


def go_tool(tool: GoTool, sources: Sources) -> Mapping[str, Path]:
    """Return the paths of programs pinned in ``tests/support/go/<project>/``, built when one is not in the cache.

    Two processes at once build them once. Raises ProviderError without Go, or with a Go that is too old.
    """
    deadline = Deadline.after(BUILD_S, f"building {tool.project}")
    pin = read_pin(PINS / tool.project, tool.project, tool.module)
    digest = _digest(pin)
    keys = {name: Key(name, pin.version, str(sources.platform), f"go-{digest}") for name in tool.packages}
    cache = Cache(sources.cache)
    with cache.locked(list(keys.values()), deadline):
        cached = {name: found.path for name, key in keys.items() if (found := cache.find(key))}
        if len(cached) == len(keys):
            return cached
        with cache.staging(next(iter(keys.values()))) as folder:
            build(pin, tool.programs, folder, sources=sources, limit=Limit(deadline))
            origin = f"go build of {tool.project} {pin.version}"
            return {name: cache.adopt(key, folder / name, origin) for name, key in keys.items()}


def _digest(pin: Pin) -> str:
    """Return 12 hex digits that change when a program would: with the pin, and with sources of ours beside it."""
    told = hashlib.sha256(pin.digest.encode())
    own = sorted(pin.folder.rglob("*.go"))
    for path in own:
        told.update(path.read_bytes())
    return told.hexdigest()[:12] if own else pin.digest
