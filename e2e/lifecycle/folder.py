"""The private folder of one run: locked by one process at a time, its state written whole or not at all.

<state>/runs/<RUN>/state.json         RunState
                   lock               who works on it: locked with flock, so a killed holder frees it
                   secrets.jsonl      values that must never be published, one JSON string a line
                   cluster/c1/        the provider's own (Context.folder)
                   cluster/c1.json    the facts of the cluster that is up (Cluster.to_json)
                   work/              where testers run
                   built/             programs of a checkout, until its cluster is gone
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from e2e.lifecycle.state import RunState
from providers.contracts import Cluster
from providers.locks import try_lock
from upload.errors import HarnessError, UsageError

STATE = "state.json"
LOCK = "lock"
SECRETS = "secrets.jsonl"
LOOKS, LOOK_S = 5, 0.05


class RunFolder:
    """One run on disk. Reading needs no lock; whoever changes it holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """RUN."""
        return self.path.name

    @property
    def secrets_file(self) -> Path:
        """Where secret values are collected."""
        return self.path / SECRETS

    @property
    def work(self) -> Path:
        """Where testers run and leave what is nobody's result."""
        return self.path / "work"

    @property
    def built(self) -> Path:
        """Where the programs of a checkout are kept."""
        return self.path / "built"

    def cluster_folder(self, cluster: str) -> Path:
        """Return the provider's private folder of one cluster."""
        return self.path / "cluster" / cluster

    def cluster_file(self, cluster: str) -> Path:
        """Return the file with the facts of one cluster, for testers."""
        return self.path / "cluster" / f"{cluster}.json"

    def rename(self, name: str) -> None:
        """Give the run another name; the lock goes with it. Raises UsageError when there is such a run."""
        new = self.path.with_name(name)
        try:
            self.path.rename(new)
        except OSError as exc:
            raise UsageError(f"there is a run {name} already", hint=f"e2e status {name}") from exc
        self.path = new

    def read(self) -> RunState:
        """Return the state. Raises UsageError when there is none, or none that can be read."""
        try:
            return RunState.from_json(json.loads((self.path / STATE).read_text(encoding="utf-8")))
        except FileNotFoundError as exc:
            raise UsageError(f"there is no run {self.name}", hint="e2e status") from exc
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise UsageError(f"the state of {self.name} cannot be read: {exc}", hint=f"look at {self.path}") from exc

    def write(self, state: RunState) -> None:
        """Replace the state on disk: after a crash the old one or the new one is there, whole."""
        write_private(self.path / STATE, json.dumps(state.to_json(), indent=1).encode())

    def read_cluster(self, cluster: str) -> Cluster | None:
        """Return the facts of a cluster that is up, or None."""
        try:
            return Cluster.from_json(json.loads(self.cluster_file(cluster).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(f"{self.cluster_file(cluster)} cannot be read: {exc}") from exc

    def write_cluster(self, cluster: str, facts: Cluster) -> None:
        """Write the facts of a cluster that is up."""
        write_private(self.cluster_file(cluster), json.dumps(facts.to_json(), indent=1).encode())

    def forget_cluster(self, cluster: str) -> None:
        """Remove what was known of a cluster that is gone."""
        self.cluster_file(cluster).unlink(missing_ok=True)
        shutil.rmtree(self.cluster_folder(cluster), ignore_errors=True)

    def forget_built(self) -> None:
        """Remove the programs of a checkout: they are large, and the next run builds its own."""
        shutil.rmtree(self.built, ignore_errors=True)

    def keep_secret(self, value: str) -> None:
        """Append a value that must never be published."""
        with os.fdopen(os.open(self.secrets_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as file:
            file.write(json.dumps(value) + "\n")

    def read_secrets(self) -> tuple[str, ...]:
        """Return the values collected so far. A line that a killed process left half is skipped."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.secrets_file.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError):
                    value = json.loads(line)
                    if isinstance(value, str):
                        found.append(value)
        return tuple(dict.fromkeys(found))

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Hold the run. Raises UsageError that says who holds it already."""
        try:
            handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError as exc:
            raise UsageError(f"there is no run {self.name}", hint="e2e status") from exc
        try:
            if not _lock_soon(handle):
                raise UsageError(f"{self.name} is held by {self.holder()}", hint=f"e2e wait {self.name}")
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"pid": os.getpid(), "command": command}).encode(), 0)
            yield
        finally:
            os.close(handle)

    def is_held(self) -> bool:
        """Say whether a process works on the run now."""
        try:
            handle = os.open(self.path / LOCK, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not try_lock(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def holder(self) -> str:
        """Return who locked it last, as a person would look it up: ``e2e run (pid 123)``."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((self.path / LOCK).read_bytes())
            return f"e2e {told['command']} (pid {told['pid']})"
        return "another process"


def create_folder(state_dir: Path, names: Callable[[int], str], *, tries: int) -> RunFolder:
    """Make a folder that no run has yet; ``names(n)`` is the name of the n-th try. Making it is the claim to the name.

    Raises: UsageError when every name is taken, HarnessError when the folder cannot be made.
    """
    runs = state_dir / "runs"
    make_private(runs)
    try:
        for attempt in range(tries):
            with suppress(FileExistsError):
                path = runs / names(attempt)
                path.mkdir(mode=0o700)
                for part in ("cluster", "work"):
                    (path / part).mkdir(mode=0o700)
                return RunFolder(path)
    except OSError as exc:
        raise _unwritable(runs, exc) from exc
    taken = RunFolder(runs / names(0))
    held = f", held by {taken.holder()}" if taken.is_held() else ""
    raise UsageError(f"there is a run {taken.name} already{held}", hint=f"e2e status {taken.name}")


def make_private(path: Path) -> None:
    """Make a folder of the state and those of its parents that are missing, readable by nobody else. Raises UsageError."""
    try:
        for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
            missing.mkdir(exist_ok=True, mode=0o700)
        if path.stat().st_uid == os.geteuid():
            path.chmod(0o700)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the state folder {folder} cannot be written: {error.strerror or error}",
        hint="export E2E_STATE_DIR=/a/folder/of/yours",
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that it is complete or absent, also after a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as exc:
        raise HarnessError(f"{path} cannot be written: {exc.strerror or exc}", hint="free some space there") from exc


def _write_all(handle: int, content: bytes) -> None:
    view: Any = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_soon(handle: int) -> bool:
    """Lock, or return False when a process keeps it; one that only looks (``is_held``) is gone at once."""
    for _ in range(LOOKS):
        if try_lock(handle):
            return True
        time.sleep(LOOK_S)
    return False
