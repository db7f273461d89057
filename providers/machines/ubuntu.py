"""Machines that are there already: addresses, a user, and a key from the environment. They are taken and given back."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from providers.contracts import ClusterSpec, Context, Machine, Resource
from providers.kubeadm.settings import KubeadmSettings
from providers.reach import SUDO_PASSWORD
from providers.ssh.access import AGENT, KEY, SSH_PORT, Access, Endpoint, Jump, given_agent, given_key
from upload.errors import UsageError

# kubelet takes a name of RFC 1123; a host in a config reaches neither a shell nor ssh's command line unquoted
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def _matching(pattern: re.Pattern[str], wanted: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"expected {wanted}")
        return text

    return AfterValidator(check)


def _ip(text: str, wanted: str = "an IP address") -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"expected {wanted}") from None
    return text


Name = Annotated[str, _matching(_NAME, "a node's name: a-z, 0-9 and '-', at most 63")]
Host = Annotated[str, _matching(_HOST, "a host name or an address, an IPv6 one without brackets")]
Address = Annotated[str, AfterValidator(_ip)]
User = Annotated[str, _matching(_USER, "a user's name")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Reached(BaseModel):
    """Where an SSH server listens."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    address: Host = Field(description="host name or address of the SSH server")
    port: Port = Field(default=SSH_PORT, description="port of the SSH server")
    host_key: str = Field(default="", max_length=2000, description="its public key; without it, pinned on first use")

    def endpoint(self) -> Endpoint:
        """Return the same as what connections take."""
        return Endpoint(self.address, self.port, self.host_key)


class MachineSettings(Reached):
    """One machine."""

    name: Name = Field(description="name of the node in the cluster")
    internal: Address | None = Field(
        default=None, description="IP address at which the other machines reach it, if it is another one"
    )

    @model_validator(mode="after")
    def _others_reach_it_by_an_address(self) -> Self:
        if self.internal is None:
            _ip(self.address, "an IP address, or internal: with the one at which the other machines reach it")
        return self


class JumpSettings(Reached):
    """The machine through which the others are reached."""

    user: User = Field(default="root", description="who logs in there, with the same key")


class UbuntuSettings(KubeadmSettings):
    """The section ``provider:`` of a config with ``name: ubuntu``."""

    user: User = Field(default="root", description="who logs in; another user than root becomes root by sudo")
    machines: tuple[MachineSettings, ...] = Field(
        strict=False, min_length=1, max_length=500, description="the first become control planes, the next ones workers"
    )
    jump: JumpSettings | None = Field(default=None, description="a host to go through")

    @field_validator("machines")
    @classmethod
    def _each_once(cls, machines: tuple[MachineSettings, ...]) -> tuple[MachineSettings, ...]:
        for what in ("name", "address"):
            values = [(getattr(m, what), m.port) if what == "address" else getattr(m, what) for m in machines]
            if twice := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"two machines have the {what} {twice[0]}")
        return machines


class UbuntuMachines:
    """The machines of a config. It makes none, and removes none."""

    Settings: ClassVar[type[BaseModel]] = UbuntuSettings
    variables: ClassVar[tuple[str, ...]] = (KEY, AGENT, SUDO_PASSWORD)

    def __init__(self, settings: UbuntuSettings) -> None:
        self._settings = settings

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead, by the number of machines."""
        there, wanted = len(self._settings.machines), spec.control_planes + spec.nodes
        return (
            {"nodes": f"at most {max(0, there - spec.control_planes)}, for {there} machines"} if there < wanted else {}
        )

    def ensure(self, spec: ClusterSpec, ctx: Context) -> tuple[Machine, ...]:
        """Return the machines that the cluster takes."""
        del ctx
        wanted = self._settings.machines[: spec.control_planes + spec.nodes]
        return tuple(
            Machine(
                each.name,
                "control-plane" if index < spec.control_planes else "worker",
                each.endpoint(),
                (each.internal,) if each.internal else (),
            )
            for index, each in enumerate(wanted)
        )

    def access(self, ctx: Context) -> Access:
        """Return how one logs in: by the key file that the environment names, else by the agent's keys."""
        identity = given_key(ctx.variables) or given_agent(ctx.variables)
        if identity is None:
            hint = f"export {KEY}=/path/to/private-key   or: eval $(ssh-agent) && ssh-add"
            raise UsageError("no key opens the machines: there is no key file and no SSH agent", hint=hint)
        jump = self._settings.jump
        return Access(
            user=self._settings.user,
            identity=identity,
            jump=Jump(jump.endpoint(), jump.user) if jump else None,
            sudo_password=ctx.variables.get(SUDO_PASSWORD, ""),
        )

    def delete(self, ctx: Context) -> None:
        """Do nothing: the machines are somebody's."""

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """Return nothing: there is nothing that this made."""
        del ctx
        return ()
