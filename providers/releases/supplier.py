"""Fetches and builds several programs at once, under the locks of their cache entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from providers.contracts import Deadline
from providers.fanout import Limit, together
from providers.releases.board import Board
from providers.releases.cache import Cache, Found
from providers.releases.download import Fetch, WrongChecksum
from providers.releases.gobuild import build
from providers.releases.pinned import Pin, built_from
from providers.releases.programs import Program
from providers.releases.sources import Sources
from providers.releases.supply import Refused, Staged, Want, cached, download, one_file
from providers.releases.wire import Wire
from upload.errors import CommandError, DeadlineExceeded, ProviderError, raise_all

TAIL_LINES = 6
T = TypeVar("T")


class Supplier:
    """One call's worth of fetching: what it found, and why each place had nothing."""

    def __init__(self, sources: Sources, deadline: Deadline) -> None:
        self._board = Board(sources.progress)
        self._sources = replace(sources, progress=self._board.put)
        self._deadline = deadline
        self._cache = Cache(sources.cache)
        self._reasons: dict[str, list[str]] = {}
        self._hint = ""

    def supply(self, wanted: Mapping[str, Want]) -> dict[str, Path]:
        """Return the path of every program, by name.

        Raises: ProviderError naming each source that was tried for each program; WrongChecksum; DeadlineExceeded.
        """
        paths, missing = self._look(wanted)
        if not missing:
            return paths
        with self._cache.locked([want.key(self._sources) for want in missing.values()], self._deadline):
            found, missing = self._look(missing)  # another process may have made them while we waited
            paths |= found
            if missing:
                with self._cache.staging(next(iter(missing.values())).key(self._sources)) as folder:
                    paths |= self._download(missing, folder)
                    paths |= self._build({n: want for n, want in missing.items() if n not in paths}, folder)
        if lacking := [want for name, want in wanted.items() if name not in paths]:
            raise self._refusal(lacking)
        return paths

    def _look(self, wanted: Mapping[str, Want]) -> tuple[dict[str, Path], dict[str, Want]]:
        found = {name: entry.path for name, want in wanted.items() if (entry := cached(want, self._sources))}
        return found, {name: want for name, want in wanted.items() if name not in found}

    def _download(self, wanted: Mapping[str, Want], folder: Path) -> dict[str, Path]:
        with closing(Wire(self._sources)) as wire:

            def job(wants: Sequence[Want], limit: Limit) -> list[Staged | Found]:
                how = Fetch(", ".join(want.program.name for want in wants), wire, limit, self._sources.progress)
                return download(wants, folder, self._sources, how)

            groups = one_file(wanted.values())
            got = self._run({_names(want.program for want in wants): partial(job, wants) for wants in groups}, "")
        return {staged.path.name: self._keep(staged) for group in got.values() for staged in group}

    def _build(self, wanted: Mapping[str, Want], folder: Path) -> dict[str, Path]:
        if not self._can_build(wanted):
            return {}
        groups: dict[str, tuple[Pin, list[Program]]] = {}
        for want in wanted.values():
            if isinstance(want.pin, Pin):
                groups.setdefault(want.pin.project, (want.pin, []))[1].append(want.program)

        def job(pin: Pin, programs: Sequence[Program], limit: Limit) -> list[Staged]:
            into = folder / pin.project
            into.mkdir()
            build(pin, programs, into, sources=self._sources, limit=limit)
            return [
                Staged(
                    into / program.name,
                    wanted[program.name].built_key(self._sources, pin),
                    f"go build of {built_from(program, pin)}",
                )
                for program in programs
            ]

        built = self._run({_names(group[1]): partial(job, *group) for group in groups.values()}, "go build: ")
        return {staged.key.program: self._keep(staged) for group in built.values() for staged in group}

    def _can_build(self, wanted: Mapping[str, Want]) -> bool:
        """Say whether all have pins. Building some for minutes, to say then that others cannot be built, helps nobody."""
        unpinned = {name: want.pin for name, want in wanted.items() if isinstance(want.pin, ProviderError)}
        for name in wanted:
            why = unpinned.get(name) or ProviderError(f"not begun, because {', '.join(unpinned)} cannot be built")
            if unpinned:
                self._note([name], "go build: ", why)
        return not unpinned

    def _run(self, jobs: Mapping[str, Callable[[Limit], T]], place: str) -> dict[str, T]:
        """Run jobs named by their programs; note what no place had, raise what must not be passed over."""
        done: dict[str, T] = {}
        fatal: list[Exception] = []
        for names, result in together(jobs, self._deadline, self._board.show).items():
            if isinstance(result, ProviderError) and not isinstance(result, WrongChecksum):
                self._note(names.split(","), place, result)
            elif isinstance(result, Exception):
                fatal.append(result)
            else:
                done[names] = result
        _raise_worst(fatal)
        return done

    def _note(self, names: Iterable[str], place: str, error: ProviderError) -> None:
        lines = list(error.reasons) if isinstance(error, Refused) else [f"{place}{error}"]
        if isinstance(error, CommandError):
            lines += [f"  {line}" for line in error.output_tail.splitlines()[-TAIL_LINES:]]
        for name in names:
            self._reasons.setdefault(name, []).extend(lines)
        self._hint = error.hint or self._hint

    def _refusal(self, lacking: Sequence[Want]) -> ProviderError:
        """Return the error for what nobody had; programs with the same reasons stand together."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for want in lacking:
            name = f"{want.program.name} {want.version}"
            reasons = ("cache: not there", *self._reasons.get(want.program.name, ()))
            groups.setdefault(reasons, []).append(name)
        lines = [
            f"{', '.join(names)} for {self._sources.platform} cannot be had:\n" + "\n".join(f"  {r}" for r in reasons)
            for reasons, names in groups.items()
        ]
        mirror = "" if self._sources.mirror or self._sources.offline else "; or export E2E_MIRROR=https://your.mirror"
        return ProviderError("\n".join(lines), hint=f"{self._hint or 'check the network'}{mirror}")

    def _keep(self, staged: Staged | Found) -> Path:
        return staged.path if isinstance(staged, Found) else self._cache.adopt(staged.key, staged.path, staged.origin)


def _names(programs: Iterable[Program]) -> str:
    return ",".join(program.name for program in programs)


def _raise_worst(fatal: Sequence[Exception]) -> None:
    """Raise what must not be passed over. A full disk and a deadline hit every worker alike: one of them says it all."""
    for kind in (OSError, DeadlineExceeded):
        for error in fatal:
            if isinstance(error, kind):
                raise error
    raise_all("getting programs", fatal)
