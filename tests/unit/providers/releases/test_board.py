from __future__ import annotations

import pytest

from providers.releases.board import Board, joined
from providers.releases.sources import Progress


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], None),
        ([Progress("a", 1, 5, "bytes")], Progress("a", 1, 5, "bytes")),
        ([Progress("a", 1, 5, "bytes"), Progress("b", 2, 6, "bytes")], Progress("a, b", 3, 11, "bytes")),
        ([Progress("a", 1, 5, "bytes"), Progress("b", 2, 0, "bytes")], Progress("a, b", 3, 0, "bytes")),
        ([Progress("a", 9, 9, "bytes"), Progress("b", 2, 4, "packages")], Progress("b", 2, 4, "packages")),
        ([Progress("a", 9, 0, "modules"), Progress("b", 2, 4, "packages")], Progress("b", 2, 4, "packages")),
    ],
    ids=["nothing", "one", "added", "unknown-total", "build-after-download", "build-after-modules"],
)
def test_progress_of_several_workers_is_joined(parts: list[Progress], expected: Progress | None) -> None:
    assert joined(parts) == expected


def test_only_changes_are_told() -> None:
    told: list[Progress] = []
    board = Board(told.append)
    board.show()
    board.put(Progress("a", 1, 2, "bytes"))
    board.show()
    board.show()
    board.put(Progress("a", 2, 2, "bytes"))
    board.show()

    assert told == [Progress("a", 1, 2, "bytes"), Progress("a", 2, 2, "bytes")]
