"""Rules for the strings and numbers of a config, each a function from the value to the value or an ``expected`` error."""

from __future__ import annotations

import ast
import ipaddress
import re
import warnings
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic_core import PydanticCustomError

from providers.contracts import POD_NETWORKS
from providers.markers import NAMES as MARKER_NAMES
from providers.releases.forms import SOURCE, checkout_of
from providers.wording import nearest
from upload.errors import UsageError

MAX_DURATION_S: Final = 14 * 24 * 3600
_MAX_EXPRESSION: Final = 500
_MAX_PATH: Final = 1000
_REPEATED: Final = 256  # what is slow to check stands alike in most of a thousand configs

DURATION_PATTERN: Final = r"^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$"
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_JOB = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}")
_VERSION = re.compile(r"v\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?", re.ASCII)
_CHANNEL = re.compile(r"(?:release/stable|ci/latest)(?:-\d{1,4}\.\d{1,4})?", re.ASCII)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/[A-Za-z0-9._=+@-]+)*/?")
_SEGMENTS = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
# Source: consumers.md section 6, TestGrid's own configuration check.
_TESTGRID = re.compile(r"[a-zA-Z0-9_.~<>()|\[\]\",@/ –-]+")  # noqa: RUF001  # the en dash is TestGrid's
_TESTGRID_TAKEN = ("dashboard", "alerter", "summary", "bugs")


def expected(what: str, *, near: str = "", at: str = "", found: str = "") -> PydanticCustomError:
    """Return the error of a value that should have been ``what``.

    ``at`` and ``found``: the key below (dotted) and its value, when a whole section was checked.
    """
    context = {"expected": what, "nearest": near, "at": at, "found": found}
    return PydanticCustomError("expected", "expected {expected}", context)


def pod_network(text: str) -> str:
    """Return a network of ours, or the file of a manifest, which is looked for when the config is used."""
    if text in POD_NETWORKS or (text.endswith((".yaml", ".yml")) and text.isprintable() and len(text) <= _MAX_PATH):
        return text
    raise expected("vxlan, routes, or the file of a manifest, *.yaml", near=nearest(text, POD_NETWORKS))


def free_text(value: str) -> str:
    """Accept what a person writes, on one or more lines. Escapes and other control characters are refused."""
    if not value.replace("\n", "").isprintable():
        raise expected("text without control characters")
    return value.strip()


def job_name(value: str) -> str:
    """Accept a name that the bucket, Jenkins and TestGrid all take."""
    if not _JOB.fullmatch(value):
        raise expected("3 to 63 of a-z, 0-9, '.' and '-', beginning with a letter or digit")
    return testgrid_name(value)


def testgrid_name(value: str) -> str:
    """Accept a name of a TestGrid test group, dashboard or tab."""
    plain = normalised(value)
    if not _TESTGRID.fullmatch(value) or len(plain) < 3:
        raise expected(
            'a TestGrid name: at least three letters or digits, and of the rest only _.~<>()|[]",@/- and blanks'
        )
    if plain.startswith(_TESTGRID_TAKEN):
        raise expected(
            f"a TestGrid name that does not begin with {', '.join(_TESTGRID_TAKEN[:-1])} or {_TESTGRID_TAKEN[-1]}"
        )
    return value


def normalised(name: str) -> str:
    """Return what TestGrid compares names by: lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def kubernetes_marker(value: str) -> str:
    """Accept what names a Kubernetes version (DESIGN section 4)."""
    if _VERSION.fullmatch(value) or _CHANNEL.fullmatch(value) or value == "pinned":
        return value
    if value.startswith("file://"):
        if _file_uri_path(value):
            return value
        raise expected("file:// and an absolute folder, file:///srv/kubernetes/v1.36.3")
    if value.startswith(("https://", "http://")):
        return _https_folder(value)
    if value.startswith(SOURCE):
        try:
            checkout_of(value)
        except UsageError:
            raise expected("source: and an absolute folder, source:/home/me/kubernetes") from None
        return value
    forms = ("release/stable", "ci/latest", "pinned")
    near = "v" + value if _VERSION.fullmatch("v" + value) else nearest(value.rpartition("-")[0] or value, forms)
    raise expected(
        "vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y], pinned, file://DIR, https://DIR or source:DIR", near=near
    )


def _https_folder(value: str) -> str:
    try:
        parts = urlsplit(value)
        well_formed = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        well_formed = False
    if not well_formed or parts.scheme != "https" or not value.isprintable() or " " in value:
        raise expected("https:// and a folder of binaries with their .sha256 files")
    if parts.username is not None or parts.query or parts.fragment:
        raise expected("an https:// address without credentials, query or fragment")
    return value


def page_address(value: str) -> str:
    """Accept the https address of a page that people open."""
    try:
        parts = urlsplit(value)
        well_formed = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        well_formed = False
    if not well_formed or not re.fullmatch(r"https://[A-Za-z0-9.:/_~%?&=#+@,;-]{1,490}", value):
        raise expected("the https:// address of a page")
    return value


def duration_s(value: object) -> int:
    """Return the seconds of ``30m``, ``3h``, ``90s`` or ``1h30m``. Raises a ValueError that says so."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    parts = [int(part or 0) for part in found.groups()] if found else [0, 0, 0]
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    if not 0 < seconds <= MAX_DURATION_S:
        raise expected("a duration such as 30m, 3h, 90s or 1h30m, at most 336h")
    return seconds


def duration_text(seconds: int) -> str:
    """Return ``1h30m`` for 5400: the inverse of ``duration_s``."""
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n) or "0s"


@lru_cache(maxsize=_REPEATED)
def cidr(value: str) -> str:
    """Accept one IPv4 or IPv6 network whose host bits are zero."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        network = None
    if network is None or "/" not in value:
        raise expected("a network such as 10.244.0.0/16")
    if str(network) != value:
        raise expected("a network in its plain form, with all host bits zero", near=str(network))
    return value


def emails(value: str) -> str:
    """Accept one address, or several with commas between them, as TestGrid takes them."""
    if not all(_EMAIL.fullmatch(part.strip(" ")) for part in value.split(",")):
        raise expected("an e-mail address such as team@example.com, or several with commas between them")
    return value


def github_name(value: str) -> str:
    """Accept a GitHub user or organisation."""
    if not re.fullmatch(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}", value):
        raise expected("a GitHub name without @")
    return value


def party_name(value: str) -> str:
    """Accept the short name of whoever runs the tests."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", value):
        raise expected("up to 40 of a-z, 0-9 and '-'")
    return value


def bucket_prefix(value: str) -> str:
    """Accept test-history's prefix of a bucket: it stands before every job name of the party."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}:", value):
        near = f"{value}:" if re.fullmatch(r"[A-Za-z0-9._-]{1,40}", value) else ""
        raise expected("a word that ends in ':', such as \"example:\"", near=near)
    return value


def store_uri(value: str) -> str:
    """Accept gs://bucket[/path], file:///folder, or a folder relative to the working one."""
    scheme, separator, _ = value.partition("://")
    if separator and scheme == "gs":
        if _BUCKET.fullmatch(value) and ".." not in value.split("/"):
            return value
        raise expected("gs://bucket or gs://bucket/path")
    if separator and scheme != "file":
        raise expected("gs://bucket[/path], file:///folder or a folder", near=nearest(scheme, ("gs", "file")))
    path = _file_uri_path(value) if separator else value
    if not path or not path.isprintable() or path.startswith("~") or ".." in path.split("/"):
        raise expected("file:// and an absolute folder, or a folder; without '..' and '~'")
    return value


def _file_uri_path(uri: str) -> str:
    """Return the path of a plain ``file:///`` address with its percent codes read, or an empty string for any other."""
    path = unquote(uri.removeprefix("file://"))
    plain = re.fullmatch(r"file:///[^\s?#]+", uri) and path.isprintable()
    return path if plain else ""


def results_prefix(value: str) -> str:
    """Accept the folder of the store that the jobs lie in."""
    parts = value.split("/")
    if not _SEGMENTS.fullmatch(value) or any(part in (".", "..") for part in parts) or len(value) > 200:
        raise expected("a path such as logs: letters, digits, '.', '_', '-' and single '/', no '..'")
    if parts[0] == "pr-logs":
        raise expected("another folder than pr-logs, which holds the builds of pull requests", near="logs")
    return value


@lru_cache(maxsize=_REPEATED)
def marker_expression(value: str) -> str:
    """Accept what ``pytest -m`` takes: marker names, with keywords if wanted, joined by and, or, not and parentheses.

    pytest's own parser is private and slow to import; its grammar is a part of Python's. Nothing is evaluated here.
    """
    if len(value) > _MAX_EXPRESSION or "\\" in value:
        raise _no_expression()
    try:
        tree = ast.parse(value.strip(), mode="eval").body
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _no_expression() from None
    if not _selects(tree):
        raise _no_expression()
    return value


@lru_cache(maxsize=_REPEATED)
def suite_markers(expression: str) -> str:
    """Accept what ``marker_expression`` has accepted, if it names markers that cases of the suite can have.

    Another one would select nothing, or everything.
    """
    for node in ast.walk(ast.parse(expression.strip(), mode="eval")):
        if isinstance(node, ast.Name) and node.id not in MARKER_NAMES:
            raise expected("markers of the suite", near=nearest(node.id, MARKER_NAMES), found=node.id)
    return expression


def _selects(node: ast.expr) -> bool:
    match node:
        case ast.Name():
            return True
        case ast.BoolOp(values=parts):
            return all(_selects(part) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return _selects(part)
        case ast.Call(func=ast.Name(), args=[], keywords=[_, *_] as given):
            return all(k.arg and isinstance(k.value, ast.Constant) for k in given)
    return False


def _no_expression() -> PydanticCustomError:
    return expected('a pytest marker expression such as "conformance and not disruptive"')


def regex(value: str) -> str:
    """Accept a regular expression for case titles."""
    if len(value) > _MAX_EXPRESSION:
        raise _no_regex()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(value)
    except (re.error, OverflowError, RecursionError):
        raise _no_regex() from None
    return value


def _no_regex() -> PydanticCustomError:
    return expected("a regular expression of at most 500 characters")


def word(value: str) -> str:
    """Accept what can be an argument of a program."""
    if "\0" in value:
        raise expected("text without NUL")
    return value


def file_stem(value: str) -> str:
    """Accept a config's file name without ``.yaml``."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,40}", value) or value == "party":
        raise expected("up to 41 of a-z, 0-9, '.' and '-', beginning with a letter or digit, and not 'party'")
    return value
