"""``python -m tests.support.lab job NAME -- COMMAND…``: boots the machines of a job's config, runs a command, removes them.

The command finds what no config holds, the key or the cloud and the images, in its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from providers.kubeadm.provider import IMAGES
from providers.releases.sources import sources_from_env
from providers.ssh.access import KEY
from tests.support.clouds.behind import CLOUDS
from tests.support.lab.images import lab_images
from tests.support.lab.labs import SSH_KEY, Lab, open_lab
from tests.support.lab.values import JOB_LAB
from upload.errors import UsageError

CONFIGS = Path(__file__).parent / "configs"


def run_job(name: str, argv: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Run a command beside the machines of a job and return its exit code.

    Raises: UsageError for a config that is not one of the lab's; ProviderError when there can be no lab.
    """
    config = _read(name)
    versions = (config["kubernetes"], config["cluster"].get("upgrade_to"))
    archives = [str(lab_images(version, sources_from_env(env))) for version in versions if version]
    with open_lab(numbers=(JOB_LAB,)) as lab, _machines(name, config["provider"], lab) as given:
        return _run(argv, {**env, IMAGES: os.pathsep.join(archives), **given})


@contextmanager
def _machines(name: str, provider: Mapping[str, Any], lab: Lab) -> Iterator[Mapping[str, str]]:
    """Give the variables under which a provider finds its machines: hosts that are there, or a cloud that boots them."""
    if provider["name"] in CLOUDS:
        with CLOUDS[provider["name"]](lab) as (_, given):
            yield given
        return
    wanted = {machine["name"]: machine["address"] for machine in provider["machines"]}
    hosts = lab.add(*wanted)
    if wrong := [host.name for host in hosts if wanted[host.name] != host.address]:
        raise UsageError(f"{name}: the machine {wrong[0]} of the lab has another address than in the config")
    yield {KEY: str(lab.folder / SSH_KEY)}


def _read(name: str) -> dict[str, Any]:
    path = CONFIGS / f"{name}.yaml"
    try:
        document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror}") from exc
    return document


def _run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command to its end: signals are its business, and it takes its cluster down before it leaves."""
    child = subprocess.Popen(argv, env=dict(env))
    for number in (signal.SIGINT, signal.SIGTERM):
        # a terminal's Ctrl-C reaches the command by itself
        signal.signal(number, lambda which, _frame: child.send_signal(which) if which == signal.SIGTERM else None)
    return child.wait()
