from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.secret_patterns import HELD_BACK_BYTES, WINDOW_BYTES, PatternCensor

TOKEN = b"abcdef.0123456789abcdef"
JWT = b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl-_x"
# said in two pieces, so that no search for keys in this repository takes it for one
BEGIN, END = b"-----BEGIN RSA PRIVATE" + b" KEY-----", b"-----END RSA PRIVATE" + b" KEY-----"
KEY = BEGIN + b"\nMIIEpAIBAAKCAQEA\nqqqq==\n" + END
LOG = b'I1123 06:24:52.470120 812 reconciler.go:224] "started" pod="default/web-0" token="sa" secret "x" not found\n'


def stars(text: bytes) -> bytes:
    return re.sub(rb"[^\n]", b"*", text)


def censored(text: bytes, piece: int = 1 << 30) -> bytes:
    censor = PatternCensor()
    fed = [censor.feed(text[start : start + piece]) for start in range(0, len(text), piece)]
    return b"".join((*fed, censor.finish()))


@pytest.mark.parametrize(
    ("before", "secret", "behind"),
    [
        (b"using token: ", TOKEN, b"\n"),
        (b"kubeadm join 10.0.0.1:6443 --token ", TOKEN, b" --discovery"),
        (b"(", TOKEN, b")"),
        (b"Authorization: Bearer ", JWT, b"\r\n"),
        (b'"', JWT, b'"'),
        (b"", KEY, b"\nnext"),
        (b'{"key":"', KEY.replace(b"\n", rb"\n"), b'"}'),
        (b"--certificate-key ", b"0a" * 32, b"\n"),
        (b"certificateKey: ", b"0a" * 32, b"\n"),
        (b"    client-key-data: ", b"LS0tLS1CRUdJTiBS", b"\n"),
        (b"DB_PASSWORD=", b"hunter2hunter2", b" other=1"),
        (rb"{\"password\":\"", b"hunter2hunter2", rb"\"}"),
        (b"Proxy-Authorization: basic ", b"dXNlcjpwYXNzd29yZA==", b"\n"),
    ],
)
def test_what_looks_like_a_secret_becomes_as_many_stars(before: bytes, secret: bytes, behind: bytes) -> None:
    assert censored(LOG + before + secret + behind + LOG) == LOG + before + stars(secret) + behind + LOG


@pytest.mark.parametrize(
    "text",
    [
        LOG,
        b"pod/coredns-7d764666f9-5x2bd.18a1b2c3d4e5f607 event\n",  # five letters before the dot
        b"image sha256:" + b"0a" * 32 + b"\n",
        b"--tls-private-key-file=/var/lib/kubelet/pki/x --service-account-key-file=/etc/kubernetes/pki/sa.pub\n",
        b"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n",
        bytes(range(256)) * 8,
        b"",
    ],
    ids=["kubelet", "event", "digest", "paths", "certificate", "garbage", "nothing"],
)
def test_what_does_not_stays(text: bytes) -> None:
    assert censored(text) == text


def test_a_key_whose_beginning_is_cut_off_goes_to_its_end() -> None:
    half = KEY[len(BEGIN) + 4 :]

    assert censored(half + b"\n" + LOG) == stars(half) + b"\n" + LOG


@settings(max_examples=60)
@given(
    st.sampled_from([WINDOW_BYTES - HELD_BACK_BYTES, WINDOW_BYTES]),
    st.integers(0, len(KEY)),
    st.sampled_from([TOKEN, JWT, KEY]),
)
def test_a_secret_is_found_wherever_a_window_ends_or_is_cut(place: int, offset: int, secret: bytes) -> None:
    before = b"#" * (place - offset - 1) + b" "
    text = before + secret + b" " + b"#" * 300_000

    assert censored(text, 4096) == text.replace(secret, stars(secret))


@given(st.binary(max_size=400), st.integers(1, 50))
def test_pieces_do_not_matter_and_nothing_is_lost(text: bytes, piece: int) -> None:
    assert len(censored(text, piece)) == len(text)
    assert censored(text, piece) == censored(text)


@pytest.mark.parametrize("piece", [b"token:", b"eyJ", b"eyJa.", b"bearer ", BEGIN, END, b"a.", b"\\"])
def test_a_text_that_is_all_beginnings_costs_no_square(piece: bytes) -> None:
    """Each would take minutes if every place were looked at to the end."""
    text = piece * (600_000 // len(piece))

    assert len(censored(text, 1 << 18)) == len(text)
