"""What the local provider costs beyond the launcher that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from providers.contracts import Binaries, Deadline
from providers.kwok import NEEDED, PORTS_NEEDED, Home, Plan, configuration, free_ports
from providers.local import LocalProvider, LocalSettings
from providers.testing import FolderBinaries, make_context
from tests.support.cluster import binaries  # noqa: F401  # a fixture

UP_AT_MOST = 1.3  # of `kwokctl create cluster` with the same programs
ROUNDS = 5


def ours_s(folder: Path) -> float:
    """Return the seconds of ``e2e up local`` as a user types it: until it has printed the run and is gone."""
    folder.mkdir()
    variables = {**os.environ, "E2E_STATE_DIR": str(folder / "state")}
    argv = [str(Path(sys.executable).with_name("e2e"))]
    start = time.perf_counter()
    up = subprocess.run([*argv, "up", "local"], cwd=folder, env=variables, capture_output=True, timeout=120, check=True)
    spent = time.perf_counter() - start
    subprocess.run(
        [*argv, "down", up.stdout.strip()],
        cwd=folder,
        env=variables,
        stderr=subprocess.DEVNULL,
        timeout=120,
        check=True,
    )
    return spent


def kwokctl_s(folder: Path, programs: FolderBinaries, *flags: str) -> float:
    """Return the seconds of ``kwokctl create cluster`` as its users run it, but for the paths of the programs."""
    home = Home(folder, "c1")
    home.workdir.mkdir(parents=True)
    paths = {name: programs.folder / name for name in NEEDED}
    document = yaml.safe_load(
        configuration(Plan(programs.version, paths, "10.96.0.0/16"), home, free_ports(PORTS_NEEDED))
    )
    del document["componentsPatches"]
    home.config.write_text(yaml.safe_dump(document))
    argv = [
        str(paths["kwokctl"]),
        "--name",
        "c1",
        "--config",
        str(home.config),
        "create",
        "cluster",
        "--kubeconfig",
        "",
    ]
    start = time.perf_counter()
    subprocess.run([*argv, *flags], env=home.environment(), stderr=subprocess.DEVNULL, timeout=120, check=True)
    spent = time.perf_counter() - start
    LocalProvider(LocalSettings()).down(make_context(folder, programs))
    return spent


def test_up_against_kwokctl(record_ratio, binaries: Binaries) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    with tempfile.TemporaryDirectory() as scratch:
        programs = FolderBinaries(Path(scratch) / "programs", binaries.version)
        programs.folder.mkdir()
        for name in NEEDED:
            (programs.folder / name).symlink_to(binaries.get(name, deadline=Deadline.after(600, "programs")))
        rounds = [
            (
                ours_s(Path(scratch) / f"ours-{number}"),
                kwokctl_s(Path(scratch) / f"bare-{number}", programs),
                kwokctl_s(Path(scratch) / f"ready-{number}", programs, "--wait", "1m"),
            )
            for number in range(ROUNDS)
        ]

    # kwokctl returns when /version answers; we wait for nodes and service accounts too, as its --wait nearly does
    record_ratio("e2e up local / kwokctl create cluster", [(ours, bare) for ours, bare, _ in rounds], UP_AT_MOST)
    record_ratio(
        "e2e up local / kwokctl create cluster --wait", [(ours, ready) for ours, _, ready in rounds], UP_AT_MOST
    )
