"""A provider of the lab's hosts, as a job's config would have it, and what a host is like before and after."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from providers import registry
from providers.contracts import Context, Deadline, Provider
from providers.kubeadm.provider import IMAGES
from providers.releases.sources import PINNED, sources_from_env
from providers.releases.versions import resolve
from providers.ssh.access import KEY
from providers.testing import RecordedSteps, make_context
from tests.support.harness import Harness
from tests.support.lab import Lab, LabHost
from tests.support.lab.images import lab_images
from tests.support.lab.job import CONFIGS

STATE = Path(__file__).parents[1] / "support/lab/state.sh"
UP_S = 600.0


def lab_settings(hosts: Sequence[LabHost], **more: Any) -> dict[str, Any]:
    """Return the section ``provider:`` of the lab's config with these hosts as its machines."""
    config = yaml.safe_load((CONFIGS / "ubuntu-lab.yaml").read_text(encoding="utf-8"))
    section = {key: value for key, value in config["provider"].items() if key != "name"}
    machines = [{"name": h.name, "address": h.address, "host_key": h.host_key} for h in hosts]
    return {**section, "machines": machines, "user": hosts[0].user, **more}


def lab_provider(hosts: Sequence[LabHost], **more: Any) -> Provider:
    """Return the provider of these hosts."""
    return registry.make_provider("ubuntu", lab_settings(hosts, **more))


def lab_context(folder: Path, hosts: Sequence[LabHost], *versions: str, seconds: float = UP_S, **given: str) -> Context:
    """Return a context with the lab's images of some versions, the first one's programs, and the hosts' key."""
    sources = sources_from_env(os.environ)
    archives = [str(lab_images(version, sources)) for version in versions or (PINNED,)]
    variables = {KEY: str(hosts[0].key_file), IMAGES: os.pathsep.join(archives), **given}
    binaries = resolve((*versions, PINNED)[0], sources=sources, deadline=Deadline.after(60, "the version"))
    return replace(make_context(folder, binaries, steps=RecordedSteps(), seconds=seconds), variables=variables)


def states(lab: Lab, hosts: Sequence[LabHost]) -> Mapping[str, list[str]]:
    """Return host → what it is like, one fact a line."""
    script = STATE.read_bytes()
    return {host.name: lab.run(host.name, "sh -s", stdin=script, timeout_s=120).splitlines() for host in hosts}


def differences(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """Return what is in one only: ``HOST -fact`` that is gone, ``HOST +fact`` that came."""
    found = []
    for host, facts in before.items():
        gone, came = set(facts) - set(after[host]), set(after[host]) - set(facts)
        found += [f"{host} -{fact}" for fact in sorted(gone)] + [f"{host} +{fact}" for fact in sorted(came)]
    return found


def write_config(
    folder: Path, hosts: Sequence[LabHost], *, nodes: int = 1, cluster: Mapping[str, Any] | None = None, **more: Any
) -> Path:
    """Write the lab's config with these hosts as its machines, and return its path."""
    config = yaml.safe_load((CONFIGS / "ubuntu-lab.yaml").read_text(encoding="utf-8"))
    config["provider"] = {"name": "ubuntu", **lab_settings(hosts)}
    config["cluster"] = {"control_planes": len(hosts) - nodes, "nodes": nodes, **(cluster or {})}
    path = folder / "ubuntu-lab.yaml"
    path.write_text(yaml.safe_dump({**config, **more}), encoding="utf-8")
    return path


def lab_harness(folder: Path, hosts: Sequence[LabHost], *versions: str) -> Harness:
    """Return a harness whose commands find the hosts' key and the lab's images of some versions in their environment."""
    sources = sources_from_env(os.environ)
    variables = {
        **os.environ,
        KEY: str(hosts[0].key_file),
        IMAGES: os.pathsep.join(str(lab_images(version, sources)) for version in versions or (PINNED,)),
        "E2E_STATE_DIR": str(folder / "state"),
    }
    return Harness(folder, variables)
