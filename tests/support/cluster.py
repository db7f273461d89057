"""Real clusters for tests: the pinned programs, and the local provider's cluster around a block or a whole session.

A conftest imports the fixtures that its tests use: ``from tests.support.cluster import binaries, local_cluster``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers import kwok
from providers.contracts import Binaries, Cluster, ClusterSpec, Context, Deadline
from providers.local import LocalProvider, LocalSettings
from providers.releases.sources import sources_from_env
from providers.releases.versions import resolve
from providers.testing import make_context

FETCH_S = 1800.0  # building all of Kubernetes on a machine that has nothing yet
NODES = 3


@dataclass(frozen=True, slots=True)
class Running:
    """A cluster that is up, with what it takes to look at it and to end it."""

    cluster: Cluster
    provider: LocalProvider
    context: Context


@contextmanager
def running_cluster(
    folder: Path, binaries: Binaries, settings: LocalSettings | None = None, *, nodes: int = NODES
) -> Iterator[Running]:
    """Bring a local cluster up in ``folder`` and take it down after the block, whatever happens in it."""
    provider = LocalProvider(settings or LocalSettings())
    context = make_context(folder, binaries)
    try:
        yield Running(provider.up(ClusterSpec(nodes=nodes), context), provider, context)
    finally:
        provider.down(make_context(folder, binaries))


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """Return the pinned release; its programs come from the cache, a download or a build."""
    deadline = Deadline.after(FETCH_S, "fetching programs")
    release = resolve("pinned", sources=sources_from_env(os.environ), deadline=deadline)
    release.ensure(kwok.NEEDED, deadline=deadline)
    return release


@pytest.fixture(scope="session")
def local_cluster(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return one local cluster that all tests of the session share. Nobody may break it for the others."""
    with running_cluster(tmp_path_factory.mktemp("shared") / "c1", binaries) as running:
        yield running
