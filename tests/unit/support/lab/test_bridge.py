from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from tests.support.lab.bridge import free_number
from upload.errors import ProviderError


@pytest.mark.parametrize(
    ("taken", "links", "networks", "number"),
    [
        pytest.param([], ["lo", "eth0"], ["127.0.0.0/8", "192.0.2.0/24"], 0, id="first"),
        pytest.param([0, 2], [], [], 1, id="beside-others"),
        pytest.param([], ["e2elab0"], [], 1, id="an-interface-of-that-name"),
        pytest.param([], [], ["10.66.0.0/24", "10.66.1.7/32"], 2, id="networks-in-use"),
    ],
)
def test_a_lab_gets_a_network_that_nobody_uses(
    taken: list[int], links: list[str], networks: list[str], number: int
) -> None:
    assert free_number(taken, links, map(IPv4Network, networks)) == number


def test_a_machine_whose_network_is_all_of_it_has_no_room() -> None:
    with pytest.raises(ProviderError, match="no room for another lab") as caught:
        free_number([], [], [IPv4Network("10.0.0.0/8")])

    assert caught.value.hint == "make lab-down"
