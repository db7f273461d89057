"""What ``tests/sabotage`` switches off: for each value of ``depends(...)`` a cluster that lacks exactly this part."""

from __future__ import annotations

from dataclasses import dataclass

from providers.local import LocalSettings


@dataclass(frozen=True)
class Sabotage:
    """A part of the cluster that is switched off: ``part`` as ``depends(...)`` names it.

    ``useless``: parts that run and can do nothing without it.
    """

    part: str
    settings: LocalSettings
    useless: frozenset[str] = frozenset()


def without_controller(name: str, *useless: str) -> Sabotage:
    args = {"kube-controller-manager": {"args": {"controllers": f"*,-{name}"}}}
    return Sabotage(name, LocalSettings.model_validate({"components": args}), frozenset(useless))


def without_scheduler() -> Sabotage:
    return Sabotage(
        "kube-scheduler", LocalSettings.model_validate({"components": {"kube-scheduler": {"disabled": True}}})
    )


SABOTAGES = (
    without_scheduler(),
    # new nodes keep the taint not-ready, so that no pod finds a place
    without_controller("node-lifecycle-controller", "kube-scheduler"),
    *(
        without_controller(name)
        for name in (
            "certificatesigningrequest-signing-controller",
            "clusterrole-aggregation-controller",
            "cronjob-controller",
            "daemonset-controller",
            "deployment-controller",
            "disruption-controller",
            "endpointslice-controller",
            "endpointslice-mirroring-controller",
            "garbage-collector-controller",
            "job-controller",
            "namespace-controller",
            "replicaset-controller",
            "resourcequota-controller",
            "root-ca-certificate-publisher-controller",
            "statefulset-controller",
            "taint-eviction-controller",
            "ttl-after-finished-controller",
            "validatingadmissionpolicy-status-controller",
        )
    ),
)
# what `make test` tries too, without the slow cases
SAMPLE = frozenset({"replicaset-controller"})
