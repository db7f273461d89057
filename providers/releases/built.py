"""The programs of a checkout of Kubernetes: built from what lies there, each time a run begins, and kept for that run.

Nothing is cached but by Go itself, which knows by content what has to be compiled again: a program is never stale.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from providers.contracts import Deadline, Download
from providers.fanout import Limit, together
from providers.releases.board import Board
from providers.releases.checkout import read_checkout
from providers.releases.gobuild import build, find_go, require_go
from providers.releases.programs import Program, program_named
from providers.releases.release import Origin, Release
from providers.releases.sources import Platform, Sources
from upload.errors import CommandError, ProviderError

_AT = re.compile(r"\S+:\d+:\d+: ")  # where a compiler's line begins with the place


@dataclass(frozen=True, slots=True)
class Built:
    """The ``Binaries`` of a checkout. etcd, CoreDNS and kwok are those that are pinned for its version, or near it.

    ``version``: what the tree was when the run began; it must still be that when something is built.
    """

    tree: Path
    version: str
    sources: Sources

    @property
    def source(self) -> str:
        """The metadata ``version-source``. It is published, so the folder is not named."""
        return "source"

    def built_in(self, folder: Path) -> Built:
        """Return the same, with the folder in which the programs are kept."""
        return replace(self, sources=replace(self.sources, built=folder))

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of one executable. Raises ProviderError: with the compiler's lines where it does not build."""
        return self.ensure((program,), deadline=deadline)[program]

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> dict[str, Path]:
        """Return the paths of several executables, by name; what this run has not built yet is built at once.

        Raises: ProviderError, with the compiler's lines where the tree does not build; DeadlineExceeded.
        """
        wanted = [program_named(name) for name in dict.fromkeys(programs)]
        own = [program for program in wanted if program.project == "kubernetes"]
        others = [program.name for program in wanted if program.project != "kubernetes"]
        paths = self._own(own, deadline) if own else {}
        return paths | self._others().ensure(others, deadline=deadline)

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> Release | Built:
        """Return another version, or the same tree for another platform. Raises as ``resolve`` does."""
        from providers.releases.versions import resolve

        sources = replace(self.sources, platform=Platform.named(platform)) if platform else self.sources
        if not kubernetes:
            return replace(self, sources=sources)
        return resolve(kubernetes, sources=sources, deadline=deadline)

    def published(self, program: str, *, deadline: Deadline) -> Download | None:
        """Return where a machine may fetch an executable by itself: nowhere, for what is built here."""
        if program_named(program).project == "kubernetes":
            return None
        return self._others().published(program, deadline=deadline)

    def origin(self, program: str, *, deadline: Deadline) -> Origin:
        """Return where a program would come from now; builds and fetches nothing."""
        if program_named(program).project != "kubernetes":
            return self._others().origin(program, deadline=deadline)
        try:
            go = find_go(self.sources.env, Limit(deadline))
            require_go(go, read_checkout(self.tree, self.sources.env))
        except ProviderError as error:
            return Origin("nowhere", str(error))
        return Origin("go build", f"{self.tree} with Go {go.version}")

    def _others(self) -> Release:
        return Release(self.version, self.source, self.sources)

    def _own(self, programs: Sequence[Program], deadline: Deadline) -> dict[str, Path]:
        if self.sources.built is None:
            raise ProviderError(f"{self.tree} is built by a run only", hint="e2e up JOB")
        folder = self.sources.built / f"{self.version}-{self.sources.platform}".replace("/", "-")
        missing = [program for program in programs if not (folder / program.name).is_file()]
        if missing:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._build(missing, folder, deadline)
            except OSError as exc:
                raise ProviderError(f"{folder} cannot be written: {exc.strerror or exc}") from exc
        return {program.name: folder / program.name for program in programs}

    def _build(self, programs: Sequence[Program], folder: Path, deadline: Deadline) -> None:
        checkout = read_checkout(self.tree, self.sources.env)
        if checkout.version != self.version:
            raise ProviderError(
                f"{self.tree} is {checkout.version} by now and was {self.version} when the run began",
                hint="begin another run",
            )
        board = Board(self.sources.progress)
        sources = replace(self.sources, progress=board.put)
        with tempfile.TemporaryDirectory(prefix=".made-", dir=folder, ignore_cleanup_errors=True) as made:

            def job(limit: Limit) -> None:
                build(checkout, programs, Path(made), sources=sources, limit=limit)

            result = together({"go build": job}, deadline, board.show)["go build"]
            if isinstance(result, CommandError):
                raise self._does_not_build(result) from result
            if result is not None:
                raise result
            for program in programs:
                (Path(made) / program.name).rename(folder / program.name)

    def _does_not_build(self, error: CommandError) -> ProviderError:
        """Return the error whose first line names the first place, and which has the compiler's own lines below it."""
        lines = error.output_tail.splitlines()
        first = next((line for line in lines if _AT.match(line)), str(error))
        hint = error.hint or f"cd {self.tree} && go build ./cmd/..."
        return ProviderError("\n".join([f"{self.tree} does not build: {first}", *lines]), hint=hint)
