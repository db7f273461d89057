from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.long_text import LONGEST_WORD, LongText, shortened


@given(st.lists(st.text(max_size=12), max_size=12), st.integers(0, 10).map(lambda n: 2 * n))
def test_text_is_whole_or_its_two_ends_however_it_came(pieces: list[str], limit: int) -> None:
    long = LongText(limit)
    for piece in pieces:
        long.append(piece)

    whole = "".join(pieces)
    head, tail = whole[: limit // 2], whole[len(whole) - limit // 2 :]
    while head and not head[-1].isspace():
        head = head[:-1]
    while tail and not tail[0].isspace():
        tail = tail[1:]
    ends = f"{head}\n… {len(whole) - len(head) - len(tail)} characters are left out here …\n{tail}"
    is_cut = len(whole) > limit
    assert (long.is_cut, long.text()) == (is_cut, ends if is_cut else whole)
    assert long.text() == shortened(whole, limit)


@pytest.mark.parametrize("place", range(40))
def test_no_part_of_a_word_on_the_cut_is_kept(place: int) -> None:
    text = "a " * 20 + "x" * place + " hunter2-hunter2 " + "y" * (40 - place) + " b" * 2000

    assert not set("hunter") & set(shortened(text, 100).replace("characters are left out here", ""))


def test_memory_is_that_of_the_ends() -> None:
    long = LongText(100)
    for _ in range(1_000):
        long.append("x" * 30)

    assert long.kept <= 150 + 2 * LONGEST_WORD


@pytest.mark.parametrize("length", [105, 30_000], ids=["little-is-left-out", "much-is-left-out"])
@pytest.mark.parametrize("place", range(0, 60, 3))
def test_no_part_of_a_secret_with_blanks_on_a_cut_is_kept(place: int, length: int) -> None:
    secret = "correct horse battery"
    text = "- " * 20 + "-" * (place % 2) + " " * (place // 2) + secret
    text = text + " -" * ((length - len(text)) // 2) + " " + secret + " " * place
    long = LongText(100, lambda text: text.replace(secret, "*" * len(secret)))
    for start in range(0, len(text), 7):
        long.append(text[start : start + 7])

    ends = long.text().replace(secret, "")
    assert [word for word in secret.split() if word in ends] == []
