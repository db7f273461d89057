"""Find configs: JOB is a file's stem in a search folder or a ``job:`` value, FILE is a path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from providers.config.document import parse_document, read_bounded, read_document, shown_path
from providers.config.problems import ConfigError, Place, Problem
from providers.wording import meant, nearest, visible
from upload.errors import UsageError

PARTY_FILE: Final = "party.yaml"
_SUFFIXES: Final = (".yaml", ".yml")
_PACKAGE: Final = Path(__file__).parents[1]


def default_search(cwd: Path | None = None) -> tuple[Path, ...]:
    """Return the folders that hold configs, those of the working folder first.

    They are ``providers/configs`` and every ``configs`` below ``tests/support`` of the working folder, and the same of
    this package's own checkout; of an installed package only its ``providers/configs``.
    """
    here = cwd or Path.cwd()
    folders = [*_of_checkout(here), _PACKAGE / "configs"]
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        folders += _of_checkout(_PACKAGE.parent)
    unique = {folder.resolve(): folder for folder in reversed(folders) if folder.is_dir()}
    return tuple(reversed(unique.values()))


def _of_checkout(root: Path) -> list[Path]:
    return [root / "providers" / "configs", *sorted((root / "tests" / "support").glob("**/configs"))]


def is_file_reference(ref: str) -> bool:
    """Say whether a word of the command line is a FILE and not a JOB."""
    return "/" in ref or ref.endswith(_SUFFIXES)


def config_files(search: Sequence[Path]) -> tuple[Path, ...]:
    """Return every job's file in the search folders, by folder and name, without ``party.yaml``."""
    return tuple(path for folder in search for path in _files_of(folder))


def _files_of(folder: Path) -> Iterator[Path]:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    yield from (
        folder / name for name in names if name.endswith(_SUFFIXES) and not name.startswith(".") and name != PARTY_FILE
    )


def refuse_strangers(path: Path, search: Sequence[Path]) -> None:
    """Raise ConfigError for a link that leads out of its search folder: a change under review could point it at a secret."""
    if not path.is_symlink():
        return
    folder = path.parent.resolve()  # it may be given relative to the working folder
    inside = any(folder == each.resolve() for each in search)
    if inside and not path.resolve().is_relative_to(folder):
        what = "is a link that leads out of its folder"
        raise ConfigError([Problem(Place(shown_path(path)), "", what, "a regular file")])


def party_file(path: Path, search: Sequence[Path]) -> Path | None:
    """Return the ``party.yaml`` that goes under a config: the one beside it, else the first of the search folders."""
    places = (path.parent, *search)
    return next((folder / PARTY_FILE for folder in places if (folder / PARTY_FILE).exists()), None)


def find_job(ref: str, *, search: Sequence[Path]) -> Path:
    """Return the file that JOB or FILE means.

    Raises: UsageError when there is none (it names the nearest job and the folders) or more than one.
    """
    if is_file_reference(ref):
        if not Path(ref).exists():
            raise UsageError(f"there is no file '{visible(ref, 300)}'", hint="e2e check")
        return Path(ref)
    matches = [path for path in config_files(search) if path.stem == ref or _mentions(path, ref)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = " and ".join(shown_path(path) for path in matches)
        raise UsageError(f"'{visible(ref)}' is ambiguous: {listed}", hint=f"give the path, {shown_path(matches[0])}")
    names = job_names(search)
    folders = ", ".join(shown_path(folder) for folder in search) or "no folder"
    raise UsageError(
        f"unknown job '{visible(ref)}'{meant(nearest(ref, names))} (searched {folders})",
        hint="e2e check, or give a file's path",
    )


def _mentions(path: Path, job: str) -> bool:
    """Say whether a file's ``job:`` is ``job``. Most files are settled by their bytes, without parsing."""
    try:
        refuse_strangers(path, (path.parent,))
        raw = read_bounded(path, str(path))
        return os.fsencode(job) in raw and parse_document(raw, path=path, shown=str(path)).values.get("job") == job
    except ConfigError:
        return False


def job_names(search: Sequence[Path]) -> tuple[str, ...]:
    """Return what can be given as JOB, sorted: stems and ``job:`` values. A file that cannot be read gives its stem only."""
    found: set[str] = set()
    for path in config_files(search):
        found.add(path.stem)
        found.add(job_value(path) or path.stem)
    return tuple(sorted(found))


def job_value(path: Path) -> str | None:
    """Return the file's ``job:``, or None when it has none that can be read."""
    try:
        refuse_strangers(path, (path.parent,))
        value = read_document(path).values.get("job")
    except ConfigError:
        return None
    return value if isinstance(value, str) else None
