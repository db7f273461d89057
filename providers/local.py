"""A real control plane on this machine, without root: etcd, kube-apiserver, controllers, scheduler, and hollow nodes.

The programs are real and are started by kwokctl; kwok plays the kubelets, so that pods become Running and nothing runs.
Everything listens on the loopback address and lies below the run's folder. Source: DESIGN section 5, lab.md section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from providers import process
from providers._control_plane import ControlPlane, PortTaken, is_ready
from providers._hollow import room_for_nodes
from providers._private import empty
from providers.contracts import Cluster, ClusterSpec, Context, Resource
from providers.dump import Source, dump_cluster
from providers.kwok import NEEDED, ChoosePorts, Home, Plan, free_ports
from providers.releases.programs import program_named
from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.api import Api

Component = Literal["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"]
Flag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,80}$")]
# what the provider itself must decide: where components listen, and where their files and keys are
RESERVED = (
    *("address", "addresses", "ip", "host", "port", "urls", "initial-cluster", "etcd-servers"),
    *("kubeconfig", "config", "-file", "dir", "path"),
)
START_TRIES = 5
FEATURES = frozenset({"hollow-nodes", "csr-signing"})


class ComponentSettings(BaseModel):
    """What a config changes about one component."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    args: Mapping[Flag, str | int | bool] = Field(default_factory=dict, description="flag without dashes: value")
    disabled: bool = Field(default=False, description="do not start this component")

    @field_validator("args")
    @classmethod
    def _not_reserved(cls, args: Mapping[str, str | int | bool]) -> Mapping[str, str | int | bool]:
        for flag in args:
            if flag.endswith(RESERVED):
                raise ValueError(f"--{flag} is set by the provider")
        return args

    def flags(self) -> dict[str, str]:
        """Return the flags as command-line texts."""
        return {
            flag: str(value).lower() if isinstance(value, bool) else str(value) for flag, value in self.args.items()
        }


class LocalSettings(BaseModel):
    """The section ``provider:`` of a config with ``name: local``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    components: Mapping[Component, ComponentSettings] = Field(default_factory=dict, description="changes by component")

    @model_validator(mode="after")
    def _keeps_an_api(self) -> LocalSettings:
        for name in ("etcd", "kube-apiserver"):
            if name in self.components and self.components[name].disabled:
                raise ValueError(f"without {name} there is no cluster")
        return self


class LocalProvider:
    """Makes a cluster of processes on this machine and takes it away again."""

    Settings: ClassVar[type[BaseModel]] = LocalSettings
    features: ClassVar[frozenset[str]] = FEATURES
    owns_cluster: ClassVar[bool] = True

    def __init__(self, settings: LocalSettings, *, choose_ports: ChoosePorts = free_ports) -> None:
        self._settings = settings
        self._choose_ports = choose_ports

    @classmethod
    def refusals(cls, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead, before anything is created."""
        wanted = {}
        if spec.control_planes != 1:
            wanted["control_planes"] = "1 (provider local makes one)"
        if (room := room_for_nodes(spec.pod_cidr)) < spec.nodes:
            wanted["nodes"] = f"at most {room}, which is what pod_cidr has room for"
        if spec.kubelet_version:
            wanted["kubelet_version"] = "absent: provider local runs no kubelet"
        if spec.upgrade_to:
            wanted["upgrade_to"] = "absent: provider local upgrades nothing"
        return wanted

    def programs(self, spec: ClusterSpec) -> tuple[str, ...]:
        """Return Kubernetes's own programs: a control plane, and kubectl for the suite."""
        del spec
        return tuple(name for name in NEEDED if program_named(name).project == "kubernetes")

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        """Return a cluster whose nodes are ready; one that a killed call left is used if it answers, else made anew."""
        for key, wanted in self.refusals(spec).items():
            raise UsageError(f"provider local: cluster.{key} must be {wanted}")
        if any(character.isspace() for character in str(ctx.folder)):  # kwokctl would write elsewhere
            what = f"provider local: kwokctl cannot work in {ctx.folder}, a path with spaces"
            raise UsageError(what, hint="export E2E_STATE_DIR=/a/folder/without/spaces")
        with ctx.steps.step("Fetch programs"):
            plan = self._plan(spec, ctx)
        for _ in range(START_TRIES - 1):
            try:
                return self._make(plan, spec, ctx)
            except PortTaken as error:
                ctx.steps.note(f"{error}; starting again with other ports")
        return self._make(plan, spec, ctx)

    def _make(self, plan: Plan, spec: ClusterSpec, ctx: Context) -> Cluster:
        home = _home(ctx)
        control_plane = ControlPlane(plan, home, ctx.deadline)
        if control_plane.is_whole():
            ctx.steps.note("the control plane of an earlier call is running; going on with it")
        else:
            with ctx.steps.step("Start control plane"):
                control_plane.start(self._choose_ports)
        from providers._furnish import furnish

        return replace(furnish(control_plane, plan, home, spec, ctx), features=FEATURES)

    def is_up(self, ctx: Context) -> bool:
        """Say whether the API server is ready now."""
        return is_ready(_home(ctx))

    def dump(self, ctx: Context, dest: Path) -> None:
        """Write component logs, objects, events and versions below ``dest``; logs also when nothing answers."""
        from providers._kubeconfig import keep_secrets

        home = _home(ctx)
        keep_secrets(home.private_kubeconfig, ctx.keep_secret)  # up may have been another process
        node = f"{ctx.cluster}-control-plane"
        logs = {f"{node}/{log.name}": log for log in home.logs.glob("*.log")}
        if home.output.exists():
            logs[f"{node}/kwokctl.log"] = home.output
        dump_cluster(ctx, dest, Source(lambda: _connect(home), logs=logs))

    def down(self, ctx: Context) -> None:
        """Kill this cluster's processes, wait until they are gone, and empty its folder."""
        home = _home(ctx)
        with ctx.steps.step("Stop processes"):
            process.end(home.mark, deadline=ctx.deadline)
        with ctx.steps.step("Remove files"):
            empty(ctx.folder)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List processes that carry this cluster's mark, and what is in its folder."""
        living = process.marked(_home(ctx).mark)
        files = sorted(ctx.folder.iterdir()) if ctx.folder.is_dir() else []
        return (
            *(Resource("process", process.describe(each)) for each in living),
            *(Resource("file", str(path)) for path in files),
        )

    def _plan(self, spec: ClusterSpec, ctx: Context) -> Plan:
        changed = self._settings.components
        return Plan(
            version=ctx.binaries.version,
            programs=ctx.binaries.ensure(NEEDED, deadline=ctx.deadline),
            service_cidr=spec.service_cidr,
            args={name: settings.flags() for name, settings in changed.items()},
            disabled=frozenset(name for name, settings in changed.items() if settings.disabled),
        )


def _home(ctx: Context) -> Home:
    # the real path: it is compared with what processes carry in their environment
    return Home(folder=ctx.folder.resolve(), name=ctx.cluster)


def _connect(home: Home) -> Api:
    from providers.api import Api, ApiUnreachable

    if not home.kubeconfig.exists():
        raise ApiUnreachable("the control plane was never started")
    return Api(home.kubeconfig)
