from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upload.long_text import LongText, shortened


@given(st.lists(st.text(max_size=12), max_size=12), st.integers(0, 10).map(lambda n: 2 * n))
def test_text_is_whole_or_its_two_ends_however_it_came(pieces: list[str], limit: int) -> None:
    long = LongText(limit)
    for piece in pieces:
        long.append(piece)

    whole = "".join(pieces)
    half = limit // 2
    missing = len(whole) - limit
    ends = f"{whole[:half]}\n… {missing} characters are left out here …\n{whole[len(whole) - half :]}"
    assert (long.is_cut, long.text()) == (missing > 0, ends if missing > 0 else whole)
    assert long.text() == shortened(whole, limit)


def test_memory_is_that_of_the_ends() -> None:
    long = LongText(100)
    for _ in range(1_000):
        long.append("x" * 30)

    assert long.kept <= 150
