"""Bytes of an XML file as text that a parser accepts: decoded, and without characters that XML forbids."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from upload.names import CONTROL_PICTURES

CHUNK_BYTES = 1 << 16

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# references to the same characters: Go's writers put them in; a parser stops at the first
_FORBIDDEN_REFERENCE = re.compile(
    r"&#(?:0*([0-8]|1[124-9]|2[0-9]|3[01])|[xX]0*([0-8bBcCeEfF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[eEfF]));"
)
_LONGEST_REFERENCE = 16
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that one's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# codecs that are no encoding of a file, or cost more than linear time
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "utf-7"}


class _Decoder(Protocol):
    errors: str

    def decode(self, data: bytes, /, final: bool = False) -> str: ...


class XMLText:
    """The text of one XML file, in chunks. ``flaws`` tells afterwards what had to be replaced on the way.

    ``flaws``: ``bytes`` (not of the file's encoding), ``encoding`` (unknown, read as UTF-8), ``characters`` (forbidden
    in XML; control characters become their pictures, so that U+001B is shown as U+241B). ``size_bytes``: read so far.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.flaws: set[str] = set()
        self.size_bytes = 0

    def chunks(self) -> Iterator[str]:
        """Yield the text in order, never empty strings. A reference is never cut in two."""
        head = self._read()
        decoder, skipped = self._decoder(head)
        chunk, held, started = head[skipped:], "", False
        while True:
            final = not chunk
            text = held + self._decode(decoder, chunk, final=final)
            if not started:  # a line break before <?xml is an error to a parser, and common
                text = text.lstrip("\ufeff \t\r\n")
                started = bool(text)
            text, held = (text, "") if final else _hold_back(text)
            if text:
                yield self._legal(text)
            if final:
                return
            chunk = self._read()

    def _read(self) -> bytes:
        chunk = self._stream.read(CHUNK_BYTES)
        self.size_bytes += len(chunk)
        return chunk

    def _decoder(self, head: bytes) -> tuple[_Decoder, int]:
        for mark, name in _MARKS:
            if head.startswith(mark):
                return codecs.getincrementaldecoder(name)(), len(mark)
        if head[:4] == b"<\0?\0":
            return codecs.getincrementaldecoder("utf-16-le")(), 0
        if head[:4] == b"\0<\0?":
            return codecs.getincrementaldecoder("utf-16-be")(), 0
        declared = _DECLARED.search(head[:512])
        name = _known_encoding(declared.group(1).decode()) if declared else "utf-8"
        if not name:
            self.flaws.add("encoding")
        return codecs.getincrementaldecoder(name or "utf-8")(), 0

    def _decode(self, decoder: _Decoder, chunk: bytes, *, final: bool) -> str:
        try:
            return decoder.decode(chunk, final)
        except UnicodeError:
            self.flaws.add("bytes")
            decoder.errors = "replace"  # from here on; what was decoded before stands
            return decoder.decode(chunk, final)

    def _legal(self, text: str) -> str:
        legal = _FORBIDDEN.sub(_picture, text)
        if "&#" in legal:
            legal = _FORBIDDEN_REFERENCE.sub(_picture_of_reference, legal)
        if legal is not text and legal != text:
            self.flaws.add("characters")
        return legal


def printable(text: str) -> str:
    """Return ``text`` with characters that XML forbids replaced: control characters by their pictures."""
    return _FORBIDDEN.sub(_picture, text)


def _known_encoding(declared: str) -> str:
    """Return the codec of a declared encoding, or "" when there is none that decodes text."""
    try:
        name = codecs.lookup(declared).name
        b"a".decode(name, "replace")  # a LookupError for "hex" and others that give no text
    except (LookupError, UnicodeError):
        return ""
    if name.startswith(("utf-16", "utf-32")):  # the declaration could be read byte by byte: it is not that
        return "utf-8"
    return "" if name in _REFUSED else name


def _hold_back(text: str) -> tuple[str, str]:
    """Split off a reference that the end of a chunk may have cut."""
    start = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
    if start < 0 or ";" in text[start:]:
        return text, ""
    return text[:start], text[start:]


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(CONTROL_PICTURES + code) if code < 0x20 else "\ufffd"


def _picture_of_reference(match: re.Match[str]) -> str:
    decimal, hexadecimal = match.groups()
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(CONTROL_PICTURES + code) if code < 0x20 else "\ufffd"
