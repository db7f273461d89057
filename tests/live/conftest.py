"""Options that open these tests; without them every one is skipped. They cost money: see docs/how-to/develop.md."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec, Context
from providers.lookout import Lookout
from providers.testing import FolderBinaries, make_context

SPEC = ClusterSpec(control_planes=1, nodes=1)
PATIENCE_S = 1800.0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("live", "real clouds")
    group.addoption("--gce-project", help="a project of Google Cloud to make two machines in")
    group.addoption("--gce-region", default="europe-west1")
    group.addoption("--azure-subscription", help="a subscription of Azure to make two machines in")
    group.addoption("--azure-location", default="westeurope")


@pytest.fixture
def option(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return an option's value; without it the test is skipped."""

    def value(name: str) -> str:
        given = request.config.getoption(name)
        if not given:
            pytest.skip(f"a real cloud: give {name}=…")
        return str(given)

    return value


@pytest.fixture
def live(tmp_path: Path) -> Callable[[Any], None]:
    """Return a whole life of two machines: look ahead, make, make again, look at them, remove, and nothing is left."""

    def life(maker: Any) -> None:
        variables = {name: os.environ[name] for name in maker.variables if name in os.environ}
        made = make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3"), seconds=PATIENCE_S)
        run = f"ci-kubernetes-e2e-live-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
        ctx: Context = replace(made, run=run, owner="live-test", variables=variables)
        found = maker.preflight(SPEC, Lookout(ctx.deadline, variables))
        assert [(each.name, each.said) for each in found if not each.is_ok] == []
        try:
            machines = maker.ensure(SPEC, ctx)  # which returns once both let us in
            assert [machine.name for machine in machines] == ["cp1", "w1"]
            assert maker.ensure(SPEC, ctx) == machines
            assert maker.losses(ctx) == {}
            assert sorted(maker.consoles(ctx)) == ["cp1", "w1"]
        finally:
            maker.delete(ctx)
        assert maker.leftovers(ctx) == ()

    return life
