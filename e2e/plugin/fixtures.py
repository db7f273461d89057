"""The fixtures of a case (DESIGN section 8). Registered only when there is a cluster."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube import ApiError, Client
from lightkube.config.kubeconfig import SingleConfig
from lightkube.models.meta_v1 import ObjectMeta

from e2e.plugin import OPTIONS
from e2e.plugin.connection import open_client, open_http, read_config
from e2e.plugin.evidence import NAMESPACES
from e2e.plugin.images import Images
from e2e.plugin.kubectl import Kubectl
from e2e.plugin.namespaces import NOT_FOUND, create_namespace, namespace_name, remove_namespace
from e2e.plugin.on_node import Machines
from e2e.plugin.waiting import Waiting
from providers.contracts import RUN_LABEL, Cluster, run_label

MakeNamespace = Callable[..., str]
CreateGlobal = Callable[..., Any]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """Return the facts of the cluster under test."""
    return pytestconfig.stash[OPTIONS].cluster


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> str:
    """Return the value of the label ``e2e-run`` that everything of this run carries."""
    return run_label(pytestconfig.stash[OPTIONS].run)


@pytest.fixture(scope="session")
def kubeconfig(cluster: Cluster) -> SingleConfig:
    """Return the cluster's credentials, for clients of your own."""
    return read_config(cluster.kubeconfig)


@pytest.fixture(scope="session")
def client(kubeconfig: SingleConfig) -> Iterator[Client]:
    """Return the typed client, as the cluster's administrator. It has no rate limit; requests end after 20 s."""
    with open_client(kubeconfig) as made:
        for name, module in sys.modules.items():
            if name.split(".")[0] in ("lightkube", "httpx2", "httpcore2"):
                vars(module)["__tracebackhide__"] = True  # a failure should show the test's lines, not the libraries'
        yield made


@pytest.fixture(scope="session")
def http(kubeconfig: SingleConfig) -> Iterator[httpx2.Client]:
    """Return a plain HTTP client of the API server, as administrator, for what the typed one does not cover."""
    with open_http(kubeconfig) as made:
        yield made


@pytest.fixture(scope="session")
def _waiting() -> Waiting:
    return Waiting()


@pytest.fixture(scope="session")
def eventually(_waiting: Waiting) -> Callable[..., object]:
    """Return ``Waiting.eventually``: poll until a condition holds."""
    return _waiting.eventually


@pytest.fixture(scope="session")
def consistently(_waiting: Waiting) -> Callable[..., object]:
    """Return ``Waiting.consistently``: check that a condition keeps holding for a moment."""
    return _waiting.consistently


@pytest.fixture
def make_namespace(
    request: pytest.FixtureRequest, client: Client, run: str, _waiting: Waiting
) -> Iterator[MakeNamespace]:
    """Return a function that creates one more namespace for this test, with labels if given; all are removed afterwards."""
    made: list[str] = request.node.stash.setdefault(NAMESPACES, [])

    def make(labels: dict[str, str] | None = None) -> str:
        name = namespace_name(request.node.originalname or request.node.name)
        made.append(name)
        create_namespace(client, name, run=run, labels=labels or {}, waiting=_waiting)
        return name

    yield make
    if request.config.stash[OPTIONS].remove == "each":
        for name in reversed(made):
            remove_namespace(client, name)


@pytest.fixture
def namespace(make_namespace: MakeNamespace) -> str:
    """Return the name of a namespace that only this test uses. Its removal is requested when the test ends (``--e2e-remove``)."""
    return make_namespace()


@pytest.fixture
def create_global(client: Client, run: str) -> Iterator[CreateGlobal]:
    """Return a function that creates a cluster-scoped object with the run's label; all are deleted afterwards, last one first.

    The test carries ``@pytest.mark.cluster_scoped``. Make the names unique (``namespace`` is a good prefix).
    """
    made: list[Any] = []

    def create(obj: Any) -> Any:
        metadata = obj.metadata or ObjectMeta()
        metadata.labels = {**(metadata.labels or {}), RUN_LABEL: run}
        obj.metadata = metadata
        created = client.create(obj)
        made.append(created)
        return created

    yield create
    for obj in reversed(made):
        try:
            client.delete(type(obj), obj.metadata.name)
        except ApiError as error:
            if error.status.code != NOT_FOUND:
                raise


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Return the pinned kubectl as a function: ``kubectl("get", "pods", "-n", namespace).stdout``."""
    found = cluster.kubectl or shutil.which("kubectl")
    if not found:
        pytest.skip(f"cluster {cluster.name} has no pinned kubectl, and none is on PATH")
    return Kubectl(Path(found), cluster.kubeconfig, tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="session")
def nodes(cluster: Cluster) -> tuple[str, ...]:
    """Return the names of the nodes that take ordinary pods, so not of control planes with their taint."""
    return cluster.nodes


@pytest.fixture(scope="session")
def machines(cluster: Cluster, pytestconfig: pytest.Config) -> Iterator[Machines]:
    """Return the machines of the nodes by name: ``machines["w1"].reboot()``. The case carries ``requires("node-ssh")``."""
    if cluster.machines is None:
        pytest.fail(f"cluster {cluster.name} has no machines: the case needs requires('node-ssh')")
    made = Machines(cluster.machines, pytestconfig.stash[OPTIONS].run, os.environ)
    yield made
    made.close()


@pytest.fixture(scope="session")
def images() -> Images:
    """Return the names of the container images to use."""
    return Images.upstream()
