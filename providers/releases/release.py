"""The programs of one resolved version: where each comes from, fetched or built on first use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.gobuild import build
from providers.releases.pinned import Pin, pin_for
from providers.releases.programs import Program, program_named
from providers.releases.sources import Sources
from upload.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Release:
    """One version of Kubernetes with etcd and kwok beside it. It is the ``Binaries`` that providers are given.

    ``source`` is the metadata ``version-source``: how the version was found.
    """

    version: str
    source: str
    sources: Sources

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of one executable. Raises ProviderError naming each source that was tried."""
        return self.ensure((program,), deadline=deadline)[program]

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> dict[str, Path]:
        """Return the paths of several executables; what must be built is built in one go, which shares most of it."""
        wanted = [program_named(name) for name in dict.fromkeys(programs)]
        paths: dict[str, Path] = {}
        for pin, group in self._by_pin(wanted):
            paths |= self._built(pin, group, deadline)
        return paths

    def _by_pin(self, programs: Sequence[Program]) -> list[tuple[Pin, list[Program]]]:
        groups: dict[Path, tuple[Pin, list[Program]]] = {}
        for program in programs:
            pin = pin_for(program, self.version, self.sources.pins)
            groups.setdefault(pin.folder, (pin, []))[1].append(program)
        return list(groups.values())

    def _built(self, pin: Pin, programs: Sequence[Program], deadline: Deadline) -> dict[str, Path]:
        cache = Cache(self.sources.cache)
        keys = {p.name: Key(p.name, pin.version, str(self.sources.platform), f"go-{pin.digest}") for p in programs}
        found = {name: entry.path for name, key in keys.items() if (entry := cache.find(key))}
        if len(found) == len(keys):
            return found
        with cache.locked(list(keys.values()), deadline):
            missing = [p for p in programs if cache.find(keys[p.name]) is None]
            if missing:
                with cache.staging(keys[missing[0].name]) as folder:
                    build(pin, missing, folder, sources=self.sources, deadline=deadline)
                    for program in missing:
                        cache.adopt(
                            keys[program.name], folder / program.name, f"go build of {pin.project} {pin.version}"
                        )
        entries = {name: cache.find(key) for name, key in keys.items()}
        if lost := [name for name, entry in entries.items() if entry is None]:
            raise ProviderError(f"{', '.join(lost)}: vanished from the cache {self.sources.cache}")
        return {name: entry.path for name, entry in entries.items() if entry is not None}
