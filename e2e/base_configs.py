"""The configs of another commit, as plain files in a folder of their own. Nothing is checked out, no filter or hook runs."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from providers.config.document import MAX_BYTES
from providers.git import Git
from providers.wording import visible
from upload.errors import UsageError

_REGULAR = ("100644", "100755")
MOST_FILES = 20_000
_HINT = "git fetch origin main; e2e check --diff origin/main"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The checkout that the working folder is in. ``folders``: those with configs that are in it."""

    root: Path
    folders: tuple[Path, ...]
    git: Git

    @contextmanager
    def at(self, base: str) -> Iterator[Checkout]:
        """Give the folders as they were in a commit: copies, below a root of their own.

        A link or a file that is too large for a config is left out: it was none there either.
        Raises: UsageError for a base that is none.
        """
        try:
            commit = self.git.text("rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
        except UsageError as error:
            raise UsageError(f"{visible(base)} is no commit of this checkout", hint=_HINT) from error
        with tempfile.TemporaryDirectory(prefix="e2e-base-") as scratch:
            root = Path(scratch).resolve()
            copies = []
            for folder in self.folders:
                relative = folder.resolve().relative_to(self.root)
                copy = root / relative
                copy.mkdir(parents=True)
                copies.append(copy)
                for name, content in _files(self.git, commit, relative):
                    (copy / name).write_bytes(content)
            yield Checkout(root, tuple(copies), self.git)


def find_checkout(search: Sequence[Path], env: Mapping[str, str]) -> Checkout:
    """Return the checkout of the working folder. Raises: UsageError outside of one."""
    git = Git(Path.cwd(), env, hint=_HINT)
    root = Path(git.text("rev-parse", "--show-toplevel")).resolve()
    return Checkout(root, tuple(folder for folder in search if folder.resolve().is_relative_to(root)), git)


def _files(git: Git, commit: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each regular file directly in a folder of a commit."""
    tree = f"{commit}:{PurePosixPath(folder)}" if folder.parts else commit
    try:
        listed = git.ask("ls-tree", "-z", "-l", tree)
    except UsageError:  # there was no such folder
        return
    found = []
    for line in listed.split(b"\0")[:-1]:
        facts, _, name = line.partition(b"\t")
        mode, _, digest, size = facts.decode().split()
        if mode in _REGULAR and int(size) <= MAX_BYTES:
            found.append((os.fsdecode(name), digest))
    if len(found) > MOST_FILES:
        raise UsageError(f"{folder}: more than {MOST_FILES} files")
    told = io.BytesIO(git.ask("cat-file", "--batch", given=[digest for _, digest in found]))
    for file_name, _ in found:
        length = int(told.readline().split()[2])
        yield file_name, told.read(length)
        told.read(1)
