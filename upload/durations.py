"""Seconds as JUnit writers spell them: plain, with thousands separators, decimal commas, units or clocks."""

from __future__ import annotations

import math
import re

LONGEST_S = 1e10
"""Three centuries. A larger "time" is a nanosecond count or garbage; readers would draw nonsense."""

_PLAIN = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]+")
_CLOCK = re.compile(r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)")
_UNITS = re.compile(r"(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?(?:([0-9.]+)ms)?")


def parse_seconds(text: str) -> float | None:
    """Return the seconds that ``text`` means, >= 0 and finite; None when it means none.

    ``1,234`` is a thousand (Surefire writes ``1,234.5``), ``0,234`` and ``12,5`` have a decimal comma.
    Units: seconds unless it says ``h``, ``m``, ``s`` or ``ms``; ``1:02:03.5`` is a clock.
    """
    if len(text) < 16 and _PLAIN.fullmatch(text):  # nearly all
        value: float | None = float(text)
    else:
        value = _value(text.strip().replace("\u00a0", "").replace(" ", "")[:64])
    return value if value is not None and math.isfinite(value) and 0 <= value < LONGEST_S else None


def plain_seconds(seconds: float) -> str:
    """Return ``seconds`` as a plain decimal with at most six places, no exponent, no trailing zeros."""
    if not 0 < seconds < LONGEST_S:  # also NaN and -0.0
        return "0"
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _value(text: str) -> float | None:
    if _PLAIN.fullmatch(text):
        return float(text)
    if _THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    if _DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if text and (units := _UNITS.fullmatch(text)):
        return _sum_units(units.groups(default="0"))
    return None


def _sum_units(parts: tuple[str, ...]) -> float | None:
    try:
        hours, minutes, seconds, milliseconds = (float(part) for part in parts)
    except ValueError:  # "1.2.3s"
        return None
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
