"""What failures of one cause have in common: their text without times, addresses, identifiers and an order of chance.

The rules are triage's, to the byte, so that keys and ids are the same as there.
Source: kubernetes/test-infra triage/summarize/text.go; consumers.md section 7.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from zlib import crc32

LONGEST = 10_000
CUT = "\n...[truncated]...\n"
LONGEST_LINE = 500
NGRAM_BUCKETS = 64

_TIME = re.compile(
    r"[A-Z][a-z]{2}, \d+ \w+ 2\d{3} [\d.-: ]*(?:[-+]\d+)?"
    r"|\w{3}\s+\d{1,2} \d+:\d+:\d+(?:\.\d+)?|(?:\d{4}-\d\d-\d\d.|.\d{4} )\d\d:\d\d:\d\d(?:.\d+)?",
    re.ASCII,
)
_UNIQUE = re.compile(
    r"(0x[0-9a-fA-F]+"
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d+)?"
    r"|[0-9a-fA-F]{8}-\S{4}-\S{4}-\S{4}-\S{12}(?:-\d+)?"
    r"|[0-9a-f]{12,32}"
    r"|(?:minion-group-|default-pool-)[-0-9a-z]{4,})",
    re.ASCII,
)
_OVER_LINES = re.compile(r"\w{3}[^\S\n]*\n\s*\d{1,2} \d+:", re.ASCII)
_MAP = re.compile(r"map\[([^][]*)\]")


def normalize(text: str) -> str:
    """Return a failure's text with times as ``TIME`` and what is unique as ``UNIQ1``, ``UNIQ2``, at most 10,000 long."""
    if "map[" in text or _OVER_LINES.search(text):
        text = _MAP.sub(_sorted_map, _TIME.sub("TIME", text))
        pieces = [_UNIQUE.split(text)]
    else:  # nothing of either pattern goes over a line's end, and most lines are those of other failures
        pieces = [_pieces(line) if len(line) <= LONGEST_LINE else _split(line) for line in text.split("\n")]
    seen: dict[str, str] = {}
    text = "\n".join(line[0] if len(line) == 1 else _numbered(line, seen) for line in pieces)
    if len(text) > LONGEST:
        text = _without_repeated_lines(text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}{CUT}{text[-(LONGEST // 2) :]}"
    return text


def cluster_id(key: str) -> str:
    """Return triage's id of a cluster: 20 hex digits of a histogram of the four-byte pieces of its key."""
    content = key.encode("utf-8", "replace")
    counts = [0] * NGRAM_BUCKETS
    for start in range(len(content) - 3):
        counts[crc32(content[start : start + 4]) & (NGRAM_BUCKETS - 1)] += 1
    return hashlib.sha1(str(counts).encode("ascii"), usedforsecurity=False).hexdigest()[:20]


def common_spans(texts: list[str]) -> list[int]:
    """Return lengths in the first text, in turn of what all texts have and what they do not all have."""
    common = set(_WORDS.findall(texts[0])).intersection(*(_WORDS.findall(text) for text in texts[1:]))
    spans: list[int] = []
    length, is_common = 0, True
    for word in _WORDS.findall(texts[0]):
        if (word in common) != is_common:
            spans.append(length)
            length, is_common = 0, not is_common
        length += len(word)
    return [*spans, length] if length else spans


_WORDS = re.compile(r"\w+|\W+", re.ASCII)


def _split(line: str) -> list[str]:
    """Return a line in pieces, every second one unique."""
    return _UNIQUE.split(_TIME.sub("TIME", line))


@lru_cache(maxsize=1 << 14)
def _pieces(line: str) -> list[str]:
    return _split(line)


def _numbered(pieces: list[str], seen: dict[str, str]) -> str:
    return "".join(
        seen.setdefault(piece, f"UNIQ{len(seen) + 1}") if index % 2 else piece for index, piece in enumerate(pieces)
    )


def _sorted_map(found: re.Match[str]) -> str:
    """Go prints maps in an order of chance."""
    return f"map[{' '.join(sorted(found[1].split(' ')))}]"


def _without_repeated_lines(text: str) -> str:
    return "\n".join(dict.fromkeys(text.split("\n")))
