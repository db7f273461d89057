"""Which builds of a job are new. It costs requests for what is new, not for what is known.

An offset of a listing is compared as text, so it is used only where all ids have one width. There are three ways:

- ids of one width: listed from the newest known one on. Where nothing is new, ``latest-build.txt`` says whether ids have
  become wider meanwhile (999 → 1000 sorts before the offset); without that object all ids are listed once a day.
- a job that counts 1, 2, 3 by its federation file: walked up from the newest known one to ``latest-build.txt``.
- any other job: all its ids are listed and compared as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S, number_s
from dashboard_feed.places import list_ids
from upload.errors import TooLarge
from upload.layout import ID_DIGITS, as_integer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard_feed.places import JobPlace
    from dashboard_feed.warehouse.manifest import PlaceState
    from upload.store import Store

MOST_IDS = 500_000
LONGEST_WALK = 500
LONGEST_ID = 64
WHOLE_EVERY_S = DAY_S
WHOLE_AGAIN_S = 3_600


@dataclass(frozen=True, slots=True)
class News:
    """The builds to be read of one job, oldest first, and what is known once they are.

    ``known``: the state with ``newest`` as it was; whoever reads moves it on. ``older``: ids that are left out, since the
    job has more than are wanted of one that is read for the first time. ``is_whole``: all ids were listed, then ``odd``
    are some that are no integers; ``is_cut``: there are too many to be listed.
    """

    numbers: tuple[str, ...]
    known: PlaceState
    older: int = 0
    odd: tuple[str, ...] = ()
    is_whole: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a job. ``history``: builds of one that is new; ``oldest_s``: times in ids before it are left out."""

    now_s: int
    history: int
    oldest_s: int = 0
    counts: bool = False


def find_news(store: Store, place: JobPlace, known: PlaceState, wanted: Wanted) -> News:
    """Return what is new in a place. Raises StoreError."""
    if not known.newest:
        return _whole(store, place, known, wanted)
    if known.width:
        ids = list(islice(list_ids(store, place, start=known.newest), MOST_IDS))
        numbers = _newer(ids, known.newest)
        if numbers:
            is_even = all(len(number) == known.width for number in numbers)
            return News(numbers, replace(known, width=known.width if is_even else 0))
        latest = _latest(store, place)
        if latest == int(known.newest):
            return News((), known)
        pause_s = WHOLE_AGAIN_S if latest and latest > int(known.newest) else WHOLE_EVERY_S
        is_due = wanted.now_s - known.whole_s >= pause_s
        return _whole(store, place, known, wanted) if is_due else News((), known)
    if wanted.counts:
        latest = _latest(store, place)
        if latest is not None and 0 <= latest - int(known.newest) <= LONGEST_WALK:
            return News(tuple(str(n) for n in range(int(known.newest) + 1, latest + 1)), known)
    return _whole(store, place, known, wanted)


def _whole(store: Store, place: JobPlace, known: PlaceState, wanted: Wanted) -> News:
    """List all ids."""
    ids = list(islice(list_ids(store, place), MOST_IDS + 1))
    plain = [number for number in ids if _is_plain(number)]
    odd = tuple(sorted(number for number in ids if not _is_plain(number))[:5])
    widths = {len(number) for number in plain}
    numbers = _newer(plain, known.newest)
    # only one in vain makes the next wait, where a wrong latest-build.txt promises more than there is
    whole_s = wanted.now_s if known.newest and not numbers else wanted.now_s - WHOLE_AGAIN_S
    state = replace(known, width=widths.pop() if len(widths) == 1 else 0, whole_s=whole_s if plain else 0)
    recent = numbers if known.newest else tuple(n for n in numbers if not _is_before(n, wanted.oldest_s))
    if not known.newest:
        recent = recent[-wanted.history :]
        state = replace(state, newest=numbers[-1] if numbers and not recent else "")
    return News(recent, state, older=len(numbers) - len(recent), odd=odd, is_whole=True, is_cut=len(ids) > MOST_IDS)


def _newer(ids: Iterable[str], newest: str) -> tuple[str, ...]:
    than = int(newest) if newest else -1
    return tuple(sorted({n for n in ids if _is_plain(n) and int(n) > than}, key=int))


def _is_plain(number: str) -> bool:
    return len(number) <= LONGEST_ID and as_integer(number) is not None


def _is_before(number: str, oldest_s: int) -> bool:
    told = number_s(number) if len(number) == ID_DIGITS else None
    return told is not None and told < oldest_s


def _latest(store: Store, place: JobPlace) -> int | None:
    try:
        stored = store.read(place.latest, limit_bytes=4096)
    except TooLarge:
        return None
    text = stored.body.decode("utf-8", "replace").strip() if stored else ""
    return as_integer(text) if len(text) <= LONGEST_ID else None
