"""What a job config holds once ``party.yaml`` is merged under it. Source: DESIGN section 4.

The models are strict (no text where a number stands, no number where text stands), frozen, and refuse unknown keys.
Field descriptions end up in the JSON Schema and in messages about missing keys.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from providers.config import rules
from providers.config.around import Hooks, Notify
from providers.config.jenkins import Jenkins
from providers.config.rules import expected
from providers.config.schedule import cron_schedule
from providers.config.section import Seconds, Section
from providers.contracts import ClusterSpec
from providers.releases.forms import SOURCE
from providers.releases.skew import SKEWS, plain_version

# preset -> marker expression; a job's own ``select`` is and-ed with it
PRESETS: Final[Mapping[str, str]] = {
    "gating": "not slow and not serial and not disruptive",
    "conformance": "conformance",
    "nightly": "not disruptive",
    "soak": "not serial and not disruptive",
}

GS: Final = "gs://"

_network = lru_cache(maxsize=256)(ipaddress.ip_network)  # most of a thousand configs have the same few

FreeText = Annotated[str, Field(max_length=1000), AfterValidator(rules.free_text)]
TestGridName = Annotated[str, Field(max_length=200), AfterValidator(rules.testgrid_name)]
Emails = Annotated[str, Field(max_length=1000), AfterValidator(rules.emails)]
Kubernetes = Annotated[str, Field(max_length=1000), AfterValidator(rules.kubernetes_marker)]
Cidr = Annotated[str, AfterValidator(rules.cidr)]
Regex = Annotated[str, AfterValidator(rules.regex)]


class Contact(Section):
    """Whom to ask about a job's results."""

    github: Annotated[str, AfterValidator(rules.github_name)] = Field(description="GitHub name of the contact")
    email: Emails = Field(description="e-mail address of the contact")


class Results(Section):
    """Where builds are published: ``<store>/<prefix>/<job>/<build>/``."""

    store: Annotated[str, Field(max_length=1000), AfterValidator(rules.store_uri)] = Field(
        description="store root: gs://bucket[/path], file:///folder, or a folder"
    )
    prefix: Annotated[str, AfterValidator(rules.results_prefix)] = Field(
        default="logs", description="folder of the store that the jobs lie in"
    )

    @property
    def root(self) -> str:
        """The folder of the store that the jobs lie in, with a slash at its end: a key of buckets.yaml."""
        return f"{self.store.rstrip('/')}/{self.prefix}/"

    @property
    def is_public(self) -> bool:
        """Whether others can read the results: they are in a bucket and not in a folder."""
        return self.store.startswith(GS)


class Timeouts(Section):
    """What each lifecycle step may take; ``total`` bounds them together."""

    build_s: Seconds = Field(
        default=30 * 60, alias="build", description="building a checkout; counts with kubernetes: source:DIR only"
    )
    up_s: Seconds = Field(default=30 * 60, alias="up", description="bringing the cluster up")
    test_s: Seconds = Field(default=3 * 3600, alias="test", description="the suite")
    dump_s: Seconds = Field(default=10 * 60, alias="dump", description="collecting logs and objects")
    down_s: Seconds = Field(default=20 * 60, alias="down", description="taking the cluster down")
    publish_s: Seconds = Field(default=10 * 60, alias="publish", description="publishing the results")
    total_s: Seconds = Field(
        default=5 * 3600, alias="total", description="the whole run; at least the sum of the others"
    )

    @model_validator(mode="after")
    def _total_covers_the_steps(self) -> Self:
        self.require_total(self._steps_s, at="total")
        return self

    @property
    def _steps_s(self) -> int:
        return self.up_s + self.test_s + self.dump_s + self.down_s + self.publish_s

    def require_room(self, more_s: int) -> None:
        """Raise an ``expected`` error unless ``total`` has time for ``more_s`` as well."""
        self.require_total(more_s + self._steps_s, at="defaults.timeouts.total")

    def require_total(self, steps_s: int, *, at: str) -> None:
        """Raise an ``expected`` error, of the key ``at``, unless ``total`` has time for these steps."""
        if self.total_s < steps_s:
            wanted = f"at least {rules.duration_text(steps_s)}, the sum of the other timeouts"
            raise expected(wanted, at=at, found=rules.duration_text(self.total_s))


class Defaults(Section):
    """How runs of the job behave unless the command line says otherwise."""

    keep: Literal["never", "on-failure", "always"] = Field(default="never", description="when to leave the cluster up")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="what each step may take")


class ProviderChoice(Section):
    """The provider's name and its own settings. In the file they stand side by side under ``provider:``."""

    name: str = Field(description="an installed provider: local, existing, …")
    settings: dict[str, Any] = Field(default_factory=dict, description="validated by the provider's own Settings")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        own = {key: value for key, value in section.items() if key != "name"}
        return {"name": section["name"], "settings": own} if "name" in section else {"settings": own}

    @model_serializer(mode="wrap")
    def _join(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = handler(self)
        return {"name": plain["name"], **plain["settings"]}


class ClusterShape(Section):
    """The cluster to bring up. ``nodes`` are workers, hollow ones on the local provider."""

    control_planes: int = Field(default=1, ge=1, le=9, description="number of control plane nodes")
    nodes: int = Field(default=2, ge=0, le=5000, description="number of worker nodes")
    pod_cidr: Cidr = Field(default="10.244.0.0/16", description="network of the pods")
    service_cidr: Cidr = Field(default="10.96.0.0/16", description="network of the services, apart from pod_cidr")
    network: Annotated[str, AfterValidator(rules.pod_network)] = Field(
        default="vxlan", description="how pods reach other nodes: vxlan, routes, or the file of a manifest, *.yaml"
    )
    kubelet_version: Kubernetes | None = Field(
        default=None,
        description="version of the nodes' kubelets, as in kubernetes: up to three minor versions older, never newer",
    )
    upgrade_to: Kubernetes | None = Field(
        default=None,
        description="version that the cluster is upgraded to before it is tested, as in kubernetes: of the same or the next"
        " minor version; kubelets come along",
    )

    @model_validator(mode="after")
    def _kubelets_come_along(self) -> Self:
        if self.upgrade_to and self.kubelet_version:
            wanted = "absent beside kubelet_version: an upgrade brings the kubelets along"
            raise expected(wanted, at="upgrade_to", found=self.upgrade_to)
        return self

    @model_validator(mode="after")
    def _networks_stand_apart(self) -> Self:
        pods, services = _network(self.pod_cidr), _network(self.service_cidr)
        wanted = ""
        if pods.version != services.version:
            wanted = f"an IPv{pods.version} network, as pod_cidr is one"
        elif pods.overlaps(services):
            wanted = f"a network apart from pod_cidr {pods}"
        elif services.max_prefixlen - services.prefixlen > 20:
            # kube-apiserver refuses a larger one (cmd/kube-apiserver/app/options/validation.go, maxCIDRBits)
            wanted = f"a network of at most 20 host bits, /{services.max_prefixlen - 20} or smaller"
        if wanted:
            raise expected(wanted, at="service_cidr", found=self.service_cidr)
        return self

    def spec(self) -> ClusterSpec:
        """Return the same as what providers are given."""
        return ClusterSpec(**{key: value for key, value in self.model_dump().items() if value is not None})


class Suite(Section):
    """What is run against the cluster. In the file a tester's own keys stand beside those that all testers share."""

    tester: str = Field(default="pytest", description="an installed tester")
    preset: Literal["gating", "conformance", "nightly", "soak"] = Field(
        default="nightly", description="which cases run"
    )
    select: Annotated[str, AfterValidator(rules.marker_expression)] | None = Field(
        default=None, description="a pytest marker expression, and-ed with the preset's"
    )
    workers: int = Field(default=8, ge=1, le=256, description="how many cases run at a time")
    flake_attempts: int = Field(
        default=1, ge=1, le=10, description="how often a failing case is tried in all; one that then passes is flaky"
    )
    focus: Regex | None = Field(default=None, description="run only cases whose title matches this regular expression")
    skip: Regex | None = Field(default=None, description="leave out cases whose title matches this regular expression")
    settings: dict[str, Any] = Field(default_factory=dict, description="validated by the tester's own Settings")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        own = {key: value for key, value in section.items() if key not in SUITE_KEYS}
        return {**{key: value for key, value in section.items() if key in SUITE_KEYS}, "settings": own}

    @model_serializer(mode="wrap")
    def _join(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = handler(self)
        return {**{key: plain[key] for key in SUITE_KEYS}, **plain["settings"]}

    @field_validator("select")
    @classmethod
    def _names_markers(cls, value: str | None, info: ValidationInfo) -> str | None:
        of_suite = info.data.get("tester") == "pytest"  # others have markers of their own
        return rules.suite_markers(value) if value is not None and of_suite else value

    def expression(self) -> str:
        """Return the marker expression of preset and ``select`` together, for ``pytest -m``."""
        preset = PRESETS[self.preset]
        return f"({preset}) and ({self.select})" if self.select else preset


# the keys of ``suite:`` that all testers share; any other one is for the tester that is named
SUITE_KEYS: Final = tuple(key for key in Suite.model_fields if key != "settings")


class Dashboard(Section):
    """Where TestGrid shows the job. ``tab`` is the job's name unless given."""

    group: TestGridName = Field(description="TestGrid dashboard group")
    name: TestGridName = Field(description="TestGrid dashboard: <group>-<something>")
    tab: TestGridName = Field(description="TestGrid tab")
    site: Annotated[str, AfterValidator(rules.page_address)] | None = Field(
        default=None, description="address of the party's site of results, which runs and Jenkins jobs link"
    )
    alert_email: Emails | None = Field(default=None, description="whom TestGrid and Jenkins tell about failures")
    stale_hours: int = Field(
        default=26, ge=1, le=24 * 366, description="hours without a result after which the tab is stale"
    )

    @model_validator(mode="after")
    def _dashboard_is_of_its_group(self) -> Self:
        if not self.name.startswith(f"{self.group}-"):
            raise expected(f"a name that begins with its group, {self.group}-…", at="name", found=self.name)
        return self


class JobConfig(Section):
    """One job: a cluster, a suite, and where the results go."""

    job: Annotated[str, AfterValidator(rules.job_name)] = Field(
        description="the job's name in the bucket, in Jenkins and in TestGrid"
    )
    description: FreeText = Field(default="", description="one sentence for the dashboards")
    kubernetes: Kubernetes = Field(
        default="pinned",
        description="vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y], pinned, file://DIR, https://DIR or source:DIR",
    )
    provider: ProviderChoice = Field(description="who makes the cluster, with its settings")
    cluster: ClusterShape = Field(default_factory=ClusterShape, description="the cluster to bring up")
    suite: Suite = Field(default_factory=Suite, description="what is run against it")
    schedule: Annotated[str, AfterValidator(cron_schedule)] | None = Field(
        default=None, description='when Jenkins starts it, "H 2 * * *"; without it the job is started by hand'
    )
    party: Annotated[str, AfterValidator(rules.party_name)] = Field(description="short name of whoever runs the tests")
    contact: Contact = Field(description="whom to ask about the results")
    results: Results = Field(description="where builds are published")
    bucket_prefix: Annotated[str, AfterValidator(rules.bucket_prefix)] = Field(
        description="what stands before the party's jobs in test-history, ends in ':'"
    )
    dashboard: Dashboard = Field(description="where TestGrid shows the job")
    defaults: Defaults = Field(default_factory=Defaults, description="keep policy and timeouts")
    jenkins: Jenkins = Field(default_factory=Jenkins, description="how Jenkins runs it")
    hooks: Hooks = Field(default_factory=Hooks, description="commands of the party at fixed points of e2e run")
    notify: Notify = Field(default_factory=Notify, description="who is told once a run is published")

    @model_validator(mode="before")
    @classmethod
    def _tab_is_the_job_unless_given(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        dashboard = values.get("dashboard")
        if not isinstance(dashboard, dict) or "tab" in dashboard:
            return values
        try:
            tab = rules.job_name(str(values.get("job")))
        except ValueError:
            tab = "unnamed"  # the job is refused for its name; its tab would only repeat that
        return {**values, "dashboard": {**dashboard, "tab": tab}}

    @model_validator(mode="after")
    def _versions_go_together(self) -> Self:
        """Check what can be told without asking anybody; the rest is checked once the versions are known."""
        version = plain_version(self.kubernetes)
        for key, wanted_of in SKEWS.items():
            other = getattr(self.cluster, key)
            plain = plain_version(other or "")
            if version and plain and (wanted := wanted_of(version, plain)):
                raise expected(wanted, at=f"cluster.{key}", found=other)
        return self

    @model_validator(mode="after")
    def _total_covers_build_and_hooks(self) -> Self:
        times = self.defaults.timeouts
        times.require_room((times.build_s if self.is_built else 0) + self.hooks.total_s)
        return self

    @property
    def is_built(self) -> bool:
        """Whether Kubernetes is built from a checkout."""
        return self.kubernetes.startswith(SOURCE)

    def to_json(self) -> dict[str, Any]:
        """Return the config as plain JSON values in the form of the YAML file; ``from_json`` is the inverse."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> JobConfig:
        """Return the config that ``to_json`` described. The provider's settings are not looked at again."""
        return cls.model_validate(dict(values))
