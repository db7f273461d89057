"""A file in pieces over ways that are slow, cut, or both; time passes only while bytes are on the way."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
import requests

from tests.unit.upload.test_patience import Time
from upload.store._gcs_session import LARGEST_PIECE_BYTES, SMALLEST_PIECE_BYTES, Session, Source

MIB = 1024 * 1024


@dataclass
class Way:
    """A server behind a link of ``rate`` bytes per second that is reset after each ``reset_s`` of sending."""

    time: Time
    size_bytes: int
    rate: float
    reset_s: float = 1e9
    keeps_halves: bool = True
    kept: int = 0
    pieces: list[int] = field(default_factory=list)
    until_reset_s: float = 0.0

    def __post_init__(self) -> None:
        self.until_reset_s = self.reset_s

    def request(
        self, _method: str, _url: str, *, data: Iterable[bytes], headers: dict[str, str], **_: object
    ) -> object:
        if not data:
            return self._answer()
        self.pieces.append(len(data))  # type: ignore[arg-type]  # a piece has a length
        arrived = 0
        for block in data:
            arrived += len(block)
            self.time.now_s += len(block) / self.rate
            self.until_reset_s -= len(block) / self.rate
            if self.until_reset_s <= 0:
                self.until_reset_s = self.reset_s
                self.kept += arrived // SMALLEST_PIECE_BYTES * SMALLEST_PIECE_BYTES if self.keeps_halves else 0
                raise requests.ConnectionError("reset")
        self.kept += arrived
        return self._answer()

    def _answer(self) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200 if self.kept == self.size_bytes else 308
        answer._content = json.dumps({"size": self.kept}).encode()  # a response has no other maker
        if self.kept:
            answer.headers["range"] = f"bytes=0-{self.kept - 1}"
        return answer


class Zeros(io.RawIOBase):
    """A file without content: as many zeros as one asks for."""

    def seek(self, offset: int, _whence: int = 0) -> int:
        return offset

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def send(way: Way) -> object:
    source = Source(Zeros(), way.size_bytes, "AAAAAA==", "gs://b/x")  # type: ignore[arg-type]
    numbers = itertools.count()
    return Session(source, lambda: f"http://s/{next(numbers)}", way.request, way.time.patience()).send()  # type: ignore[arg-type]


def test_pieces_grow_while_they_come_through_quickly() -> None:
    way = Way(Time(), 600 * MIB, rate=1000 * MIB)

    assert send(way) == {"size": 600 * MIB}
    assert way.pieces == [size * MIB for size in (8, 16, 32, 64, 128, 128, 128, 96)]
    assert max(way.pieces) == LARGEST_PIECE_BYTES


def test_pieces_on_a_slow_way_stay_as_long_as_a_request_may_be_lost() -> None:
    way = Way(Time(), 40 * MIB, rate=0.25 * MIB)

    assert send(way) == {"size": 40 * MIB}
    assert way.pieces == [size * MIB for size in (8, 4, 4, 4, 4, 4, 4, 4, 4)]


@pytest.mark.parametrize("keeps_halves", [True, False])
def test_slow_way_that_is_reset_again_and_again_is_gone_to_its_end(keeps_halves: bool) -> None:
    # a piece of 8 MiB takes longer than trying again may
    way = Way(Time(), 30 * MIB, rate=0.05 * MIB, reset_s=130.0, keeps_halves=keeps_halves)

    assert send(way) == {"size": 30 * MIB}


def test_way_that_lets_nothing_through_is_given_up() -> None:
    way = Way(Time(), 30 * MIB, rate=10 * MIB, reset_s=0.01, keeps_halves=False)

    with pytest.raises(requests.ConnectionError):
        send(way)
    assert way.time.now_s < 200
