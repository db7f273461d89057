"""The byte strings in which a secret may stand in a log, a document or a report."""

from __future__ import annotations

import json
from base64 import b64encode
from html import escape as html_escape
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape

SHORTEST_LINE = 16
"""A line of a longer secret counts by itself from this length on; shorter ones are often plain words."""

LINE_WIDTHS = (64, 76)


def forms_of(secret: bytes) -> frozenset[bytes]:
    """Return every form of ``secret`` that is searched for, its own bytes among them."""
    forms: set[bytes] = set()
    for part in _parts(secret):
        forms |= {part}
        forms |= _base64_forms(part)
        forms |= _url_forms(part)
        try:
            text = part.decode("utf-8")
        except UnicodeDecodeError:
            continue
        forms |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
        forms |= {form.encode() for form in (*_json_forms(text), *_xml_forms(text))}
        for escaped in {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]} - {text}:
            forms |= _base64_forms(escaped.encode())  # a credential file in JSON, inside a Secret
    return frozenset(forms)


def _parts(secret: bytes) -> set[bytes]:
    """Return the secret, the secret without white space around it, and its long lines (a PEM key in an indented log)."""
    parts = {secret, secret.strip()}
    lines = secret.splitlines()
    if len(lines) > 1:
        parts |= {line for raw in lines if len(line := raw.strip()) >= SHORTEST_LINE and not line.startswith(b"-----")}
    return parts - {b""}


def _base64_forms(secret: bytes) -> set[bytes]:
    """Return what stays the same of the secret's base64 whatever stands before and after it, in both alphabets."""
    forms = {b64encode(secret), b64encode(secret).rstrip(b"=")}
    for shift in range(3):  # bytes before it modulo three
        encoded = b64encode(bytes(shift) + secret)
        first = -(-8 * shift // 6)  # the first character that holds no bit of what stands before
        last = 8 * (shift + len(secret)) // 6
        forms.add(encoded[first:last])
    forms |= _wrapped(b64encode(secret))
    return forms | {form.replace(b"+", b"-").replace(b"/", b"_") for form in forms}


def _wrapped(encoded: bytes) -> set[bytes]:
    """Return what `base64` and PEM writers make of a long text: lines, together and each that is long by itself."""
    forms = set()
    for width in LINE_WIDTHS:
        lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
        if len(lines) > 1:
            forms |= {newline.join(lines) for newline in (b"\n", b"\r\n", b"\\n", b"\\r\\n")}
            forms |= {line for line in lines if len(line) >= SHORTEST_LINE}
    return forms


def _url_forms(secret: bytes) -> set[bytes]:
    quoted = {
        quote(secret, safe=""),
        quote(secret, safe="/"),
        quote_plus(secret),
        quote(secret, safe="/:@!$&'()*+,;=~"),
    }
    return {form.encode() for text in quoted for form in (text, _lower_hex(text))}


def _lower_hex(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _json_forms(text: str) -> set[str]:
    r"""Return the JSON spellings: Python's, raw UTF-8, Go's (``\u003c``), with ``\/``, and each inside a JSON string."""
    once = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    once |= {_go_json(form) for form in once}
    once |= {form.replace("/", "\\/") for form in once}
    return once | {json.dumps(form, ensure_ascii=False)[1:-1] for form in once}


def _go_json(form: str) -> str:
    return form.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _xml_forms(text: str) -> set[str]:
    """Return the spellings of the usual XML writers: lxml's, Python's html, Go's, each with escaped line breaks too."""
    bare = xml_escape(text)
    forms = {bare, html_escape(text), bare.replace('"', "&quot;"), bare.replace('"', "&quot;").replace("'", "&apos;")}
    forms.add(bare.replace('"', "&#34;").replace("'", "&#39;"))
    return forms | {
        form.replace("\n", newline).replace("\r", carriage).replace("\t", tab)
        for form in forms
        for newline, carriage, tab in (("&#10;", "&#13;", "&#9;"), ("&#xA;", "&#xD;", "&#x9;"))
    }
