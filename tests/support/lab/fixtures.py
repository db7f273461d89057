"""The lab for tests. A conftest imports what its tests use: ``from tests.support.lab.fixtures import host_lab, fresh_hosts``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.lab.labs import Lab, host_names, open_lab
from tests.support.lab.needs import missing
from tests.support.lab.values import LabHost

FreshHosts = Callable[..., tuple[LabHost, ...]]
SHARED = ("s1", "s2")


@pytest.fixture(scope="session")
def host_lab() -> Iterator[Lab]:
    """Return the one lab of a session, at first without hosts. Skips with the reason where there can be none."""
    if lacks := missing():
        pytest.skip("; ".join(lacks))
    with open_lab() as made:
        yield made


@pytest.fixture(scope="session")
def shared_hosts(host_lab: Lab) -> tuple[LabHost, ...]:
    """Return two hosts that all tests of the session share. Nobody may change them for the others."""
    return host_lab.add(*SHARED)


@pytest.fixture
def fresh_hosts(host_lab: Lab) -> Iterator[FreshHosts]:
    """Return a function that boots as many hosts with empty disks as a test asks for; they end with the test."""
    made: list[str] = []

    def boot(count: int, *, user: str = "root") -> tuple[LabHost, ...]:
        made.extend(host_names(count))
        return host_lab.add(*host_names(count), user=user)

    yield boot
    host_lab.remove(*made)
