"""The programs of one resolved version: from the cache, a download or a build, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from providers.contracts import Deadline, Download
from providers.fanout import Limit
from providers.releases.gobuild import find_go, require_go
from providers.releases.pinned import built_from
from providers.releases.programs import program_named
from providers.releases.sources import Platform, Sources
from providers.releases.supplier import Supplier
from providers.releases.supply import Want, cached, in_directory, offers, published, want
from providers.releases.wire import Wire
from upload.errors import ProviderError

if TYPE_CHECKING:
    from providers.releases.built import Built


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a program would come from. ``place``: cache, official, mirror, directory, go build, or nowhere."""

    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class Release:
    """One version of Kubernetes with etcd, CoreDNS and kwok beside it. It is the ``Binaries`` that providers are given.

    ``source`` is the metadata ``version-source``: how the version was found. ``folder`` and ``address`` are set for a
    ``file://`` and an ``https://`` directory: Kubernetes's own programs then come from there and from nowhere else.
    """

    version: str
    source: str
    sources: Sources
    folder: Path | None = None
    address: str = ""

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of one executable. Raises ProviderError naming each source that was tried."""
        return self.ensure((program,), deadline=deadline)[program]

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> dict[str, Path]:
        """Return the paths of several executables, by name.

        Downloads run beside each other. What has to be built is built at once: it shares most of its packages.
        Raises: ProviderError naming each source that was tried for each program; DeadlineExceeded.
        """
        paths: dict[str, Path] = {}
        wanted: dict[str, Want] = {}
        for program in (program_named(name) for name in dict.fromkeys(programs)):
            if self.folder is not None and program.project == "kubernetes":
                paths[program.name] = in_directory(program, self.folder, self.sources)
            else:
                wanted[program.name] = want(program, self.version, self.address, self.sources)
        return paths | Supplier(self.sources, deadline).supply(wanted)

    def built_in(self, folder: Path) -> Release:
        """Return the same, with a folder for what ``other`` may build from a checkout."""
        return replace(self, sources=replace(self.sources, built=folder))

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> Release | Built:
        """Return another version, or the same for another platform, from the same sources. Raises as ``resolve`` does."""
        from providers.releases.versions import resolve

        sources = replace(self.sources, platform=Platform.named(platform)) if platform else self.sources
        if not kubernetes:
            return replace(self, sources=sources)
        return resolve(kubernetes, sources=sources, deadline=deadline)

    def published(self, program: str, *, deadline: Deadline) -> Download | None:
        """Return where a machine may fetch an executable by itself, with the checksum that is published for it."""
        if self.folder is not None:
            return None
        wanted = want(program_named(program), self.version, self.address, self.sources)
        with closing(Wire(self.sources)) as wire:
            return published(wanted, self.sources, wire, deadline)

    def origin(self, program: str, *, deadline: Deadline) -> Origin:
        """Return where a program would come from now; asks the servers whether they have it, and fetches nothing."""
        named = program_named(program)
        reasons: list[str] = []
        try:
            if self.folder is not None and named.project == "kubernetes":
                return Origin("directory", str(in_directory(named, self.folder, self.sources)))
            wanted = want(named, self.version, self.address, self.sources)
            if found := cached(wanted, self.sources):
                return Origin("cache", f"{found.path} ({found.origin})")
            return self._offered(wanted, reasons, deadline) or self._buildable(wanted, deadline)
        except ProviderError as error:
            return Origin("nowhere", "; ".join([*reasons, str(error)]))

    def _offered(self, wanted: Want, reasons: list[str], deadline: Deadline) -> Origin | None:
        with closing(Wire(self.sources)) as wire:
            for place, choices in offers([wanted], self.sources):
                for asset in (choice[wanted.program.name] for choice in choices):
                    try:
                        if wire.exists(asset.url, deadline):
                            return Origin(place, asset.url)
                        reasons.append(f"{place}: not there")
                    except ProviderError as error:
                        reasons.append(f"{place}: {error}")
        return None

    def _buildable(self, wanted: Want, deadline: Deadline) -> Origin:
        if isinstance(wanted.pin, ProviderError):
            raise wanted.pin
        go = find_go(self.sources.env, Limit(deadline))
        require_go(go, wanted.pin)
        return Origin("go build", f"{built_from(wanted.program, wanted.pin)} with Go {go.version}")
