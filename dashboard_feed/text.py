"""Text from a bucket, made safe to show and to name files by. Whoever owns a bucket chooses every character in it."""

from __future__ import annotations

import hashlib
import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Controls, lone surrogates, private use, and formats that reorder or hide text (a name may not look like another one).
_UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def one_line(text: str, limit: int = 500) -> str:
    """Return text as one showable line of at most ``limit`` characters; the last one is ``…`` when it was cut."""
    shown = "".join(_showable(c) for c in " ".join(text[: limit * 2].split()))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def lines(text: str, limit: int = 20_000) -> str:
    """Return text with its line breaks, without terminal colours, at most ``limit`` characters: its head and its tail.

    A failure's reason stands at its beginning or its end, so the middle is what goes.
    """
    if len(text) > limit:
        cut = len(text) - limit
        text = f"{text[: limit // 2]}\n… {cut} characters left out …\n{text[-(limit // 2) :]}"
    if text.isascii() and text.isprintable():
        return text
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c in "\n\t" else _showable(c) for c in text)


def file_name(text: str) -> str:
    """Return a file name for any text: the text itself when it is plain, else a readable part and a hash.

    Different texts get different names, also on file systems that ignore case: ``=`` stands before a hash and in no
    plain name. A name is never hidden, never ``..``, at most 80 characters, and safe in a URL as it is.
    """
    if _PLAIN.fullmatch(text):
        return text
    readable = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:48].strip("-._")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable}={digest}" if readable else f"x={digest}"


def _showable(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    return REPLACEMENT if unicodedata.category(char) in _UNSHOWABLE else char
