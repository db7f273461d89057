"""Runs ``e2e`` as a process, with a fake provider and tester that an entry point of a temporary distribution names."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from e2e.lifecycle.folder import RunFolder
from e2e.lifecycle.state import RunState
from tests.support.plugins import install_distribution

FAKES = Path(__file__).parent / "fake_provider"
JOB = "ci-kubernetes-e2e-fake"
PATIENCE_S = 180.0  # where a machine has much else to do, seconds become minutes
SUFFIX = {"build": "60s", "up": "60s", "test": "60s", "dump": "60s", "down": "60s", "publish": "60s", "total": "10m"}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Harness:
    """A folder of its own with everything that ``e2e`` reads and writes."""

    home: Path
    variables: dict[str, str]

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def store(self) -> Path:
        return self.home / "results" / "bucket"

    def write_job(
        self,
        *,
        suite: str = "pass",
        tester: str = "fake",
        attempts: int = 1,
        timeouts: dict[str, str] | None = None,
        kubernetes: str = "v1.36.3",
        around: dict[str, Any] | None = None,
        **provider: Any,
    ) -> Path:
        """Write a config; ``suite``: how the fake tester behaves; ``provider``: how the fake provider does.

        With ``tester="pytest"`` it is the local provider and the real suite, of which ``suite`` selects titles; with
        ``tester="canary"`` the local provider and the suite that plants secrets. ``around``: ``hooks:`` and ``notify:``.
        """
        document = {
            "job": JOB,
            "kubernetes": kubernetes,
            "provider": {"name": "local"} if tester in ("pytest", "canary") else {"name": "fake", **provider},
            "suite": {"tester": tester, "focus": suite, "workers": 2, "flake_attempts": attempts},
            "party": "tests",
            "contact": {"github": "someone", "email": "someone@example.com"},
            "results": {"store": str(self.store)},
            "bucket_prefix": "tests:",
            "dashboard": {"group": "tests", "name": "tests-fake"},
            "defaults": {"timeouts": SUFFIX | (timeouts or {})},
            **(around or {}),
        }
        path = self.home / "fake.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def e2e(self, *argv: str | Path, timeout_s: float = PATIENCE_S) -> Done:
        """Run a command to its end. One that takes too long is ended, and takes its cluster down: AssertionError."""
        process = self.start(*argv)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                _, err = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                _, err = process.communicate()
            raise AssertionError(f"e2e {' '.join(map(str, argv))} took over {timeout_s:g} s:\n{err}") from None
        return Done(process.returncode, out, err)

    def start(self, *argv: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "e2e", *map(str, argv)],
            cwd=self.home,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def folders(self) -> list[RunFolder]:
        """Return every run, oldest first."""
        runs = self.state_dir / "runs"
        return [RunFolder(path) for path in sorted(runs.iterdir())] if runs.is_dir() else []

    def state(self) -> RunState:
        """Return the state of the only run."""
        (folder,) = self.folders()
        return folder.read()

    def wait_for(self, condition: Callable[[RunState], bool], *, patience_s: float = PATIENCE_S) -> RunState:
        """Wait until the only run's state is as wanted."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            for folder in self.folders():
                if (folder.path / "state.json").exists() and condition(state := folder.read()):
                    return state
            time.sleep(0.02)
        raise AssertionError(f"not within {patience_s:g} s: {[folder.read() for folder in self.folders()]}")

    def builds(self) -> list[Path]:
        """Return the folders of the builds in the store, oldest first."""
        job = self.store / "logs" / JOB
        return sorted(path for path in job.iterdir() if path.is_dir()) if job.is_dir() else []

    def finished(self) -> dict[str, Any]:
        """Return the finished.json of the only build."""
        (build,) = self.builds()
        document: dict[str, Any] = json.loads((build / "finished.json").read_text())
        return document

    def strays(self) -> list[str]:
        """Return what still runs of clusters and testers."""
        found = []
        for process in psutil.process_iter():
            try:
                environ = process.environ()
            except (psutil.Error, OSError):
                continue
            ours = [environ.get(name, "") for name in ("FAKE_CLUSTER", "E2E_RUN_FOLDER", "KWOK_WORKDIR")]
            if any(value.startswith(str(self.home)) for value in ours) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        return found


def make_harness(home: Path) -> Harness:
    """Return a harness in an empty folder."""
    site = home / "site"
    for group, entries in (
        ("federated_e2e.providers", {"fake": "fake_plugins:FakeProvider"}),
        (
            "federated_e2e.testers",
            {
                "fake": "fake_plugins:FakeTester",
                "tiny": "fake_plugins:TinyTester",
                "canary": "fake_plugins:CanaryTester",
            },
        ),
    ):
        install_distribution(site, group.replace("_", "-").replace(".", "-"), group=group, entries=entries, modules={})
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    variables = kept | {
        "HOME": str(home / "home"),
        "E2E_STATE_DIR": str(home / "state"),
        "E2E_CACHE_DIR": str(home / "cache"),
        "PYTHONPATH": os.pathsep.join([str(site), str(FAKES)]),
    }
    return Harness(home, variables)


def kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> Done:
    """Send a signal and return how the command ended."""
    process.send_signal(number)
    out, err = process.communicate(timeout=2 * PATIENCE_S)
    return Done(process.returncode, out, err)
