"""Somebody's cluster, used as it is: found through a kubeconfig, never created, never deleted. Source: DESIGN section 5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from providers.contracts import Cluster, ClusterSpec, Context, Resource, run_label
from providers.dump import Scope, Source, dump_cluster
from upload.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from providers.api import Api

KUBECONFIG = "kubeconfig"
KUBECTL = "kubectl"
LOOK_S = 0.5  # the cluster is somebody else's: be gentle
FEATURES = frozenset({"pods-run", "hollow-nodes", "dns", "storage"})
HOLLOW = "kwok.x-k8s.io/node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class ExistingSettings(BaseModel):
    """The section ``provider:`` of a config with ``name: existing``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kubeconfig: Path = Field(
        default=Path("~/.kube/config"),
        description="path of the kubeconfig; ~ is the home folder, a relative path starts at the current folder."
        " An exec plugin that it names is run, as kubectl does",
    )
    context: str | None = Field(
        default=None, min_length=1, description="context to use; default: the file's current one"
    )
    allow: frozenset[Literal["cluster_scoped", "disruptive", "preempts", "node_ssh"]] = Field(
        default=frozenset(), description="kinds of cases that may run although they touch more than their namespace"
    )
    dump: Literal["run", "full"] = Field(
        default="run",
        description="run: only the run's namespaces, nodes and versions; full: every object of the cluster",
    )


class ExistingProvider:
    """Uses a cluster that is there and removes from it only what carries the run's label."""

    Settings: ClassVar[type[BaseModel]] = ExistingSettings
    features: ClassVar[frozenset[str]] = FEATURES
    owns_cluster: ClassVar[bool] = False

    def __init__(self, settings: ExistingSettings) -> None:
        self._settings = settings

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead: the versions are its owner's."""
        asked = {"kubelet_version": spec.kubelet_version, "upgrade_to": spec.upgrade_to}
        return {key: "absent: provider existing changes no version" for key, value in asked.items() if value}

    def cluster_version(self, folder: Path) -> str:
        """Return what the cluster says it runs. Raises: UsageError for the file, ProviderError when nothing answers."""
        from providers._kubeconfig import minified
        from providers._private import write_private
        from providers.api import Api

        document = minified(self._settings.kubeconfig.expanduser(), self._settings.context)
        kubeconfig = write_private(folder / "asked", document)
        try:
            with Api(kubeconfig, trust_env=True) as api:
                return str(api.get("/version").get("gitVersion", "unknown"))
        finally:
            kubeconfig.unlink()

    def programs(self, spec: ClusterSpec) -> tuple[str, ...]:
        """Return the client that the suite uses."""
        del spec
        return (KUBECTL,)

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        """Return the facts of the cluster, once it answered. Raises: UsageError for the file, ProviderError else."""
        from providers._kubeconfig import keep_secrets, minified
        from providers._private import write_private
        from providers._usable import takes_pods

        for key, wanted in self.refusals(spec).items():
            raise UsageError(f"provider existing: cluster.{key} must be {wanted}")
        document = minified(self._settings.kubeconfig.expanduser(), self._settings.context)
        # a copy of the one context: whoever switches contexts between up and down must not turn down to another cluster
        kubeconfig = write_private(ctx.folder / KUBECONFIG, document)
        keep_secrets(kubeconfig, ctx.keep_secret)
        with ctx.steps.step("Ask the cluster"), self._connect(ctx) as api:
            try:
                version = str(api.get("/version").get("gitVersion", "unknown"))
                api.text("/readyz")
            except ProviderError as error:
                context = document["current-context"]
                raise ProviderError(
                    f"{error} (context {context!r} of {self._settings.kubeconfig})",
                    hint=f"kubectl --context {context} version",
                ) from error
            nodes = _nodes(api, ctx)
            features = _features(api, nodes)
        return Cluster(
            name=ctx.cluster,
            kubeconfig=kubeconfig,
            version=version,
            nodes=tuple(node["metadata"]["name"] for node in nodes if takes_pods(node)),
            features=features,
            kubectl=ctx.binaries.get(KUBECTL, deadline=ctx.deadline),
            allow=frozenset(self._settings.allow),
        )

    def is_up(self, ctx: Context) -> bool:
        """Say whether the API server of the cluster that ``up`` chose is ready now."""
        if not (ctx.folder / KUBECONFIG).exists():
            return False
        try:
            with self._connect(ctx) as api:
                return api.text("/readyz") == "ok"
        except ProviderError:
            return False

    def dump(self, ctx: Context, dest: Path) -> None:
        """Write objects, events and versions below ``dest``: of the run's namespaces, or of all with ``dump: full``."""
        from providers._kubeconfig import keep_secrets

        keep_secrets(ctx.folder / KUBECONFIG, ctx.keep_secret)  # up may have been another process

        def scope(api: Api) -> Scope:
            from providers._labelled import namespaces

            return Scope() if self._settings.dump == "full" else Scope(namespaces(api, run_label(ctx.run)))

        dump_cluster(ctx, dest, Source(lambda: self._connect(ctx), scope=scope))

    def down(self, ctx: Context) -> None:
        """Delete what carries the run's label and wait until it is gone. The cluster and everything else stay."""
        from providers._labelled import deletable, labelled
        from providers._usable import wait_until

        if not (ctx.folder / KUBECONFIG).exists():  # up was never called, so nothing was made
            return
        value = run_label(ctx.run)
        with ctx.steps.step("Delete labelled objects"), self._connect(ctx) as api:
            kinds = deletable(api, ctx.steps.note)
            asked: set[str] = set()

            def look() -> str:
                living = labelled(api, kinds, value, ctx.steps.note)
                for found in living:
                    if found.path not in asked:
                        api.delete(found.path)
                        asked.add(found.path)
                return ", ".join(f"{found.kind.plural} {found.name}" for found in living)

            wait_until("Delete labelled objects", look, ctx.deadline, every_s=LOOK_S)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List the cluster-scoped objects, namespaces included, that still carry the run's label."""
        from providers._labelled import deletable, labelled

        if not (ctx.folder / KUBECONFIG).exists():
            return ()
        with self._connect(ctx) as api:
            found = labelled(api, deletable(api, ctx.steps.note), run_label(ctx.run), ctx.steps.note)
        return tuple(Resource(each.kind.kind, each.name) for each in found)

    def _connect(self, ctx: Context) -> Api:
        from providers.api import Api

        path = ctx.folder / KUBECONFIG
        if not path.exists():
            raise ProviderError("the cluster was never reached")
        return Api(path, trust_env=True)


def _nodes(api: Api, ctx: Context) -> list[dict[str, Any]]:
    try:
        return [node for page in api.pages("/api/v1/nodes") for node in page]
    except ProviderError as error:  # a user of one namespace may not list nodes, and need not
        ctx.steps.note(f"nodes are unknown: {error}")
        return []


def _features(api: Api, nodes: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return what can be found out by three cheap questions."""
    hollow = [HOLLOW in (node["metadata"].get("annotations") or {}) for node in nodes]
    found = {"hollow-nodes"} if hollow and all(hollow) else {"pods-run"}
    if "pods-run" in found and _answers(api, "/api/v1/namespaces/kube-system/services/kube-dns"):
        found.add("dns")
    if "pods-run" in found and _has_default_class(api):
        found.add("storage")
    return frozenset(found)


def _answers(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ProviderError:
        return False
    return True


def _has_default_class(api: Api) -> bool:
    try:
        classes = [item for page in api.pages("/apis/storage.k8s.io/v1/storageclasses") for item in page]
    except ProviderError:
        return False
    return any((item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for item in classes)
