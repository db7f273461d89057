"""Looks at what a run needs of this machine: each check says how it is and which command mends it. Changes nothing."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from e2e.lifecycle.display import PlainDisplay
from e2e.settings import Settings
from providers.contracts import Deadline
from upload.errors import HarnessError, Outcome
from upload.store.patience import Patience

OLDEST_PYTHON = (3, 11)
LOW_GB, SCARCE_GB = 1.0, 6.0  # a run needs about 1 GB; building every program from source about 5 GB more
LOOK_S = 20.0


class Level(StrEnum):
    """OK; WARN: some ways to work are closed; FAIL: nothing goes."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One look. ``hint``: the command that mends it. ``outcome``: what a FAIL makes of ``e2e doctor``."""

    name: str
    level: Level
    said: str
    hint: str = ""
    outcome: Outcome = Outcome.USAGE


def examine(settings: Settings, store: str, *, patience: Patience) -> Iterator[Check]:
    """Yield every check, in the order in which a run needs them. ``store``: URI of the results' store."""
    yield check_python()
    yield check_folder("state", settings.state, "E2E_STATE_DIR")
    try:
        cache = settings.sources(offline=False, progress=PlainDisplay(sys.stderr).progress).cache
    except HarnessError as error:
        yield Check("cache", Level.FAIL, str(error), error.hint)
    else:
        yield check_folder("cache", cache, "E2E_CACHE_DIR")
        yield check_disk(cache)
    yield check_go(settings)
    yield check_credentials(settings, store)
    yield check_store(store, patience=patience)


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Check the interpreter."""
    said = ".".join(str(part) for part in version)
    if version < OLDEST_PYTHON:
        return Check("python", Level.FAIL, f"{said} is too old", "make PYTHON=/path/to/python3.11")
    return Check("python", Level.OK, f"{said} ({sys.executable})")


def check_folder(name: str, folder: Path, variable: str) -> Check:
    """Check that a folder of ours can be written, by a file that is removed at once."""
    place = nearest_existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as exc:
        return Check(name, Level.FAIL, f"{folder}: {exc.strerror or exc}", f"export {variable}=/a/folder/of/yours")
    return Check(name, Level.OK, str(folder))


def check_disk(folder: Path, usage: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Check:
    """Check the free space where programs are kept."""
    free_gb = usage(nearest_existing(folder)) / 1e9
    said = f"{free_gb:.1f} GB free at {folder}"
    if free_gb < LOW_GB:
        return Check("disk", Level.FAIL, said, "export E2E_CACHE_DIR=/a/folder/with/space")
    if free_gb < SCARCE_GB:
        return Check("disk", Level.WARN, f"{said}; building from source needs {SCARCE_GB:g} GB")
    return Check("disk", Level.OK, said)


def check_go(settings: Settings) -> Check:
    """Check for a Go that can build the pinned programs; only needed where no release can be downloaded."""
    from providers.fanout import Limit
    from providers.releases.gobuild import find_go

    try:
        found = find_go(settings.variables, Limit(Deadline.after(LOOK_S, "asking go for its version")))
    except HarnessError as error:
        return Check("go", Level.WARN, f"{error}; programs must be downloaded", error.hint)
    return Check("go", Level.OK, f"{found.version} ({found.path})")


def check_credentials(settings: Settings, store: str) -> Check:
    """Check for Google credentials where the store is a bucket."""
    if not store.startswith("gs://"):
        return Check("credentials", Level.OK, "none are needed for a folder")
    if settings.variables.get("STORAGE_EMULATOR_HOST"):
        return Check("credentials", Level.OK, "none are needed for STORAGE_EMULATOR_HOST")
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        _, project = google.auth.default()
    except GoogleAuthError as exc:
        said = str(exc).splitlines()[0]
        return Check("credentials", Level.FAIL, said, "gcloud auth application-default login", Outcome.RESULTS)
    return Check("credentials", Level.OK, f"Google's default chain, project {project or 'unknown'}")


def check_store(store: str, *, patience: Patience) -> Check:
    """Check that the store can be read; that it can be written is found out by each run's claim."""
    from upload.store import open_store

    if "://" not in store or store.startswith("file://"):
        folder = Path(store.removeprefix("file://"))
        check = check_folder("store", folder.absolute(), "--results")
        hint = "give --results a folder of yours" if check.hint else ""
        return Check("store", check.level, check.said, hint, Outcome.RESULTS)
    try:
        next(iter(open_store(store, patience=patience).list("", delimiter="/")), None)
    except HarnessError as error:
        return Check("store", Level.FAIL, str(error), error.hint, Outcome.RESULTS)
    return Check("store", Level.OK, f"{store} can be listed")


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or the first one above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
