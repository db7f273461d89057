"""Go programs that tests need, built from their pins by the product's own code, once a machine."""

from __future__ import annotations

import os
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.fanout import Limit
from providers.releases.gobuild import build
from providers.releases.pinned import read_pin
from providers.releases.programs import Program
from providers.releases.sources import Sources, sources_from_env

PINS = Path(__file__).parent / "go"
BUILD_S = 900.0

FAKE_GCS_SERVER = Program("fake-gcs-server", "fake-gcs-server", "github.com/fsouza/fake-gcs-server", ())


def fake_gcs_server(sources: Sources | None = None) -> Path:
    """Return the path of fake-gcs-server. The first call on a machine builds it, which takes about a minute."""
    return go_tool(FAKE_GCS_SERVER, sources or sources_from_env(os.environ))


def go_tool(program: Program, sources: Sources) -> Path:
    """Return the path of a program pinned in ``tests/support/go/<project>/``, built when it is not in the cache.

    Two processes at once build it once. Raises ProviderError without Go, or with a Go that is too old.
    """
    deadline = Deadline.after(BUILD_S, f"building {program.name}")
    pin = read_pin(PINS / program.project, program.project, program.package)
    key = Key(program.name, pin.version, str(sources.platform), f"go-{pin.digest}")
    cache = Cache(sources.cache)
    with cache.locked([key], deadline):
        if found := cache.find(key):
            return found.path
        with cache.staging(key) as folder:
            build(pin, [program], folder, sources=sources, limit=Limit(deadline))
            return cache.adopt(key, folder / program.name, f"go build of {program.project} {pin.version}")
