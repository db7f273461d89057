"""What was checked out for a build, from the clone-records.json that prow's clonerefs writes. Pure but for one read.

A list of records: ``{"refs": {"org", "repo", "base_ref", "base_sha", "pulls": [{"number", "sha"}]}, "final_sha"}``.
Source: sigs.k8s.io/prow pkg/clonerefs, and pkg/initupload for what becomes of it in started.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upload.documents import LARGEST_DOCUMENT_BYTES, Pairs, load_json
from upload.errors import ResultsError
from upload.layout import CLONE_RECORDS


@dataclass(frozen=True, slots=True)
class Clones:
    """``repos``: ``org/repo`` → ``ref:sha,pull:sha,…``; ``repo_commit``: what was tested of the first one, or empty."""

    repos: Pairs = ()
    repo_commit: str = ""


def read_clones(folder: Path) -> Clones:
    """Return what clone-records.json in a folder tells; nothing when there is none, or none that can be read.

    Results are published all the same: the file itself goes with them, for people.
    """
    path = folder / CLONE_RECORDS
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_DOCUMENT_BYTES:
            return Clones()
        return parse_clones(path.read_bytes())
    except (OSError, ResultsError):
        return Clones()


def parse_clones(body: bytes) -> Clones:
    """Return what clone records tell; of a record that is none, nothing. Raises ResultsError: no JSON list."""
    records = load_json(body, CLONE_RECORDS)
    if not isinstance(records, list):
        raise ResultsError(f"{CLONE_RECORDS}: a JSON list is expected, found {type(records).__name__}")
    told = [record for record in records if isinstance(record, dict) and isinstance(record.get("refs"), dict)]
    repos = {_repo(record["refs"]): ",".join(_refs(record["refs"])) for record in told}
    commit = _text(told[0], "final_sha") or _text(told[0]["refs"], "base_sha") if told else ""
    return Clones(tuple((repo, refs) for repo, refs in repos.items() if repo and refs), commit)


def _repo(refs: dict[str, Any]) -> str:
    org, repo = _text(refs, "org"), _text(refs, "repo")
    return f"{org}/{repo}" if org and repo else ""


def _refs(refs: dict[str, Any]) -> Iterator[str]:
    base = ":".join(part for part in (_text(refs, "base_ref"), _text(refs, "base_sha")) if part)
    if base:
        yield base
    pulls = refs.get("pulls")
    for pull in pulls if isinstance(pulls, list) else ():
        if isinstance(pull, dict) and isinstance(number := pull.get("number"), int):
            sha = _text(pull, "sha")
            yield f"{number}:{sha}" if sha else str(number)


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
