"""The clouds whose machines can be hosts of a lab: what a command needs in its environment to meet the fake instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from providers.machines.gce_api import ENDPOINT
from providers.machines.runner import RUNNER
from tests.support.clouds.gce import Compute
from tests.support.clouds.gce_account import write_account
from tests.support.clouds.gce_server import serving
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
        with serving(compute) as endpoint:
            account = write_account(lab.folder / "account.json")
            yield (
                compute,
                {
                    ENDPOINT: endpoint,
                    RUNNER: f"{lab.names.gateway}/32",
                    "GOOGLE_APPLICATION_CREDENTIALS": str(account),
                },
            )
            if left := compute.names():
                raise ProviderError(f"left in the cloud: {', '.join(left)}")


CLOUDS: Mapping[str, Callable[[Lab], AbstractContextManager[tuple[object, Mapping[str, str]]]]] = {"gce": gce_of}
