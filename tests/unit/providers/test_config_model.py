"""The model: defaults, strictness, the rules between fields, and the way to JSON and back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers.config.model import ClusterShape, JobConfig, Suite, Timeouts
from providers.contracts import ClusterSpec


def minimal(**more: Any) -> dict[str, Any]:
    return {
        "job": "ci-x",
        "provider": {"name": "local"},
        "party": "example",
        "contact": {"github": "someone", "email": "team@example.com"},
        "results": {"store": "gs://example-e2e"},
        "bucket_prefix": "example:",
        "dashboard": {"group": "provider", "name": "provider-example"},
        **more,
    }


def errors(values: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str, str]]:
    with pytest.raises(ValidationError) as caught:
        JobConfig.model_validate(values)
    found = caught.value.errors(include_url=False)
    return [(e["loc"], e["type"], e.get("ctx", {}).get("expected", "")) for e in found]


def test_minimal_job_gets_the_documented_defaults() -> None:
    config = JobConfig.model_validate(minimal())

    assert config.to_json() == {
        "job": "ci-x",
        "description": "",
        "kubernetes": "pinned",
        "provider": {"name": "local"},
        "cluster": {
            "control_planes": 1,
            "nodes": 2,
            "pod_cidr": "10.244.0.0/16",
            "service_cidr": "10.96.0.0/16",
            "network": "vxlan",
            "kubelet_version": None,
            "upgrade_to": None,
        },
        "suite": {
            "tester": "pytest",
            "preset": "nightly",
            "select": None,
            "workers": 8,
            "flake_attempts": 1,
            "focus": None,
            "skip": None,
        },
        "schedule": None,
        "party": "example",
        "contact": {"github": "someone", "email": "team@example.com"},
        "results": {"store": "gs://example-e2e", "prefix": "logs"},
        "bucket_prefix": "example:",
        "dashboard": {
            "group": "provider",
            "name": "provider-example",
            "tab": "ci-x",
            "site": None,
            "alert_email": None,
            "stale_hours": 26,
        },
        "hooks": dict.fromkeys(("before_up", "after_up", "before_test", "after_test", "before_down")),
        "notify": {"on_failure": None, "webhook": "never"},
        "jenkins": {
            "label": "e2e",
            "credentials": {},
            "packages": [],
            "repository": None,
            "branch": "main",
            "pull_label": "e2e-pull",
            "keep_days": 60,
        },
        "defaults": {
            "keep": "never",
            "timeouts": {
                "build": "30m",
                "up": "30m",
                "test": "3h",
                "dump": "10m",
                "down": "20m",
                "publish": "10m",
                "total": "5h",
            },
        },
    }


def test_config_comes_back_from_its_json() -> None:
    settings = {"components": {"x": {"args": {"a": 1}}}, "allow": ["a"], "settings": {"name": "inner"}}
    config = JobConfig.model_validate(
        minimal(
            provider={"name": "other", **settings},
            defaults={"keep": "always", "timeouts": {"up": "1h1m1s"}},
            suite={"select": "not slow", "focus": r"\[sig-apps\]"},
            schedule="H 2 * * *",
        )
    )

    assert (config.provider.name, config.provider.settings) == ("other", settings)
    assert config.defaults.timeouts.up_s == 3661
    assert JobConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        pytest.param({"nodes": 3}, (("nodes",), "extra_forbidden", ""), id="unknown key"),
        pytest.param({"cluster": {"nodes": "3"}}, (("cluster", "nodes"), "int_type", ""), id="text for a number"),
        pytest.param({"cluster": {"nodes": True}}, (("cluster", "nodes"), "int_type", ""), id="boolean for a number"),
        pytest.param({"cluster": {"nodes": 2.0}}, (("cluster", "nodes"), "int_type", ""), id="fraction for a number"),
        pytest.param({"cluster": {"nodes": 5001}}, (("cluster", "nodes"), "less_than_equal", ""), id="too many nodes"),
        pytest.param({"cluster": {"nodes": -1}}, (("cluster", "nodes"), "greater_than_equal", ""), id="negative nodes"),
        pytest.param({"cluster": None}, (("cluster",), "model_type", ""), id="nothing for a mapping"),
        pytest.param({"cluster": []}, (("cluster",), "model_type", ""), id="list for a mapping"),
        pytest.param({"provider": "local"}, (("provider",), "model_type", ""), id="text for a provider"),
        pytest.param({"provider": {"size": 1}}, (("provider", "name"), "missing", ""), id="provider without a name"),
        pytest.param({"provider": {"name": 1}}, (("provider", "name"), "string_type", ""), id="provider named 1"),
        pytest.param({"kubernetes": 1.36}, (("kubernetes",), "string_type", ""), id="version that is a number"),
        pytest.param({"suite": {"workers": 0}}, (("suite", "workers"), "greater_than_equal", ""), id="no workers"),
        pytest.param(
            {"suite": {"preset": "all"}},
            (("suite", "preset"), "literal_error", "'gating', 'conformance', 'nightly' or 'soak'"),
            id="unknown preset",
        ),
        pytest.param(
            {"cluster": {"service_cidr": "10.244.8.0/24"}},
            (("cluster",), "expected", "a network apart from pod_cidr 10.244.0.0/16"),
            id="networks overlap",
        ),
        pytest.param(
            {"cluster": {"service_cidr": "fd00::/112"}},
            (("cluster",), "expected", "an IPv4 network, as pod_cidr is one"),
            id="networks of two families",
        ),
        pytest.param(
            {"cluster": {"service_cidr": "11.0.0.0/8"}},
            (("cluster",), "expected", "a network of at most 20 host bits, /12 or smaller"),
            id="service network too large",
        ),
        pytest.param(
            {"defaults": {"timeouts": {"total": "4h9m59s"}}},
            (("defaults", "timeouts"), "expected", "at least 4h10m, the sum of the other timeouts"),
            id="total below the sum",
        ),
        pytest.param(
            {"kubernetes": "v1.36.3", "cluster": {"kubelet_version": "v1.32.9"}},
            ((), "expected", "a kubelet of v1.33 to v1.36 for a cluster of v1.36.3"),
            id="kubelet too old",
        ),
        pytest.param(
            {"kubernetes": "v1.35.4", "cluster": {"kubelet_version": "pinned"}},
            ((), "expected", "a kubelet of v1.32 to v1.35 for a cluster of v1.35.4"),
            id="kubelet newer",
        ),
        pytest.param(
            {"kubernetes": "v1.35.4", "cluster": {"upgrade_to": "v1.37.0"}},
            ((), "expected", "v1.35.4 or newer, at most v1.36"),
            id="upgrade too far",
        ),
        pytest.param(
            {"kubernetes": "v1.35.4", "cluster": {"upgrade_to": "v1.36.3", "kubelet_version": "v1.35.4"}},
            (("cluster",), "expected", "absent beside kubelet_version: an upgrade brings the kubelets along"),
            id="upgrade beside kubelets",
        ),
        pytest.param(
            {"cluster": {"network": "vxlam"}},
            (("cluster", "network"), "expected", "vxlan, routes, or the file of a manifest, *.yaml"),
            id="network of no kind",
        ),
        pytest.param(
            {"cluster": {"kubelet_version": "1.35.4"}},
            (
                ("cluster", "kubelet_version"),
                "expected",
                "vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y], pinned, file://DIR, https://DIR or source:DIR",
            ),
            id="kubelet of no form",
        ),
        pytest.param(
            {"kubernetes": "source:/src/kubernetes", "defaults": {"timeouts": {"total": "4h30m"}}},
            ((), "expected", "at least 4h40m, the sum of the other timeouts"),
            id="total below the sum with the build",
        ),
        pytest.param(
            {"dashboard": {"group": "provider", "name": "sig-x"}},
            (("dashboard",), "expected", "a name that begins with its group, provider-…"),
            id="dashboard of another group",
        ),
        pytest.param(
            {"dashboard": {"group": "provider", "name": "provider-x", "tab": "Summary"}},
            (
                ("dashboard", "tab"),
                "expected",
                "a TestGrid name that does not begin with dashboard, alerter, summary or bugs",
            ),
            id="reserved tab",
        ),
    ],
)
def test_wrong_value_is_the_one_error(more: dict[str, Any], wrong: tuple[object, ...]) -> None:
    assert errors(minimal(**more)) == [wrong]


def test_everything_missing_is_named_at_once() -> None:
    wanted = ("job", "provider", "party", "contact", "results", "bucket_prefix", "dashboard")

    assert errors({}) == [((key,), "missing", "") for key in wanted]


def test_total_that_is_just_the_sum_is_enough() -> None:
    assert Timeouts.model_validate({"total": "4h10m"}).total_s == 15000


def test_cluster_becomes_what_providers_are_given() -> None:
    shape = ClusterShape(control_planes=3, nodes=5, network="routes")

    assert shape.spec() == ClusterSpec(3, 5, "10.244.0.0/16", "10.96.0.0/16", "routes")


@pytest.mark.parametrize(
    ("suite", "expression"),
    [
        (Suite(preset="conformance"), "conformance"),
        (Suite(preset="nightly", select="slow or serial"), "(not disruptive) and (slow or serial)"),
        (Suite(preset="gating"), "not slow and not serial and not disruptive"),
    ],
    ids=["preset alone", "preset and select", "gating"],
)
def test_select_narrows_the_preset(suite: Suite, expression: str) -> None:
    assert suite.expression() == expression


@pytest.mark.parametrize(
    "versions",
    [
        pytest.param(("v1.36.3", {"kubelet_version": "v1.33.5"}), id="plain-kubelet"),
        pytest.param(("v1.36.3", {"upgrade_to": "v1.37.0"}), id="plain-upgrade"),
        pytest.param(("release/stable", {"kubelet_version": "v1.20.0"}), id="cluster not known yet"),
        pytest.param(("v1.36.3", {"kubelet_version": "release/stable-1.20"}), id="kubelet not known yet"),
        pytest.param(("v1.36.3", {"upgrade_to": "ci/latest"}), id="upgrade not known yet"),
    ],
)
def test_versions_that_go_together_or_are_not_known_yet_are_what_providers_get(
    versions: tuple[str, dict[str, str]],
) -> None:
    kubernetes, cluster = versions

    config = JobConfig.model_validate(minimal(kubernetes=kubernetes, cluster=cluster))

    assert config.cluster.spec() == ClusterSpec(**cluster)  # type: ignore[arg-type]  # mypy takes it for any of the fields
    assert JobConfig.from_json(config.to_json()) == config


def test_the_total_has_time_for_the_hooks() -> None:
    hook = {"command": ["x"], "timeout": "51m"}

    assert errors(minimal(hooks={"before_up": hook})) == [
        ((), "expected", "at least 5h1m, the sum of the other timeouts")
    ]
    assert JobConfig.model_validate(minimal(hooks={"before_up": hook | {"timeout": "50m"}})).hooks.total_s == 3000


@pytest.mark.parametrize("command", [[], "x", [1], ["a\0b"]], ids=["empty", "text", "number", "NUL"])
def test_a_hook_is_a_program_with_arguments(command: object) -> None:
    ((loc, *_),) = errors(minimal(hooks={"after_test": {"command": command}}))

    assert loc[:3] == ("hooks", "after_test", "command")
