"""The address from which this runner reaches a cloud: firewalls open SSH and the API server to it and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from upload.errors import UsageError

RUNNER = "E2E_RUNNER_CIDR"
ASKED = "https://checkip.amazonaws.com"
_SECONDS = 10.0
_WIDEST_BITS = 8


def narrow_cidr(text: str) -> str:
    """Return a network of IPv4 that is not half the world. Raises: ValueError."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError("expected a network such as 192.0.2.7/32") from None
    if network.prefixlen < _WIDEST_BITS:
        raise ValueError(f"expected a network of at least /{_WIDEST_BITS}: SSH is never opened to everybody")
    return str(network)


Cidr = Annotated[str, AfterValidator(narrow_cidr)]


def runner_cidr(given: str | None, variables: Mapping[str, str], asked: str = ASKED) -> str:
    """Return what the config says, else the environment, else the address that ``asked`` sees. Raises: UsageError."""
    import httpx2

    said = given or variables.get(RUNNER, "")
    where = f"{RUNNER}={said}"
    if not said:
        try:
            said = f"{httpx2.get(asked, timeout=_SECONDS).raise_for_status().text.strip()[:50]}/32"
        except httpx2.HTTPError as exc:
            what = f"{asked} does not say from which address this runner is seen: {exc}"
            raise UsageError(what, hint=f"export {RUNNER}=192.0.2.7/32   or runner_cidr: under provider:") from exc
        where = f"{asked} answered {said}"
    try:
        return narrow_cidr(said)
    except ValueError as exc:
        raise UsageError(f"{where}: {exc}", hint=f"export {RUNNER}=192.0.2.7/32") from exc
