"""A provider that has a tool make the cluster: kwokctl, with hollow nodes. Copy it, and put your own tool in its place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from providers import process
from providers.api import Api, ApiUnreachable
from providers.contracts import Cluster, ClusterSpec, Context, Resource
from providers.dump import Source, dump_cluster
from upload.errors import ProviderError

FEATURES = frozenset({"hollow-nodes"})
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller")
PROGRAMS = {name: name for name in COMPONENTS} | {"kwok-controller": "kwok"}


class KwokctlSettings(BaseModel):
    """What stands under ``provider:`` beside its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lease_s: int = Field(default=40, ge=10, description="seconds after which a node that is silent counts as lost")


@dataclass(frozen=True)
class Home:
    """Where a cluster lives. Every process of it has the folder in its environment: that is its mark."""

    folder: Path

    @property
    def mark(self) -> process.Mark:
        """What every process of the cluster carries, and nothing else on the machine."""
        return process.Mark("KWOK_WORKDIR", str(self.folder / "kwok"))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which kwokctl writes."""
        return self.folder / "kubeconfig"


class KwokctlProvider:
    """Five methods, each of which may be called again: after a kill, by another process, on nothing at all."""

    Settings: ClassVar[type[BaseModel]] = KwokctlSettings
    features: ClassVar[frozenset[str]] = FEATURES
    owns_cluster: ClassVar[bool] = True

    def __init__(self, settings: KwokctlSettings) -> None:
        self._settings = settings

    @classmethod
    def refusals(cls, spec: ClusterSpec) -> Mapping[str, str]:
        """Return what of ``cluster:`` it cannot make: an ability, which ``e2e check`` uses to name the line."""
        return {"control_planes": "1: kwokctl makes one"} if spec.control_planes != 1 else {}

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        """Return a cluster whose nodes are ready, and go on with what an earlier call made."""
        home, kubectl = _home(ctx), ctx.binaries.get("kubectl", deadline=ctx.deadline)
        if not self.is_up(ctx):
            self.down(ctx)  # what a killed call left
            with ctx.steps.step("Create cluster"):
                programs = ctx.binaries.ensure(PROGRAMS.values(), deadline=ctx.deadline)
                binaries = [f"--{name}-binary={programs[program]}" for name, program in PROGRAMS.items()]
                wait = f"--wait={max(1, int(ctx.deadline.remaining_s()))}s"
                lease = f"--node-lease-duration-seconds={self._settings.lease_s}"
                self._run(
                    ctx,
                    "create",
                    "cluster",
                    "--runtime=binary",
                    f"--kubeconfig={home.kubeconfig}",
                    wait,
                    lease,
                    *binaries,
                )
                home.kubeconfig.chmod(0o600)
        with ctx.steps.step("Add nodes"):
            self._run(ctx, "scale", "node", f"--replicas={spec.nodes}")
        nodes = self._wait_for_nodes(spec.nodes, ctx)
        version = ctx.binaries.version
        return Cluster(ctx.cluster, home.kubeconfig, version, nodes=nodes, features=FEATURES, kubectl=kubectl)

    def is_up(self, ctx: Context) -> bool:
        """Say whether the API server is ready now."""
        try:
            with _connect(_home(ctx)) as api:
                return api.text("/readyz") == "ok"
        except ProviderError:
            return False

    def dump(self, ctx: Context, dest: Path) -> None:
        """Write logs, objects, events and versions, of what there is by now."""
        logs = {f"control-plane/{log.name}": log for log in (_home(ctx).folder / "kwok").rglob("logs/*.log")}
        dump_cluster(ctx, dest, Source(lambda: _connect(_home(ctx)), logs=logs))

    def down(self, ctx: Context) -> None:
        """Kill the cluster's processes and remove its files."""
        home = _home(ctx)
        process.end(home.mark, deadline=ctx.deadline)
        shutil.rmtree(home.folder / "kwok", ignore_errors=True)
        home.kubeconfig.unlink(missing_ok=True)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List the processes that are still there."""
        living = process.marked(_home(ctx).mark)
        return tuple(Resource("process", process.describe(each)) for each in living)

    def _wait_for_nodes(self, count: int, ctx: Context) -> tuple[str, ...]:
        with ctx.steps.step("Wait for nodes"), _connect(_home(ctx)) as api:
            while len(ready := _ready_nodes(api)) < count:
                process.pause(ctx.deadline, 0.1)  # ends with the deadline
            return ready

    def _run(self, ctx: Context, *words: str) -> None:
        """Run kwokctl with an environment of its own, and never in ours: Jenkins kills what carries its cookies."""
        home, kwokctl = _home(ctx), ctx.binaries.get("kwokctl", deadline=ctx.deadline)
        argv: Sequence[str] = (str(kwokctl), "--name", ctx.cluster, *words)
        env = {"HOME": str(home.folder), "PATH": "/usr/bin:/bin", home.mark.variable: home.mark.value}
        output = home.folder / "kwokctl.log"
        child = process.start(argv, env=env, cwd=home.folder, output=output)
        try:
            code = child.wait(timeout=ctx.deadline.remaining_s())
        except subprocess.TimeoutExpired:
            ctx.deadline.check()
            raise
        finally:
            process.stop(child)
        if code:
            raise ProviderError(f"kwokctl {words[0]} ended with code {code}:\n{process.tail(output, 15)}")


def _home(ctx: Context) -> Home:
    return Home(ctx.folder.resolve())


def _connect(home: Home) -> Api:
    if not home.kubeconfig.exists():
        raise ApiUnreachable("the cluster was never made")
    return Api(home.kubeconfig)


def _ready_nodes(api: Api) -> tuple[str, ...]:
    ready = {"type": "Ready", "status": "True"}
    return tuple(
        node["metadata"]["name"]
        for node in api.get("/api/v1/nodes")["items"]
        if any(ready.items() <= each.items() for each in node["status"].get("conditions", ()))
    )
