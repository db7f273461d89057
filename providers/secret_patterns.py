"""Stars out of logs what looks like a secret, for those that nobody could tell the censor beforehand.

Bytes in, as many bytes out, piece by piece. What is known by its value is upload.censor's; API objects are redaction's.
A log loses a harmless word to it now and then, which is the better side to err on: a bucket is world-readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WINDOW_BYTES = 256 * 1024
HELD_BACK_BYTES = 32 * 1024
"""Longer than any secret that is looked for, so that one behind the cut of a window is looked at as a whole."""

# Each begins with a literal, which is what makes a search quick.
# a bootstrap token; its first six are looked back at
_TOKEN = re.compile(rb"\.(?<=[a-z0-9]{6}\.)(?<![A-Za-z0-9][a-z0-9]{6}\.)[a-z0-9]{16}(?![A-Za-z0-9])")
_TOKEN_ID = 6
_JWT = re.compile(rb"eyJ(?<![\w-]eyJ)[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.[\w-]{8,2048}")
_END_OF_KEY = rb"-----END [A-Z ]{0,20}PRIVATE KEY-----"
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:(?!-----END).){0,16384}(?:%s)?" % _END_OF_KEY, re.DOTALL
)
# what is left of a key whose beginning was cut off with the beginning of the log
_HEADLESS_KEY = re.compile(rb"(?:(?!-----BEGIN).){0,16384}?%s" % _END_OF_KEY, re.DOTALL)

# words in small letters, and what follows them when a secret does
_VALUE = rb"""[^\s"'\\,;&]{8,8192}"""
# token: "x", --token=x, "client-key-data": "x", {\"password\":\"x\"}
_SET_TO = re.compile(rb"""[\\"']{0,4}[ \t]{0,4}[:=][ \t]{0,4}[\\"']{0,4}(?P<value>%s)""" % _VALUE)
_ARGUMENT = re.compile(rb"[ \t]{1,4}(?P<value>%s)" % _VALUE)
_CREDENTIALS = re.compile(rb"[ \t]{1,4}(?P<value>[\w.~+/=-]{16,8192})")
_FOLLOWED = {
    **dict.fromkeys(
        (b"password", b"passwd", b"secret", b"token", b"certificate-key", b"certificatekey", b"client-key-data",
         b"access-key", b"accesskey", b"api-key", b"apikey", b"credential"), _SET_TO,
    ),
    **dict.fromkeys((b"--token", b"-bootstrap-token", b"--certificate-key", b"--password"), _ARGUMENT),
    **dict.fromkeys((b"bearer", b"basic"), _CREDENTIALS),
}  # fmt: skip
_NOT_NEWLINE = re.compile(rb"[^\n]")


class PatternCensor:
    """One text on its way through. ``feed`` returns what is settled, ``finish`` the rest."""

    def __init__(self) -> None:
        self._window = b""
        self._is_first = True

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece and return bytes that no later piece can change; often none."""
        self._window += chunk
        return self._settle(HELD_BACK_BYTES) if len(self._window) >= WINDOW_BYTES else b""

    def finish(self) -> bytes:
        """Return what was held back."""
        return self._settle(0)

    def _settle(self, held_back: int) -> bytes:
        text = bytearray(self._window)
        cut = len(text) - held_back
        for place, start, end in self._found():
            if place < cut:  # one behind may be longer than what is seen of it
                text[start:end] = _NOT_NEWLINE.sub(b"*", text[start:end])
        self._window, self._is_first = bytes(text[cut:]), False
        return bytes(text[:cut])

    def _found(self) -> Iterator[tuple[int, int, int]]:
        """Yield where what tells a secret begins, where the secret does, and where it ends."""
        text = self._window
        if self._is_first and (headless := _HEADLESS_KEY.match(text)):
            yield 0, 0, headless.end()
        for match in _TOKEN.finditer(text):
            yield match.start() - _TOKEN_ID, match.start() - _TOKEN_ID, match.end()
        for pattern in (_JWT, _PRIVATE_KEY):
            for match in pattern.finditer(text):
                yield match.start(), match.start(), match.end()
        lowered = text.lower()
        for word, pattern in _FOLLOWED.items():
            place = lowered.find(word)
            while place >= 0:
                behind = place + len(word)
                if found := pattern.match(text, behind):
                    yield place, *found.span("value")
                    behind = found.end()  # a hostile text must not cost its square
                place = lowered.find(word, behind)
