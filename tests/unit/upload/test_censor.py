from __future__ import annotations

import base64
import html
import itertools
import json
import re
import urllib.parse
from collections.abc import Callable
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.censor import Censor
from upload.model import Case, Status

SECRET = "pä55/w0rd+\"<&>\\?\n'=~end"
PLAIN = "hunter2-hunter2"

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "json": lambda s: json.dumps(s)[1:-1],
    "json in utf-8": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json in json": lambda s: json.dumps(json.dumps({"a": s})),
    "go json": lambda s: json.dumps(s, ensure_ascii=False)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "url": lambda s: urllib.parse.quote(s, safe=""),
    "url path": urllib.parse.quote,
    "url form": urllib.parse.quote_plus,
    "url in lower case": lambda s: re.sub("%..", lambda m: m.group().lower(), urllib.parse.quote(s)),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of basic auth": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "base64 url-safe": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 of json": lambda s: base64.b64encode(json.dumps({"token": s}).encode()).decode(),
    "html": html.escape,
    "xml attribute": quoteattr,
}  # fmt: skip


@pytest.mark.parametrize("secret", [SECRET, PLAIN, "abcdefgh", "päßwörter", "a b c d e"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_secret_is_gone_in_every_form(form: Callable[[str], str], secret: str) -> None:
    """All but what stands around the secret is stars; base64 shares a character with each neighbour."""
    censored = Censor([secret]).text(f"<{form(secret)}>")

    assert len(censored.encode()) == len(f"<{form(secret)}>".encode())
    assert len(censored.replace("*", "")) <= len(f"<{form('')}>") + 4


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_at_every_alignment(before: int, after: int, encode: Callable[[bytes], bytes]) -> None:
    secret = b"\xfb\xff\xfe?>~secret-value"
    encoded = encode(b"x" * before + secret + b"y" * after)

    censored = Censor([secret]).data(encoded)

    assert len(censored) == len(encoded)
    assert censored.count(b"*") >= len(secret) * 8 // 6 - 1


@pytest.mark.parametrize(
    ("secrets", "text", "censored"),
    [
        ([PLAIN], f"a {PLAIN}{PLAIN} b", "a " + "*" * 30 + " b"),
        (["short12"], "short12", "short12"),
        (["12345678"], "x12345678y", "x********y"),
        (["abcdefghij", "fghijklmno"], "abcdefghijklmno!", "*" * 15 + "!"),
        (["abcdefgh", "abcdefghijkl"], "abcdefghijkl abcdefghijk", "*" * 12 + " " + "*" * 8 + "ijk"),
        (["aaaaaaaa"], "aaaaaaaaaaab", "*" * 11 + "b"),
        ([" padded-secret\n"], "padded-secret", "*" * 13),
        ([], PLAIN, PLAIN),
        ([""], "", ""),
    ],
    ids=["twice", "too short", "eight", "overlapping", "prefix", "itself", "padded", "none", "empty"],
)
def test_text_is_censored_by_as_many_stars(secrets: list[str], text: str, censored: str) -> None:
    assert Censor(secrets).text(text) == censored


def test_lines_of_a_key_are_censored_one_by_one() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])

    censored = Censor([key]).text("  | " + key.replace("\n", "\n  | "))

    stars = "*" * 32
    assert censored == f"  | -----BEGIN PRIVATE KEY-----\n  | {stars}\n  | {stars}\n  | -----END PRIVATE KEY-----\n  | "


@pytest.mark.parametrize(
    ("width", "newline", "indent"),
    [
        pytest.param(76, "\n", "", id="mime"),
        pytest.param(64, "\n", "", id="pem"),
        pytest.param(76, "\r\n", "", id="crlf"),
        pytest.param(64, "\\n", "", id="in-json"),
        pytest.param(76, "\n", "    ", id="indented-yaml"),
    ],
)
def test_base64_in_lines_is_found(width: int, newline: str, indent: str) -> None:
    secret = "a long credential of a robot account, longer than any line: " + "q1W2e3R4" * 12
    encoded = base64.b64encode(secret.encode()).decode()
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]

    censored = Censor([secret]).text("key: |\n" + newline.join(indent + line for line in lines) + "\n")

    assert set(censored) <= set("key: |*\n\r\\")


def test_secret_in_utf_16_is_found() -> None:
    assert Censor([PLAIN]).data(PLAIN.encode("utf-16")) == b"\xff\xfe" + b"*" * 30


@given(
    st.lists(
        st.binary(min_size=8, max_size=12) | st.sampled_from([b"aaaaaaaa", b"aaaaaaaab", b"abababab"]), max_size=4
    ),
    st.lists(st.integers(0, 300), max_size=8),
    st.binary(max_size=200) | st.text("ab", max_size=200).map(str.encode),
    st.data(),
)
def test_stream_is_censored_like_the_whole(
    secrets: list[bytes], cuts: list[int], filler: bytes, data: st.DataObject
) -> None:
    text = filler
    for secret in secrets:
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + secret + text[place:]
    edges = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
    chunks = [text[a:b] for a, b in itertools.pairwise(edges)]
    censor = Censor(secrets)

    assert b"".join(censor.stream(chunks)) == censor.data(text)


@given(
    st.lists(
        st.binary(min_size=8, max_size=12) | st.text("ab", min_size=8, max_size=10).map(str.encode),
        min_size=1,
        max_size=4,
    ),
    st.binary(max_size=100) | st.text("ab", max_size=100).map(str.encode),
)
def test_every_byte_of_every_secret_is_starred(secrets: list[bytes], text: bytes) -> None:
    text = text + secrets[0] + text
    starred = set()
    for secret in secrets:
        at = text.find(secret)
        while at >= 0:
            starred |= set(range(at, at + len(secret)))
            at = text.find(secret, at + 1)

    censored = Censor(secrets).data(text)

    assert len(censored) == len(text)
    assert {n for n in range(len(text)) if censored[n] == ord("*")} >= starred


@pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 1 << 17, 200_000])
def test_secret_across_large_chunks_is_found(size: int) -> None:
    text = b"x" * (size - 7) + PLAIN.encode() + b"y" * size
    chunks = [text[at : at + size] for at in range(0, len(text), size)]

    assert b"".join(Censor([PLAIN]).stream(chunks)) == text.replace(PLAIN.encode(), b"*" * 15)


@pytest.mark.parametrize("before_border", range(-2, 60))
def test_secret_at_any_place_around_a_border_is_found(before_border: int) -> None:
    size = 1 << 17
    place = size - before_border
    text = b"x" * place + PLAIN.encode() + b"y" * size

    assert b"".join(Censor([PLAIN]).stream((text[:size], text[size:]))) == text.replace(PLAIN.encode(), b"*" * 15)


def test_thousands_of_secrets_are_found_in_one_pass() -> None:
    secrets = [f"secret-number-{n:06d}" for n in range(3_000)]
    text = " ".join(secrets)

    assert Censor(secrets).text(text) == " ".join("*" * 20 for _ in secrets)


def test_case_is_censored_in_all_its_fields() -> None:
    case = Case(
        f"[{PLAIN}]", Status.FAILED, 1, PLAIN, f"no: {PLAIN}", f"out {PLAIN}", ((PLAIN, PLAIN),), ("#",), PLAIN, f"{PLAIN}.xml"
    )  # fmt: skip

    stars = "*" * 15
    assert Censor([PLAIN]).case(case) == Case(
        f"[{stars}]", Status.FAILED, 1, stars, f"no: {stars}", f"out {stars}", ((stars, stars),), ("#",), stars, f"{stars}.xml"
    )  # fmt: skip


def test_case_without_secrets_is_the_same_object() -> None:
    case = Case("[a]", Status.FAILED, text="no")

    assert Censor([PLAIN]).case(case) is case
