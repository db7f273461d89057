"""Joins the progress of several workers into one line, told by the thread that waits for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from providers.releases.sources import Progress

_LATER = ("bytes", "modules", "packages")  # what a program goes through, in order


class Board:
    """``put`` may be called by any thread; ``show`` by the one that owns the display."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._latest: dict[str, Progress] = {}
        self._shown: Progress | None = None

    def put(self, progress: Progress) -> None:
        """Remember how far one worker is."""
        self._latest[progress.program] = progress

    def show(self) -> None:
        """Tell how far they are together, if that has changed."""
        whole = joined(list(self._latest.values()))
        if whole is not None and whole != self._shown:
            self._shown = whole
            self._tell(whole)


def joined(parts: Sequence[Progress]) -> Progress | None:
    """Return one progress for all parts of the latest unit: names joined, counts added, total 0 if one is unknown."""
    if not parts:
        return None
    unit = max((part.unit for part in parts), key=_LATER.index)
    same = [part for part in parts if part.unit == unit]
    total = sum(part.total for part in same) if all(part.total for part in same) else 0
    return Progress(", ".join(part.program for part in same), sum(part.done for part in same), total, unit)
