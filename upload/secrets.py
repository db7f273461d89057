"""Where a runner's own secrets stand: environment variables and the files of the credential chains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from upload.censor import SHORTEST

LARGEST_FILE_BYTES = 1 << 20
"""A credential file is small; what is larger is not read."""

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASS|KEY|CRED", re.IGNORECASE)
_PUBLIC_NAME = re.compile(r"_ur[il]$|_file$|_path$", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"""^\s*(?:export\s+)?["']?([\w.-]+)["']?\s*[:=]\s*(\S.*)$""")
_NETRC = re.compile(r"\bpassword\s+(\S+)")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def environment_secrets(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the values of all variables named like a secret, from eight bytes on, a path as well as a password.

    Names: those that contain TOKEN, SECRET, PASS, KEY or CRED in any case. Source: DESIGN section 7.
    """
    values = (value for name, value in environment.items() if _SECRET_NAME.search(name))
    return _long_enough(values)


def file_secrets(path: Path) -> frozenset[str]:
    """Return the secrets in a credential file; none if it is absent, unreadable, no file or larger than 1 MiB.

    JSON: values whose key is named like a secret, and not ``*_uri``, ``*_url``, ``*_file``, ``*_path``. Other text:
    ``key = value`` and ``key: value`` lines by the same names, netrc passwords, private keys; a file of one line is a
    token as a whole.
    """
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE_BYTES:
            return frozenset()
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # what this user cannot read, this run cannot print
        return frozenset()
    try:
        return _long_enough(_of_json(json.loads(text), named=False))
    except (ValueError, RecursionError):
        return _long_enough(_of_text(text))


def _long_enough(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value for value in values if len(value.encode("utf-8", "surrogateescape")) >= SHORTEST)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_NAME.search(name)


def _of_json(value: object, *, named: bool) -> Iterator[str]:
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of_json(inner, named=named or _is_secret(str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(inner, named=named)


def _of_text(text: str) -> Iterator[str]:
    lines = text.strip().splitlines()
    if len(lines) == 1 and not _ASSIGNMENT.match(lines[0]):
        yield lines[0].strip()
    for line in lines:
        if (match := _ASSIGNMENT.match(line)) and _is_secret(match.group(1)):
            yield match.group(2).strip().strip("\"'")
    yield from _NETRC.findall(text)
    yield from _PRIVATE_KEY.findall(text)
