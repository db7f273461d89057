"""Add a bucket to a federation file. Everything else in the file stays as it is: comments, order, quotes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dashboard_feed.buckets import BucketsError, parse_buckets, read_text
from upload.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dashboard_feed.buckets import BucketSpec

_PLAIN = re.compile(r"[a-z]+://[A-Za-z0-9/._-]+")


def add_bucket(path: Path, spec: BucketSpec) -> None:
    """Write the file with one more bucket at its end; one that does not exist yet is made.

    The file is replaced at once or not at all, and two that add at the same time do so one after the other.
    Raises: UsageError when the bucket or its prefix is there already, or is none; BucketsError when the file is wrong.
    """
    path = path.resolve()
    with _locked(path.parent):
        old = read_text(path) if path.exists() else b""
        new = with_bucket(old, spec, str(path))
        _replace(path, new)


def with_bucket(content: bytes, spec: BucketSpec, path: str) -> bytes:
    """Return the text of a federation file with one more bucket behind it. Raises as ``add_bucket``."""
    known = parse_buckets(content, path) if _without_comments(content) else ()
    for other in known:
        if other.uri == spec.uri:
            raise UsageError(f"{path}: {spec.uri} is in it already, as '{other.prefix}'")
        if other.prefix == spec.prefix:
            raise UsageError(f"{path}: prefix '{spec.prefix}' is already that of {other.uri}")
    entry = _rendered(spec)
    try:
        parse_buckets(entry)
    except BucketsError as error:  # their places in an entry that stands nowhere yet would help nobody
        raise UsageError("; ".join(problem.what for problem in error.problems)) from error
    new = content + (b"\n" if content and not content.endswith(b"\n") else b"") + entry
    try:
        if parse_buckets(new, path) == (*known, spec):
            return new
    except BucketsError:  # all in one pair of braces, or indented
        pass
    raise UsageError(f"{path}: nothing can be put behind what is written so", hint="add it with an editor")


def _rendered(spec: BucketSpec) -> bytes:
    """Return the entry of a bucket. A text in JSON is one in YAML, too."""
    uri = spec.uri if _PLAIN.fullmatch(spec.uri) else json.dumps(spec.uri)
    lines = [f"{uri}:"]
    if spec.contact:
        lines.append(f"  contact: {json.dumps(spec.contact)}")
    lines += [f"  prefix: {json.dumps(spec.prefix)}", f"  sequential: {json.dumps(spec.sequential)}"]
    if spec.exclude_jobs:
        lines.append(f"  exclude_jobs: {json.dumps(spec.exclude_jobs)}")
    return ("\n".join(lines) + "\n").encode()


def _without_comments(content: bytes) -> bytes:
    lines = (line.strip() for line in content.splitlines())
    return b"".join(line for line in lines if line and not line.startswith(b"#"))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
