"""``python -m tests.support.lab job NAME -- COMMAND…``: boots the machines of a job's config, runs a command, removes them.

The command finds what no config holds, the key and the images, in its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from providers.kubeadm.provider import IMAGES
from providers.releases.sources import sources_from_env
from providers.ssh.access import KEY
from tests.support.lab.images import lab_images
from tests.support.lab.labs import SSH_KEY, open_lab
from tests.support.lab.values import JOB_LAB
from upload.errors import UsageError

CONFIGS = Path(__file__).parent / "configs"


def run_job(name: str, argv: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Run a command beside the machines of a job and return its exit code.

    Raises: UsageError for a config that is not one of the lab's; ProviderError when there can be no lab.
    """
    config = _read(name)
    wanted = {machine["name"]: machine["address"] for machine in config["provider"]["machines"]}
    versions = (config["kubernetes"], config["cluster"].get("upgrade_to"))
    archives = [str(lab_images(version, sources_from_env(env))) for version in versions if version]
    with open_lab(numbers=(JOB_LAB,)) as lab:
        hosts = lab.add(*wanted)
        if wrong := [host.name for host in hosts if wanted[host.name] != host.address]:
            raise UsageError(f"{name}: the machine {wrong[0]} of the lab has another address than in the config")
        given = {**env, KEY: str(lab.folder / SSH_KEY), IMAGES: os.pathsep.join(archives)}
        return _run(argv, given)


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
