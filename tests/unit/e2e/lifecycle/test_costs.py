"""What a run costs: before it, by its config; after it, by its steps."""

from __future__ import annotations

import pytest

from e2e.lifecycle.costs import cost_of, machine_hours
from providers.contracts import ClusterSpec
from providers.kubeadm.provider import provider_of
from providers.lookout import Cost
from providers.machines.ubuntu import UbuntuMachines
from providers.registry import make_provider
from upload.model import StepRecord

UP = StepRecord("Up", 1000, 300.0)
DOWN = StepRecord("Down", 4300, 300.0)
THREE = Cost(3, 0.6)


@pytest.mark.parametrize(
    ("price", "said"),
    [
        pytest.param({}, "3 machines for at most 2.0 h are 6.0 machine-hours", id="without a price"),
        pytest.param(
            {"price_per_hour": 0.2},
            "3 machines for at most 2.0 h are 6.0 machine-hours, 1.20 at 0.6 an hour",
            id="with a price",
        ),
    ],
)
def test_an_estimate_tells_hours_and_what_they_cost(price: dict[str, float], said: str) -> None:
    provider = make_provider("gce", {"project": "example-project", "region": "europe-west1", **price})
    cost = cost_of(provider, ClusterSpec(control_planes=1, nodes=2))

    assert cost is not None
    assert cost.over(2.0) == said


def test_a_provider_of_machines_that_are_there_estimates_nothing() -> None:
    assert not hasattr(provider_of(UbuntuMachines), "estimate_cost")


@pytest.mark.parametrize(
    ("cost", "records", "hours"),
    [
        pytest.param(THREE, (UP, DOWN), "3.00", id="from up to down"),
        pytest.param(None, (UP, DOWN), "", id="not known"),
        pytest.param(THREE, (UP,), "", id="kept"),
        pytest.param(THREE, (DOWN,), "", id="never up"),
        pytest.param(THREE, (UP, StepRecord("Down", 4300, 300.0, "left over")), "", id="not removed"),
        pytest.param(
            THREE, (UP, StepRecord("Down", 2000, 1.0, "in use"), DOWN), "3.00", id="removed at the second time"
        ),
    ],
)
def test_machine_hours_end_when_the_machines_are_gone(
    cost: Cost | None, records: tuple[StepRecord, ...], hours: str
) -> None:
    assert machine_hours(cost, records) == hours
