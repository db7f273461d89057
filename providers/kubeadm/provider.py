"""A provider of any maker of machines: it takes them, makes a cluster of them with kubeadm, and gives them back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from providers._private import empty
from providers.contracts import Binaries, Cluster, ClusterSpec, Context, MachineMaker, Node, Resource
from providers.kubeadm.plan import API_PORT, KUBECONFIG, ClusterPlan, host_port, new_bootstrap
from providers.kubeadm.settings import KubeadmSettings
from providers.reach import MACHINES, Reach, connected, read_reach, write_reach
from providers.releases.forms import RELEASE
from upload.errors import HarnessError, ProviderError, UsageError, raise_all

if TYPE_CHECKING:
    from providers.api import Api
    from providers.hosts.marker import Marker
    from providers.kubeadm.site import Site

# abilities of a maker that its provider has just as it has them: FindsMarked, LooksAhead, EstimatesCost
PASSED_ON = ("place", "marked", "remove_marked", "preflight", "estimate_cost")
FEATURES = frozenset({"pods-run", "node-ssh", "dns", "services", "csr-signing"})
IMAGES = "E2E_IMAGES"
REPOSITORY = "E2E_IMAGE_REPOSITORY"


class KubeadmProvider:
    """Makes a cluster of the machines of a maker and takes it away again."""

    Settings: ClassVar[type[BaseModel]] = KubeadmSettings
    features: ClassVar[frozenset[str]] = FEATURES
    owns_cluster: ClassVar[bool] = True
    variables: ClassVar[tuple[str, ...]] = (IMAGES, REPOSITORY)

    def __init__(self, maker: MachineMaker, settings: KubeadmSettings) -> None:
        self.maker = maker
        self._settings = settings

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead: what the maker cannot make."""
        ask = getattr(self.maker, "refusals", None)  # ChecksCluster
        found = dict(ask(spec)) if ask else {}
        if spec.manifest and not spec.manifest.is_file():
            found["network"] = "vxlan, routes, or the file of a manifest that is there"
        return found

    def programs(self, spec: ClusterSpec) -> tuple[str, ...]:
        """Return what the machines get, and the client; images come ready made."""
        del spec
        return ("kubeadm", "kubelet", "kubectl")

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        """Return a cluster whose nodes are ready and run pods; goes on where a killed call was.

        Raises: UnfitMachines with every problem of every machine; StepError; UsageError.
        """
        from providers.hosts.boots import note_boot
        from providers.kubeadm import upgrade
        from providers.kubeadm.actions import ACTIONS

        for key, wanted in self.refusals(spec).items():
            raise UsageError(f"cluster.{key} must be {wanted}")
        for version in (ctx.binaries.version, _other(ctx, spec.upgrade_to).version):
            _require_images(ctx, version)
        with ctx.steps.step("Machines"):
            machines = self.maker.ensure(spec, ctx)
            reach = Reach(self.maker.access(ctx), machines)
        with connected(reach, run=ctx.run, folder=ctx.folder) as nodes:
            with ctx.steps.step("Take the machines"):
                # machines that were refused are not there for dump and down, which would fail on them, too
                balanced = self._balanced(spec)
                markers = _take(nodes, spec, ctx, balanced=balanced, on_fit=lambda: write_reach(ctx.folder, reach))
            site = self._site(spec, ctx, reach, markers)
            later = self._upgraded(site, spec)
            if later is None or not upgrade.is_begun(site):
                for name, action in ACTIONS:
                    with ctx.steps.step(name):
                        action(site)
            if later is not None:
                site = later
                with ctx.steps.step(upgrade.WHAT):
                    upgrade.upgrade(site)
            site.each(lambda marker: note_boot(marker.node, deadline=ctx.deadline), "noting boots")
        return Cluster(
            name=ctx.cluster,
            kubeconfig=site.kubeconfig,
            version=site.plan.version,
            nodes=_nodes(ctx),
            features=FEATURES,
            kubectl=site.supplies.binaries.get("kubectl", deadline=ctx.deadline),
            machines=ctx.folder / MACHINES,
        )

    def is_up(self, ctx: Context) -> bool:
        """Say whether the API server is ready now."""
        try:
            with _api(ctx) as api:
                return api.text("/readyz") == "ok"
        except ProviderError:
            return False

    def losses(self, ctx: Context) -> Mapping[str, str]:
        """Return node -> what befell its machine since ``up``: it was booted anew, taken away, or cannot be reached."""
        from providers.hosts.boots import lost

        ask = getattr(self.maker, "losses", None)  # NoticesLosses
        told = dict(ask(ctx)) if ask else {}
        with self._nodes(ctx) as nodes:
            there = [node for node in nodes if node.name not in told]
            return {**lost(there, deadline=ctx.deadline), **told}

    def dump(self, ctx: Context, dest: Path) -> None:
        """Write logs and state of the machines, objects, events and versions below ``dest``, of what there is by now."""
        from providers._kubeconfig import keep_secrets
        from providers.dump import Source, dump_cluster

        keep_secrets(ctx.folder / KUBECONFIG, ctx.keep_secret)  # up may have been another process
        with self._nodes(ctx) if (ctx.folder / MACHINES).exists() else nullcontext(()) as nodes:
            dump_cluster(ctx, dest, Source(lambda: _api(ctx), logs=self._consoles(ctx), nodes=nodes))

    def down(self, ctx: Context) -> None:
        """Remove the machines that were made; undo on every other one what was recorded there."""
        from providers.hosts.taking import give_back

        errors: list[Exception] = []
        try:
            if not self._makes_machines and (ctx.folder / MACHINES).exists():
                with ctx.steps.step("Give the machines back"), self._nodes(ctx) as nodes:
                    give_back(nodes, ctx.run, deadline=ctx.deadline)
        except HarnessError as error:  # keeps no other machine from being removed
            errors.append(error)
        try:
            with ctx.steps.step("Remove machines"):
                self.maker.delete(ctx)
        except HarnessError as error:
            errors.append(error)
        raise_all("taking the machines away", errors)
        empty(ctx.folder)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List machines that carry the run's mark, and what the maker finds."""
        from providers.hosts.taking import still_marked

        marked: tuple[Resource, ...] = ()
        if not self._makes_machines and (ctx.folder / MACHINES).exists():
            with self._nodes(ctx) as nodes:
                marked = still_marked(nodes, ctx.run, deadline=ctx.deadline)
        return (*marked, *self.maker.leftovers(ctx))

    def _consoles(self, ctx: Context) -> Mapping[str, Path]:
        """Return the consoles of machines as the dump names them; that they cannot be had keeps nothing else from it."""
        ask = getattr(self.maker, "consoles", None)  # KeepsConsoles
        try:
            return {f"{node}/serial-console.log": path for node, path in ask(ctx).items()} if ask else {}
        except HarnessError as error:
            ctx.steps.note(f"the consoles of the machines cannot be had: {error}")
            return {}

    @property
    def _makes_machines(self) -> bool:
        return bool(getattr(self.maker, "makes_machines", False))  # MakesMachines

    @contextmanager
    def _nodes(self, ctx: Context) -> Iterator[tuple[Node, ...]]:
        """Give the machines that ``up`` wrote down."""
        known = read_reach(ctx.folder / MACHINES, ctx.variables)
        with connected(known, run=ctx.run, folder=ctx.folder) as nodes:
            yield nodes

    def _balanced(self, spec: ClusterSpec) -> bool:
        """Say whether the endpoint of several control planes is served by the first machine."""
        return self._wants_endpoint(spec) and not hasattr(self.maker, "balance")

    def _wants_endpoint(self, spec: ClusterSpec) -> bool:
        return not self._settings.control_plane_endpoint and spec.control_planes > 1

    def _widen(self, spec: ClusterSpec, ctx: Context) -> Callable[[Sequence[str]], str] | None:
        """Return what has control planes stand behind the maker's address; None where there is none."""
        balance = getattr(self.maker, "balance", None)  # BalancesApi
        if balance is None or not self._wants_endpoint(spec):
            return None
        return lambda names: str(balance(names, spec, ctx))

    def _site(self, spec: ClusterSpec, ctx: Context, reach: Reach, markers: Mapping[str, Marker]) -> Site:
        from providers.kubeadm import balancer
        from providers.kubeadm.site import Site, Supplies

        bootstrap = new_bootstrap()
        for secret in (bootstrap.token, bootstrap.token_secret, bootstrap.certificate_key):
            ctx.keep_secret(secret)
        first = reach.machines[0]
        balanced, widen = self._balanced(spec), self._widen(spec, ctx)
        given = self._settings.control_plane_endpoint
        if widen:
            with ctx.steps.step("Address of the control planes"):
                given = host_port(widen([first.name]), API_PORT)
        port = balancer.PORT if balanced else API_PORT
        server = given or host_port(first.endpoint.host, port)
        names = {machine.endpoint.host for machine in reach.machines if machine.role == "control-plane"}
        plan = ClusterPlan(
            version=ctx.binaries.version,
            endpoint=given or host_port(first.address, port),
            balanced=balanced,
            pod_cidr=spec.pod_cidr,
            service_cidr=spec.service_cidr,
            network=spec.network,
            manifest=spec.manifest,
            names=tuple(sorted(names)),
            repository=ctx.variables.get(REPOSITORY, ""),
            tainted=spec.nodes > 0,
            patches={str(kind): patch for kind, patch in self._settings.patches.items()},
        )
        supplies = Supplies(
            binaries=ctx.binaries,
            kubelet=_other(ctx, spec.kubelet_version),
            archives=_archives(ctx),
            fetched=self._settings.programs == "fetched",
        )
        return Site(plan, ctx, markers, supplies, server, bootstrap, widen)

    def _upgraded(self, site: Site, spec: ClusterSpec) -> Site | None:
        """Return the same machines with the version that they are upgraded to, or None."""
        if not spec.upgrade_to:
            return None
        binaries = _other(site.ctx, spec.upgrade_to)
        return replace(
            site,
            plan=replace(site.plan, version=binaries.version),
            supplies=replace(site.supplies, binaries=binaries, kubelet=binaries),
        )


def provider_of(maker: Any) -> type[KubeadmProvider]:
    """Return the provider's class of a maker's class, as an entry point of ``federated_e2e.machines`` names it."""

    class Made(KubeadmProvider):
        Settings = maker.Settings
        variables = (*KubeadmProvider.variables, *getattr(maker, "variables", ()))

        def __init__(self, settings: KubeadmSettings) -> None:
            super().__init__(maker(settings), settings)

    for ability in PASSED_ON:
        if hasattr(maker, ability):
            setattr(Made, ability, _passed_on(ability))
    return Made


def _passed_on(ability: str) -> Callable[..., Any]:
    def ask(self: KubeadmProvider, *given: Any) -> Any:
        return getattr(self.maker, ability)(*given)

    return ask


def _take(
    nodes: Sequence[Node], spec: ClusterSpec, ctx: Context, *, balanced: bool, on_fit: Callable[[], object]
) -> Mapping[str, Marker]:
    from providers.hosts.owner import Owner
    from providers.hosts.preflight import Wanted
    from providers.hosts.taking import take
    from providers.kubeadm import balancer, pod_script

    owner = Owner(ctx.run, ctx.owner, int(time.time()), ctx.expires_s)
    wanted = Wanted(
        vxlan=pod_script.PORT if spec.network == "vxlan" else None,
        ports={nodes[0].name: (balancer.PORT,)} if balanced else {},
    )
    return take(nodes, owner, deadline=ctx.deadline, wanted=wanted, on_fit=on_fit)


def _require_images(ctx: Context, version: str) -> None:
    """Raise UsageError where the images of a version are not in the archives that are given, or are published nowhere."""
    from providers.releases.images import archived_names, component

    if archives := _archives(ctx):
        tag = version.replace("+", "_")  # as kubeadm writes it
        names = {name for archive in archives for name in archived_names(archive) if name.endswith(f":{tag}")}
        if "kube-apiserver" not in map(component, names):
            told = ", ".join(map(str, archives))
            raise UsageError(f"{told}: no images of {version}", hint=f"export {IMAGES}=one.tar{os.pathsep}other.tar")
        return
    if RELEASE.fullmatch(version) or ctx.variables.get(REPOSITORY):
        return
    what = f"the images of {version} are published nowhere"
    raise UsageError(
        what, hint=f"build them, and export {IMAGES}=/path/to/images.tar   or {REPOSITORY}=registry.example/k8s"
    )


def _archives(ctx: Context) -> tuple[Path, ...]:
    return tuple(Path(each) for each in ctx.variables.get(IMAGES, "").split(os.pathsep) if each)


def _api(ctx: Context) -> Api:
    from providers.api import Api, ApiUnreachable

    kubeconfig = ctx.folder / KUBECONFIG
    if not kubeconfig.exists():
        raise ApiUnreachable("the control plane was never made")
    return Api(kubeconfig)


def _nodes(ctx: Context) -> tuple[str, ...]:
    """Return the names of the nodes that take ordinary pods."""
    from providers._usable import takes_pods

    with _api(ctx) as api:
        return tuple(n["metadata"]["name"] for page in api.pages("/api/v1/nodes") for n in page if takes_pods(n))


def _other(ctx: Context, version: str) -> Binaries:
    return ctx.binaries.other(version, deadline=ctx.deadline) if version else ctx.binaries
