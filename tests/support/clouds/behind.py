"""The clouds whose machines can be hosts of a lab: what a command needs in its environment to meet the fake instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from providers.machines import azure_api, gce_api
from providers.machines.runner import RUNNER
from tests.support.clouds import azure_server, gce_server
from tests.support.clouds.azure import Arm
from tests.support.clouds.gce import Compute
from tests.support.clouds.gce_account import write_account
from tests.support.clouds.machines import lab_machines
from tests.support.lab.labs import Lab
from upload.errors import ProviderError

BOOT_S = 1.0  # an instance is said to run long before it answers


@contextmanager
def gce_of(lab: Lab) -> Iterator[tuple[Compute, Mapping[str, str]]]:
    """Give a fake of GCE with hosts of a lab as its instances, and the variables under which it is found.

    What is left at the end, resource or host, is an error: ProviderError.
    """
    with lab_machines(lab) as machines:
        compute = Compute(operation_s=BOOT_S, machines=machines)
        with gce_server.serving(compute) as endpoint:
            account = write_account(lab.folder / "account.json")
            yield (
                compute,
                {
                    gce_api.ENDPOINT: endpoint,
                    RUNNER: f"{lab.names.gateway}/32",
                    "GOOGLE_APPLICATION_CREDENTIALS": str(account),
                },
            )
            _require_nothing(compute.names())


@contextmanager
def azure_of(lab: Lab) -> Iterator[tuple[Arm, Mapping[str, str]]]:
    """Give a fake of Azure with hosts of a lab as its machines; as ``gce_of``."""
    with lab_machines(lab) as machines:
        arm = Arm(operation_s=BOOT_S, machines=machines)
        with azure_server.serving(arm, lab.folder) as served:
            yield arm, {azure_api.ENDPOINT: served.address, RUNNER: f"{lab.names.gateway}/32", **served.variables}
            _require_nothing(arm.names())


def _require_nothing(left: list[str]) -> None:
    if left:
        raise ProviderError(f"left in the cloud: {', '.join(left)}")


CLOUDS: Mapping[str, Callable[[Lab], AbstractContextManager[tuple[object, Mapping[str, str]]]]] = {
    "gce": gce_of,
    "azure": azure_of,
}
