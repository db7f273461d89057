from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.hosts.sections import Begin, End, More, sections

Part = tuple[bytes, bytes, int | None, int]
PARTS = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=30),
        st.lists(st.sampled_from([b"\n", b" ", b"== ", b"== end 0 1\n", b"x", b"\0\xff"]), max_size=12).map(b"".join),
        st.none() | st.integers(0, 255),
        st.integers(0, 10**12),
    ),
    max_size=4,
)


def printed(parts: Iterable[Part]) -> bytes:
    """Return what dump.sh prints for (name, content, code, bytes)."""
    text = b""
    for name, content, code, total in parts:
        # as sed 's/^/ /' does it: an unfinished last line stays so
        lines = b"".join(b" " + line + b"\n" for line in content.split(b"\n"))[:-1] if content else b""
        lines = lines.removesuffix(b" ") if content.endswith(b"\n") else lines
        said = b"skipped" if code is None else b"%d" % code
        text += b"== %s\n%s\n== end %s %d\n" % (base64.b64encode(name), lines, said, total)
    return text


def read(text: bytes, piece: int = 1 << 20) -> list[Part | More]:
    """Return (name, content, code, bytes) of each part; a part without an end has -1 in both."""
    found: list[Part | More] = []
    name = content = b""
    is_open = False
    for item in sections(text[start : start + piece] for start in range(0, len(text), piece)):
        if isinstance(item, Begin):
            name, content, is_open = item.name, b"", True
        elif isinstance(item, bytes):
            content += item
        elif isinstance(item, End):
            found.append((name, content, item.code, item.total_bytes))
            is_open = False
        else:
            found.append(item)
    return [*found, (name, content, -1, -1)] if is_open else found


@given(PARTS, st.integers(1, 40))
@example([(b"a", b"", 0, 0)], 1)
@example([(b"a", b"\n\n== end 0 0\n", 1, 2), (b"b", b"x", None, 7)], 3)
def test_parts_come_out_as_they_went_in(parts: list[Part], piece: int) -> None:
    assert read(printed(parts) + b"== more 3\n", piece) == [*parts, More(3)]


@given(PARTS, st.integers(0, 300))
def test_a_stream_that_is_cut_gives_what_came(parts: list[Part], cut: int) -> None:
    """What may belong to the fence is held back, so that a few bytes can be missing."""
    text = printed(parts)
    found = read(text[:cut], 7)

    whole = [part for part in found if isinstance(part, tuple) and part[2] != -1]
    assert whole == parts[: len(whole)]
    if len(found) > len(whole):
        assert isinstance(found[-1], tuple)
        name, content, _, _ = parts[len(whole)]
        assert (found[-1][0], content.startswith(found[-1][1])) == (name, True)


@given(st.binary(max_size=200))
@example(b"== eA==\nno blank\n== end 0 1\n")
def test_garbage_ends_in_an_error_or_in_parts(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        read(b"== eA==\n" + text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"hello\n", "a part was expected"),
        (b"== \xff\n", "a name was expected"),
        (b"== \n", "a part has no name"),
        (b"== eA==\n\n== end zero 0\n", "the end of a part was expected"),
        (b"== eA==\n\n== end 0 99999999999999999999\n", "the end of a part was expected"),
        (b"x" * 20_000, "a line has no end"),
    ],
)
def test_what_no_script_of_ours_prints_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(text)
