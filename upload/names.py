"""Published names: what a case is called in every dashboard, and which bytes of it had to change."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

LONGEST_NAME = 4_000
"""Characters. A longer name is cut: every reader holds all names of all builds in memory."""
CONTROL_PICTURES = 0x2400
"""First code point of the control pictures; ``upload.xml_text`` shows U+001B as U+241B, since XML cannot hold it."""

GINKGO_NODE = "[It] "
"""What stands before the title of every test in Ginkgo's JUnit, and so in the published name."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u2400-\u241f\ufffd-\uffff]")
_SUITE_NODE = re.compile(r"\[\w*(?:Before|After)Suite\b[^]]*\]|\[DeferCleanup \(Suite\)\]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


class PublishedName(NamedTuple):
    """A name that no reader breaks on, and what was changed in it, in words, empty if nothing."""

    name: str
    changes: tuple[str, ...] = ()


def published_name(name: str, classname: str) -> PublishedName:
    r"""Return the name under which a case is published: ``name`` if it begins with ``[``, else ``classname.name``.

    The rule looks at this case only, so that a row keeps its name when other cases come and go. What cannot be
    published is escaped as pytest escapes parameter ids (``\x1b``, ``\xe9``, ``\u4e2d``): two names that differ stay
    two names. Source: DESIGN section 7; consumers.md sections 2 and 5.
    """
    raw = name if name.startswith("[") else ".".join(part for part in (classname, name) if part)
    if raw and len(raw) <= LONGEST_NAME and raw.isascii() and raw.isprintable() and "#" not in raw:  # nearly all
        return PublishedName(raw)
    changes = []
    if not raw:
        raw = "unnamed"
        changes.append("no name")
    clean = _CONTROL.sub(_escape_control, raw)
    if clean != raw:
        changes.append("control characters")
    if "#" in clean:  # kettle drops names with "#" unless they failed: their passes would never be counted
        clean = clean.replace("#", "\\x23")
        changes.append("#")
    if not clean.isascii():  # the HTML page of 2017's test-history crashes on them, for every bucket
        clean = ascii_only(clean)
        changes.append("non-ASCII")
    if len(clean) > LONGEST_NAME:  # the hash keeps two names apart that begin alike
        clean = f"{clean[: LONGEST_NAME - 17]}~{sha256(clean.encode()).hexdigest()[:16]}"
        changes.append("length")
    return PublishedName(clean, tuple(changes))


def is_suite_node(name: str) -> bool:
    """Say whether a case is something that Ginkgo ran around the suite, under a name that it gives many times."""
    return name.startswith("[") and _SUITE_NODE.match(name) is not None


def ascii_only(text: str) -> str:
    """Return ``text`` with every character beyond ASCII as a backslash escape."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def one_line(text: str) -> str:
    """Return ``text`` as one line of printable ASCII: what an attribute of the published shape may hold."""
    if text.isascii() and text.isprintable():  # nearly all, and ten times faster
        return text
    return ascii_only(_CONTROL.sub(_escape_control, text))


def _escape_control(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if CONTROL_PICTURES <= code < CONTROL_PICTURES + 0x20:
        code -= CONTROL_PICTURES
        char = chr(code)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
