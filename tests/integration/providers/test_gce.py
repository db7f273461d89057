"""GCE machines by the real SDK against the contract fake: a whole life, and every fault that comes over the wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec, Context
from providers.machines import gce_removal
from providers.machines.gce import GceMachines
from providers.machines.gce_resources import KINDS
from providers.machines.gce_settings import GceSettings
from providers.testing import FolderBinaries, make_context
from tests.support.clouds.computer import tries_of
from tests.support.clouds.gce import PROJECT, Call, Compute, Said
from tests.support.clouds.gce_account import write_account
from tests.support.clouds.gce_server import serving
from upload.errors import DeadlineExceeded, HarnessError, ManyErrors, ProviderError, StockoutError, UsageError

SPEC = ClusterSpec(control_planes=1, nodes=2)
SLUG = "ci-kubernetes-e2e-test-20260101000000"
ALL = [
    *(f"disks/e2e-{SLUG}-{node}" for node in ("cp1", "w1", "w2")),
    *(f"firewalls/e2e-{SLUG}-{role}" for role in ("nodes", "runner")),
    *(f"instances/e2e-{SLUG}-{node}" for node in ("cp1", "w1", "w2")),
    f"networks/e2e-{SLUG}-net",
    f"subnetworks/e2e-{SLUG}-subnet",
]


@pytest.fixture(scope="session", autouse=True)
def sdk() -> None:
    """Import the SDK before any deadline runs: it takes seconds, and far more when it was just installed."""
    import google.cloud.compute_v1  # noqa: F401


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's file, found by the SDK's own chain."""
    path = write_account(tmp_path / "account.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)
    return path


@pytest.fixture
def compute() -> Compute:
    return Compute()


@pytest.fixture
def endpoint(compute: Compute) -> Iterator[str]:
    with serving(compute) as address:
        yield address


def maker(**changes: Any) -> GceMachines:
    section = {"project": PROJECT, "region": "europe-west1", "runner_cidr": "192.0.2.200/32", **changes}
    return GceMachines(GceSettings.model_validate(section), ready=lambda _reach, _ctx: None)


@dataclass
class Contexts:
    folder: Path
    endpoint: str

    def __call__(self, name: str = "c1", *, seconds: float = 30.0, run: str = "") -> Context:
        made = make_context(self.folder / name, FolderBinaries(self.folder, "v1.36.3"), seconds=seconds)
        return replace(made, variables={"E2E_GCE_ENDPOINT": self.endpoint}, run=run or made.run)


@pytest.fixture
def context(tmp_path: Path, endpoint: str) -> Contexts:
    return Contexts(tmp_path, endpoint)


def on(call: str, what: Said | dict[str, Any], *, times: int = 10**6, **params: str) -> Callable[[Call], Any]:
    """Return a fault of one call, for the first few times and where the parameters are these."""
    left = [times]

    def fault(asked: Call) -> Any:
        if asked.id != f"compute.{call}" or left[0] <= 0:
            return None
        if any(asked.params.get(key) != value for key, value in params.items()):
            return None
        left[0] -= 1
        return what

    return fault


TOO_MANY = Said(429, "rateLimitExceeded", "Too many requests")
STOCKOUT = {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources."}]}


def test_a_whole_life(compute: Compute, context: Contexts) -> None:
    compute.lists_lag_s = 0.5
    ctx = context()

    machines = maker().ensure(SPEC, ctx)

    assert [(m.name, m.role) for m in machines] == [("cp1", "control-plane"), ("w1", "worker"), ("w2", "worker")]
    assert all(m.endpoint.host.startswith("192.0.2.") and m.address.startswith("10.0.0.") for m in machines)
    assert compute.names() == ALL
    runner = next(c.body for c in compute.calls if c.id == "compute.firewalls.insert" and "runner" in c.body["name"])
    assert (runner["sourceRanges"], runner["allowed"][0]["ports"][0]) == (["192.0.2.200/32"], "22")
    assert maker().ensure(SPEC, ctx) == machines
    assert compute.count("instances.insert") == 3
    maker().delete(ctx)
    assert compute.names() == []
    assert maker().leftovers(ctx) == ()


def test_machines_are_made_and_removed_beside_each_other(compute: Compute, context: Contexts) -> None:
    compute.operation_s = 0.5
    ctx = context()

    maker().ensure(SPEC, ctx)
    begun = [c.at for c in compute.calls if c.id == "compute.instances.insert"]
    maker().delete(ctx)
    ended = [c.at for c in compute.calls if c.id == "compute.instances.delete"]

    assert max(begun) - min(begun) < 0.5
    assert max(ended) - min(ended) < 0.5


LISTS = (
    "disks.aggregatedList",
    "firewalls.list",
    "instances.aggregatedList",
    "networks.list",
    "subnetworks.aggregatedList",
)
MADE = {"networks": 1, "firewalls": 2, "subnetworks": 1, "instances": 3}


def test_up_and_down_take_as_many_calls_as_the_documentation_says(compute: Compute, context: Contexts) -> None:
    compute.page = 500
    compute.wait_s = 30.0  # the service answers a wait when the operation ends

    maker().ensure(SPEC, context())
    up = Counter(call.id.removeprefix("compute.") for call in compute.calls)
    compute.calls.clear()
    maker().delete(context())
    down = Counter(call.id.removeprefix("compute.") for call in compute.calls)

    waits = {"globalOperations.wait": 3, "regionOperations.wait": 1, "zoneOperations.wait": 3}
    inserts = {f"{many}.insert": number for many, number in MADE.items()}
    gets = {f"{many}.get": number for many, number in MADE.items()}
    assert up == {"zones.list": 1, **dict.fromkeys(LISTS, 2), **gets, **inserts, "instances.get": 6, **waits}
    deletes = {f"{many}.delete": number for many, number in MADE.items()}
    down.pop("disks.delete", None)  # they go with their instances; whether the list still had them is chance
    assert {call: down[call] for call in (*deletes, *LISTS)} == {**deletes, **dict.fromkeys(LISTS, 3)}


def test_every_type_that_is_made_is_in_a_whole_life() -> None:
    assert {kind.many for kind in KINDS} == {name.partition("/")[0] for name in ALL}


def test_without_the_folder_the_marks_are_enough(compute: Compute, context: Contexts) -> None:
    maker().ensure(SPEC, context())

    maker().delete(context("another computer"))

    assert compute.names() == []


def test_two_runs_at_once_leave_each_other_alone(compute: Compute, context: Contexts) -> None:
    compute.operation_s = 0.3
    first, second = (
        context(folder, run=f"ci-kubernetes-e2e-a-2026010100000{second}") for second, folder in enumerate(("a", "b"))
    )
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda ctx: maker().ensure(SPEC, ctx), (first, second)))
        assert len(compute.names()) == 2 * len(ALL)
        again, removed = pool.submit(maker().ensure, SPEC, first), pool.submit(maker().delete, second)
        assert (again.result(), removed.result()) == (made[0], None)

    assert len(compute.names()) == len(ALL)
    assert all("-20260101000000-" in name for name in compute.names())


def test_what_lacks_the_mark_is_never_deleted(compute: Compute, context: Contexts) -> None:
    maker().ensure(SPEC, context())
    compute.resources["firewalls", "global", f"e2e-{SLUG}-mine"] = {"name": f"e2e-{SLUG}-mine", "ready": True}
    compute.born["firewalls", "global", f"e2e-{SLUG}-mine"] = 0.0

    with pytest.raises(ProviderError, match=f"without a mark, and is left alone: firewall e2e-{SLUG}-mine"):
        maker().delete(context())

    assert compute.names() == [f"firewalls/e2e-{SLUG}-mine"]


def add_unmarked(compute: Compute, name: str) -> None:
    compute.resources["firewalls", "global", name] = {"name": name, "ready": True}
    compute.born["firewalls", "global", name] = 0.0


@pytest.mark.parametrize("shared", [False, True], ids=["ours", "shared"])
def test_what_came_during_a_run_without_a_mark_is_named_once_and_left(
    shared: bool, compute: Compute, context: Contexts
) -> None:
    add_unmarked(compute, "there-before")
    machines = maker(shared_project=shared)
    machines.ensure(SPEC, context())
    machines.ensure(SPEC, context())
    add_unmarked(compute, "came-meanwhile")
    other = context("b", run="ci-kubernetes-e2e-a-20260101000001")
    maker(shared_project=True).ensure(SPEC, other)  # what carries a mark is its own run's to remove

    if not shared:
        with pytest.raises(ProviderError) as caught:
            machines.delete(context())
        assert str(caught.value) == (
            f"came into project {PROJECT} during the run without a mark, and is left alone: firewall came-meanwhile"
        )
        assert "shared_project: true" in caught.value.hint
    machines.delete(context())
    maker().delete(other)

    assert compute.names() == ["firewalls/came-meanwhile", "firewalls/there-before"]


def test_a_machine_that_is_taken_away_while_it_is_made_is_a_provider_error(compute: Compute, context: Contexts) -> None:
    name = f"e2e-{SLUG}-w2"

    def take(call: Call) -> None:
        if call.id == "compute.instances.get" and f"instances/{name}" in compute.names("instances"):
            compute.preempt(name)

    compute.faults = [take]

    with pytest.raises(ProviderError, match=rf"instance {name} in europe-west1-b is TERMINATED") as caught:
        maker(spot=True).ensure(SPEC, context())

    assert caught.value.hint == "spot machines may be taken away at any time: run again"


def test_what_befell_machines_is_told(compute: Compute, context: Contexts) -> None:
    machines = maker(spot=True)
    machines.ensure(SPEC, context())
    before = machines.losses(context())
    compute.preempt(f"e2e-{SLUG}-w1")

    assert before == {}
    why = "it is TERMINATED in GCE; spot machines may be taken away at any time: run again"
    assert machines.losses(context()) == {"w1": why}


def test_what_machines_wrote_to_their_consoles_is_kept(compute: Compute, context: Contexts) -> None:
    machines = maker()
    nothing = machines.consoles(context())
    machines.ensure(SPEC, context())
    machines_gone = Said(404, "notFound", "The resource was not found")
    compute.faults = [on("instances.getSerialPortOutput", machines_gone, instance=f"e2e-{SLUG}-w2")]

    saved = machines.consoles(context())

    assert nothing == {}
    said = {node: path.read_text() for node, path in saved.items()}
    assert said == {node: f"[    0.000000] Linux version of e2e-{SLUG}-{node}\n" for node in ("cp1", "w1")}


def test_no_room_leads_to_the_next_zone_and_then_the_next_type(compute: Compute, context: Contexts) -> None:
    compute.faults = [on("instances.insert", STOCKOUT, zone=f"europe-west1-{z}") for z in "bc"]
    compute.faults.append(on("instances.insert", STOCKOUT, zone="europe-west1-d", times=2))
    ctx = context()

    machines = maker(machine_types=["e2-standard-2", "n2-standard-4"]).ensure(SPEC, ctx)

    assert len(machines) == 3
    steps: Any = ctx.steps
    assert steps.notes[1].startswith("e2-standard-2 in europe-west1-b: no room for")
    assert steps.notes[1].endswith("; next: e2-standard-2 in europe-west1-c")
    assert len(compute.names("instances")) == 3


@pytest.mark.parametrize(
    ("quota", "fault", "told"),
    [
        pytest.param({"CPUS": 0.0}, None, "Quota 'CPUS' exceeded.  Limit: 0.0 in region europe-west1.", id="quota 0"),
        pytest.param({}, STOCKOUT, "ZONE_RESOURCE_POOL_EXHAUSTED: The zone does not have enough", id="stock-out"),
        pytest.param({}, Said(403, "quotaExceeded", "Quota exceeded"), "quotaExceeded", id="refused at once"),
    ],
)
def test_every_place_without_room_is_named(
    quota: dict[str, float], fault: Any, told: str, compute: Compute, context: Contexts
) -> None:
    compute.quotas |= quota
    compute.faults = [on("instances.insert", fault)] if fault else []

    with pytest.raises(StockoutError) as caught:
        maker().ensure(SPEC, context())

    assert told in str(caught.value)
    assert [f"e2-standard-4 in europe-west1-{z}" in str(caught.value) for z in "bcd"] == [True] * 3
    maker().delete(context())
    assert compute.names() == []


@pytest.mark.parametrize(
    ("changes", "fault", "kind", "told", "hint"),
    [
        pytest.param(
            {"region": "europe-wset1"}, None, UsageError, "did you mean 'europe-west1'?", "regions list", id="region"
        ),
        pytest.param(
            {"zones": ["europe-west1-a"]},
            None,
            UsageError,
            "no zone 'europe-west1-a', did you mean",
            "zones list",
            id="zone",
        ),
        pytest.param(
            {"project": "another-project"},
            None,
            UsageError,
            "projects/another-project' was not found",
            "projects list",
            id="project",
        ),
        pytest.param(
            {},
            Said(403, "accessNotConfigured", "Compute Engine API has not been used"),
            ProviderError,
            "has not been used",
            f"gcloud services enable compute.googleapis.com --project {PROJECT}",
            id="API off",
        ),
        pytest.param(
            {},
            Said(403, "forbidden", "Required 'compute.zones.list' permission"),
            ProviderError,
            "compute.zones.list",
            "get-iam-policy",
            id="permission",
        ),
        pytest.param(
            {},
            Said(401, "authError", "Invalid Credentials"),
            ProviderError,
            "refuses the credentials",
            "login",
            id="expired",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(
    changes: dict[str, Any],
    fault: Any,
    kind: type[HarnessError],
    told: str,
    hint: str,
    compute: Compute,
    context: Contexts,
) -> None:
    compute.faults = [on("zones.list", fault)] if fault else []

    with pytest.raises(kind) as caught:
        maker(**changes).ensure(SPEC, context())

    assert told in str(caught.value)
    assert hint in caught.value.hint
    assert compute.names() == []


def test_without_credentials_the_chain_is_named(
    context: Contexts, monkeypatch: pytest.MonkeyPatch, compute: Compute
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")

    with pytest.raises(UsageError) as caught:
        maker().ensure(SPEC, context())

    assert "GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default credentials, the metadata" in str(caught.value)
    assert compute.calls == []


def test_throttling_is_waited_out_as_long_as_the_service_says(compute: Compute, context: Contexts) -> None:
    slow = Said(403, "rateLimitExceeded", "Rate Limit Exceeded", {"Retry-After": "1"})
    compute.faults = [on("instances.insert", slow, times=3), on("networks.list", TOO_MANY, times=2)]

    maker().ensure(SPEC, context())

    begun = [c.at for c in compute.calls if c.id == "compute.instances.insert"]
    assert compute.names() == ALL
    assert max(begun) - min(begun) >= 1.0


def test_an_operation_that_never_ends_meets_the_deadline_and_is_named(compute: Compute, context: Contexts) -> None:
    compute.faults = [on("networks.insert", {"takes_s": 1e6})]

    with pytest.raises(DeadlineExceeded, match=r"creating network e2e-.*-net, operation operation-\d+, was not done"):
        maker().ensure(SPEC, context(seconds=2))


def test_one_machine_of_three_fails_in_the_words_of_the_service(compute: Compute, context: Contexts) -> None:
    wrong = {"errors": [{"code": "INVALID_USAGE", "message": "No such disk."}]}
    compute.faults = [on("instances.insert", wrong, times=1)]

    with pytest.raises(ManyErrors, match=r"INVALID_USAGE: No such disk. \(operation operation-\d+\)"):
        maker().ensure(SPEC, context())

    maker().delete(context())
    assert compute.names() == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Said(400, "resourceInUseByAnotherResource", "in use"), id="at once"),
        pytest.param({"errors": [{"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "message": "in use"}]}, id="later"),
        pytest.param(Said(503, "backendError", "Backend Error"), id="server"),
    ],
)
def test_a_delete_that_fails_for_a_while_is_tried_again(fault: Any, compute: Compute, context: Contexts) -> None:
    maker().ensure(SPEC, context())
    compute.faults = [on("networks.delete", fault, times=2)]

    maker().delete(context())

    assert compute.names() == []


def test_a_delete_that_fails_for_ten_minutes_is_tried_as_long(
    compute: Compute, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tries_of(600.0, first_s=gce_removal._PAUSE_S, longest_s=gce_removal._LONGEST_PAUSE_S)
    for name in ("_PAUSE_S", "_LONGEST_PAUSE_S"):
        monkeypatch.setattr(gce_removal, name, getattr(gce_removal, name) / 1000)
    maker().ensure(SPEC, context())
    compute.faults = [on("networks.delete", Said(400, "resourceInUseByAnotherResource", "in use"), times=tries)]

    maker().delete(context(seconds=120))

    assert (compute.names(), compute.count("networks.delete")) == ([], tries + 1)


def test_a_delete_that_fails_for_ever_is_told_and_what_is_left_has_a_name(compute: Compute, context: Contexts) -> None:
    maker().ensure(SPEC, context())
    compute.faults = [on("networks.delete", Said(400, "resourceInUseByAnotherResource", "used by a router"))]

    with pytest.raises(ProviderError, match="used by a router"):
        maker().delete(context(seconds=4))

    assert [r.name for r in maker().leftovers(context())] == [f"e2e-{SLUG}-net"]


CHILD = """
import sys
from pathlib import Path
from tests.integration.providers.test_gce import Contexts, SPEC, maker
getattr(maker(), sys.argv[3])(*([SPEC] if sys.argv[3] == "ensure" else []), Contexts(Path(sys.argv[1]), sys.argv[2])())
"""


@pytest.mark.slow  # each child imports the SDK
@pytest.mark.parametrize("kept", [True, False], ids=["continued", "down without state"])
@pytest.mark.parametrize(
    "phase",
    [
        "instances.insert",
        *(
            pytest.param(phase, marks=pytest.mark.full)
            for phase in ("networks.insert", "firewalls.insert", "instances.delete", "networks.delete")
        ),
    ],
)
def test_killed_in_a_phase(phase: str, kept: bool, compute: Compute, context: Contexts, tmp_path: Path) -> None:
    compute.operation_s = 0.4
    verb = "delete" if phase.endswith("delete") else "ensure"
    if verb == "delete":
        maker().ensure(SPEC, context())
    before = len(compute.calls)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), context.endpoint, verb],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    until = time.monotonic() + 100
    while not (seen := any(c.id == f"compute.{phase}" for c in compute.calls[before:])) and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert (child.wait(10), seen) == (-signal.SIGKILL, True)

    if kept and verb == "ensure":
        maker().ensure(SPEC, context())
        assert compute.names() == ALL
    maker().delete(context("c1" if kept else "elsewhere"))

    assert compute.names() == []
