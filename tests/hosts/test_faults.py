"""Faults while a cluster is made, on real hosts: what is told, that ``up`` goes on afterwards, and that nothing is left."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from providers.contracts import ClusterSpec, Context, Provider
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.hosts.faults import BreakAt
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts
from upload.errors import HarnessError, StepError

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]

FILL = 'fallocate -l "$(($(df --output=avail -B1 /var/lib | tail -n 1) - 20000000))" /var/lib/fill'
# what arrives as kubelet has another first byte: mv is the last to touch it
SPOIL = r"""cat > /usr/local/bin/mv <<'END'
#!/bin/sh
/bin/mv "$@"
case "$*" in */kubelet) printf X | dd of=/usr/local/bin/kubelet conv=notrunc status=none ;; esac
END
chmod +x /usr/local/bin/mv"""


def failure(provider: Provider, spec: ClusterSpec, context: Context) -> HarnessError:
    """Return what ``up`` fails with."""
    with pytest.raises(HarnessError) as caught:
        provider.up(spec, context)
    return caught.value


def end(lab: Lab, provider: Provider, context: Context, before: Mapping[str, list[str]]) -> None:
    """Take down, and see that the machines are as they were."""
    provider.down(context)
    assert provider.leftovers(context) == ()
    left = differences(before, states(lab, lab.hosts))
    assert left == [], "\n".join(left)


def test_a_full_disk_is_told_and_up_goes_on_when_there_is_room(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    before = states(host_lab, hosts)
    spec, provider, context = ClusterSpec(nodes=0), lab_provider(hosts), lab_context(tmp_path / "c1", hosts)

    error = failure(
        provider, spec, replace(context, steps=BreakAt(at="Images", fault=lambda: host_lab.run("h1", FILL)))
    )
    host_lab.run("h1", "rm /var/lib/fill")

    assert isinstance(error, StepError), repr(error)
    assert (error.step, error.node) == ("Images", "h1")
    assert "no space left on device" in str(error).lower()
    assert "df" in error.hint
    assert provider.up(spec, context).nodes == ("h1",)
    end(host_lab, provider, context, before)


def test_a_program_that_arrives_changed_is_told(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(1)
    host_lab.run("h1", SPOIL)
    before = states(host_lab, hosts)
    spec, provider, context = ClusterSpec(nodes=0), lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    with context.binaries.get("kubelet", deadline=context.deadline).open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()

    error = failure(provider, spec, context)

    assert isinstance(error, StepError), repr(error)
    assert (error.step, error.node) == ("Install Kubernetes", "h1")
    assert "/usr/local/bin/kubelet arrived with the SHA-256 " in str(error)
    assert f", not {wanted}: " in str(error)
    assert error.hint
    end(host_lab, provider, context, before)
