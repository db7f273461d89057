"""``check --online``: what a run of a config would meet: at its provider and in its store. Reads; creates nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.doctor import nearest_existing
from e2e.settings import Settings
from providers.contracts import Deadline
from providers.lookout import Looked, Lookout
from upload.errors import HarnessError
from upload.store.patience import Patience

if TYPE_CHECKING:
    from providers.config.model import JobConfig

LOOK_S = 120.0


def look_ahead(job: JobConfig, settings: Settings, *, patience: Patience) -> Iterator[Looked]:
    """Yield every check of a config, first those of its provider if it has any."""
    yield from _at_provider(job, settings)
    yield _store(job, patience)


def _at_provider(job: JobConfig, settings: Settings) -> tuple[Looked, ...]:
    from providers.registry import make_provider

    name = job.provider.name
    provider = make_provider(name, job.provider.settings)
    ask = getattr(provider, "preflight", None)  # LooksAhead
    if ask is None:
        return (Looked("provider", f"'{name}' has nothing to look at before a run"),)
    look = Lookout(Deadline.after(LOOK_S, f"looking at {name}"), settings.variables_for(provider))
    try:
        found: tuple[Looked, ...] = ask(job.cluster.spec(), look)
    except HarnessError as error:
        return (Looked("provider", str(error), error.hint, is_ok=False),)
    return found


def _store(job: JobConfig, patience: Patience) -> Looked:
    """Look whether a build could be claimed, as far as that can be told without claiming one."""
    from upload.layout import job_folder
    from upload.store import open_store
    from upload.store.base import ProbedStore

    uri = job.results.store
    if "://" not in uri or uri.startswith("file://"):
        place = nearest_existing(Path(uri.removeprefix("file://")).absolute())
        if os.access(place, os.W_OK):
            return Looked("store", f"{uri} can be written")
        return Looked("store", f"{place} cannot be written", f"ls -ld {place}", is_ok=False)
    try:
        store = open_store(uri, patience=patience)
        assert isinstance(store, ProbedStore)
        store.probe(f"{job_folder(job.results.prefix, job.job)}probe")
    except HarnessError as error:
        grant = (
            f"gcloud storage buckets add-iam-policy-binding gs://{uri.split('/')[2]} --role=roles/storage.objectUser"
        )
        return Looked("store", str(error), error.hint or f"{grant} --member=user:YOU", is_ok=False)
    return Looked("store", f"{uri} can be written")
