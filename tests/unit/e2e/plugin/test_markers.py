from __future__ import annotations

from pathlib import Path

import pytest

from e2e.plugin.markers import reason_to_skip
from providers.contracts import Cluster


def cluster(*features: str, allow: tuple[str, ...] = ()) -> Cluster:
    return Cluster(
        name="c1", kubeconfig=Path("k"), version="v1.36.3", features=frozenset(features), allow=frozenset(allow)
    )


@pytest.mark.parametrize(
    ("here", "markers", "required", "reason"),
    [
        pytest.param(cluster(), ["sig"], [], "", id="nothing-needed"),
        pytest.param(cluster("dns"), [], ["dns"], "", id="offered"),
        pytest.param(cluster(), [], ["pods-run"], "cluster c1 lacks pods-run (hollow nodes)", id="lacking-explained"),
        pytest.param(cluster("x"), [], ["storage", "x", "dns"], "cluster c1 lacks dns, storage", id="lacking-several"),
        pytest.param(
            cluster(),
            ["cluster_scoped", "sig", "disruptive"],
            [],
            "cluster c1 does not allow cluster_scoped, disruptive (provider.allow opts in)",
            id="not-allowed",
        ),
        pytest.param(cluster(allow=("preempts",)), ["preempts"], [], "", id="allowed"),
        pytest.param(
            cluster("node-ssh"),
            [],
            ["node-ssh"],
            "cluster c1 does not allow node_ssh (provider.allow opts in)",
            id="feature-that-needs-consent",
        ),
        pytest.param(cluster("node-ssh", allow=("node_ssh",)), [], ["node-ssh"], "", id="feature-with-consent"),
    ],
)
def test_reason_to_skip(here: Cluster, markers: list[str], required: list[str], reason: str) -> None:
    assert reason_to_skip(here, markers=markers, required=required) == reason
