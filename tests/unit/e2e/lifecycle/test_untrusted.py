"""What a config of a pull request may have, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.lifecycle.untrusted import refuse_trust
from providers.config import JobConfig
from upload.errors import UsageError

PLAIN: dict[str, Any] = {
    "job": "ci-kubernetes-e2e-mine",
    "kubernetes": "pinned",
    "provider": {"name": "local"},
    "party": "tests",
    "contact": {"github": "someone", "email": "someone@example.com"},
    "results": {"store": "gs://tests-e2e"},
    "bucket_prefix": "tests:",
    "dashboard": {"group": "tests", "name": "tests-fake"},
}


@pytest.mark.parametrize("version", ["pinned", "v1.36.3", "release/stable-1.36", "ci/latest"])
def test_config_of_released_programs_and_our_suite_may_run(version: str) -> None:
    refuse_trust(JobConfig.model_validate(PLAIN | {"kubernetes": version}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"provider": {"name": "existing", "kubeconfig": "k"}}, "provider existing"),
        ({"provider": {"name": "gce"}}, "provider gce"),
        ({"provider": {"name": "local", "components": {"etcd": {}}}}, "settings of the provider (components)"),
        ({"suite": {"tester": "command", "command": ["sh"]}}, "tester command"),
        ({"kubernetes": "source:/home/me/kubernetes"}, "kubernetes source:/home/me/kubernetes"),
        ({"kubernetes": "file:///srv/x"}, "kubernetes file:///srv/x"),
        ({"kubernetes": "https://example.com/x"}, "kubernetes https://example.com/x"),
        ({"cluster": {"kubelet_version": "file:///srv/x"}}, "cluster.kubelet_version file:///srv/x"),
        ({"cluster": {"upgrade_to": "https://example.com/x"}}, "cluster.upgrade_to https://example.com/x"),
        ({"hooks": {"after_up": {"command": ["sh"]}}}, "hooks"),
        ({"notify": {"on_failure": {"command": ["sh"]}}}, "notify"),
        ({"notify": {"webhook": "always"}}, "notify"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_config_that_executes_or_needs_credentials_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_trust(JobConfig.model_validate(PLAIN | change))

    assert str(refused.value) == f"an untrusted config must not have {told}"


def test_everything_that_is_refused_is_told_at_once() -> None:
    config = PLAIN | {"provider": {"name": "gce"}, "suite": {"tester": "command"}, "notify": {"webhook": "always"}}

    with pytest.raises(UsageError, match="must not have provider gce, tester command, notify"):
        refuse_trust(JobConfig.model_validate(config))
