"""The bridge that a lab's hosts are plugged into, and the choice of a network that the machine does not use yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

from tests.support.lab.command import run
from tests.support.lab.values import LABS, LabNames
from upload.errors import CommandError, ProviderError


def free_number(
    taken: Iterable[int], links: Iterable[str], networks: Iterable[IPv4Network], numbers: Sequence[int] = LABS
) -> int:
    """Return the number of a new lab: not ``taken``, no interface has its name, no network of the machine meets its own.

    Raises: ProviderError when there is none.
    """
    used_numbers, used_links, used_networks = set(taken), set(links), tuple(networks)
    for number in numbers:
        names = LabNames(number)
        if number in used_numbers or names.lab in used_links:
            continue
        if not any(names.network.overlaps(network) for network in used_networks):
            return number
    raise ProviderError(f"there is no room for another lab: {_networks(numbers)} in use", hint="make lab-down")


def _networks(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"the network {LabNames(numbers[0]).network} is"
    return f"{len(numbers)} networks are"


def links() -> dict[str, str]:
    """Return the machine's interfaces: name → hardware address."""
    return {link["ifname"]: link.get("address", "") for link in json.loads(run("ip", "-json", "link", "show"))}


def networks() -> tuple[IPv4Network, ...]:
    """Return the IPv4 networks that the machine has routes to, but for the default route."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    return tuple(
        IPv4Network(route["dst"])
        for route in routes
        if route["dst"] != "default" and not route["dst"].startswith("0.0.0.0")
    )


def add(names: LabNames) -> None:
    """Make the bridge of a lab and give the machine its address there."""
    address = f"{names.gateway}/{names.network.prefixlen}"
    steps = (
        f"link add {names.lab} address {names.bridge_mac} type bridge\n"
        f"address add {address} dev {names.lab}\n"
        f"link set {names.lab} up\n"
    )
    run("ip", "-batch", "-", stdin=steps.encode())


def remove(names: LabNames) -> None:
    """Remove the bridge of a lab, if it is there and ours: one with another hardware address is never touched."""
    if links().get(names.lab) == names.bridge_mac:
        for port in json.loads(run("ip", "-json", "link", "show", "master", names.lab)):
            _delete(port["ifname"])
        _delete(names.lab)


def remove_wire(names: LabNames, host: str) -> None:
    """Remove what is left of the wire of a host that was killed.

    The kernel does it too, but later, and until then the host cannot be started again.
    """
    if names.wire(host) in links():
        _delete(names.wire(host))


def _delete(link: str) -> None:
    try:
        run("ip", "link", "delete", link)
    except CommandError:
        if link in links():  # else the kernel was quicker
            raise


def plug(names: LabNames, host: str, *, plugged: bool) -> None:
    """Pull the network wire of a host, or plug it in again. Raises ProviderError when the host is not running."""
    try:
        run("ip", "link", "set", names.wire(host), "up" if plugged else "down")
    except CommandError as exc:
        raise ProviderError(f"{host} has no wire: {exc}", hint="start the host first") from exc
