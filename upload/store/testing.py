"""The promises of a store as checks that anybody may run on theirs: ``for check in CONTRACT: check(open_empty_store())``.

Each check takes an empty store and raises AssertionError with what was promised. They run on folders, on a fake server,
through a faulty network, and may run on a real bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

from upload.errors import PreconditionFailed, StoreError
from upload.layout import NO_CACHE
from upload.model import Put
from upload.store.base import ClearableStore, Entry, Store, Stored

Check = Callable[[Store], None]

_WRITERS = 8
_BAD_NAMES = ("", "/abs", "../up", "a/../b", "a//b", "a/", "new\nline", "nul\0", "x" * 1025, "\udc80")


def _text(path: str, body: bytes | Path = b"body", **rest: object) -> Put:
    return replace(Put(path, body, "text/plain"), **rest)  # type: ignore[arg-type]  # keyword arguments of Put


def reads_back_what_was_put(store: Store) -> None:
    """Give bytes back as they were put, with the generation that put returned."""
    stat = store.put(_text("logs/a.txt", b"\x00\xffbytes\n"))

    _same(store.read("logs/a.txt"), Stored(b"\x00\xffbytes\n", stat.generation))
    found = store.stat("logs/a.txt")
    _true(found is not None and found.size_bytes == 8 and found.generation == stat.generation, "stat tells the same")


def knows_what_is_not_there(store: Store) -> None:
    """Give None for a missing object, and nothing for a listing of nothing."""
    store.put(_text("a/b", b""))

    _same([store.read("a"), store.stat("nope"), store.read("a/b/c")], [None, None, None])
    _same([*store.list("nope/"), *store.list("a/b/")], [])
    _same(store.read("a/b"), Stored(b"", _generation(store, "a/b")))


def creates_only_once(store: Store) -> None:
    """Refuse a second put of other bytes; take one of the same bytes for a repeated request."""
    first = store.put(_text("a", b"one"))

    _refused(store, _text("a", b"two"))
    _same(store.put(_text("a", b"one")).generation, first.generation)
    _same(store.read("a"), Stored(b"one", first.generation))


def replaces_only_what_it_knows(store: Store) -> None:
    """Replace an object only by the generation that is there."""
    first = store.put(_text("a", b"one")).generation
    second = store.put(_text("a", b"two"), replaces=first).generation

    _true(second != first, "a new generation")
    _refused(store, _text("a", b"three"), replaces=first)
    _refused(store, _text("missing", b"three"), replaces=first)
    _same(store.read("a"), Stored(b"two", second))


def one_of_many_creates(store: Store) -> None:
    """Let exactly one succeed of several who create one object at once, and store that one."""
    bodies = [f"writer {number}".encode() for number in range(_WRITERS)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        won = [
            body
            for body, ok in zip(bodies, pool.map(lambda b: _tried(store, _text("a", b)), bodies), strict=True)
            if ok
        ]

    stored = store.read("a")
    _same(won, [stored.body if stored else b""])


def no_update_is_lost(store: Store) -> None:
    """Keep every change of several who read, change and write one object at once."""
    store.put(_text("n", b""))

    def append(number: int) -> None:
        mine = bytes([65 + number])
        while True:
            found = store.read("n")
            if found and mine in found.body:  # a refusal may be the answer to one's own write that was repeated
                return
            if found and _tried(store, _text("n", found.body + mine), replaces=found.generation):
                return

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(append, range(_WRITERS)))

    stored = store.read("n")
    _same(sorted(stored.body if stored else b""), list(range(65, 65 + _WRITERS)))


def lists_in_the_order_of_bytes(store: Store) -> None:
    """Sort a listing by the names' bytes, in which a slash is a byte like another one."""
    names = ["a-b/x", "a/x", "a/y/z", "a0", "b", "Z", "é", "a.txt"]
    for name in names:
        store.put(_text(name, name.encode()))

    _same([e.path for e in store.list()], sorted(names))
    _same([e.path for e in store.list(delimiter="/")], ["Z", "a-b/", "a.txt", "a/", "a0", "b", "é"])
    _same([e.path for e in store.list("a/", delimiter="/")], ["a/x", "a/y/"])
    _same([e.path for e in store.list("a")], ["a-b/x", "a.txt", "a/x", "a/y/z", "a0"])
    _same([(e.size_bytes, e.generation) for e in store.list("a/x")], [(3, _generation(store, "a/x"))])
    _same(next(iter(store.list("a/", delimiter="/"))).is_folder, False)


def lists_from_an_offset(store: Store) -> None:
    """Leave out what sorts before ``start_offset``."""
    for number in ("100", "101", "102"):
        store.put(_text(f"logs/j/{number}/started.json"))
    store.put(_text("logs/j/latest-build.txt"))

    _same([e.path for e in store.list("logs/j/", delimiter="/", start_offset="logs/j/101")],
          ["logs/j/101/", "logs/j/102/", "logs/j/latest-build.txt"])  # fmt: skip
    _same([e.path for e in store.list("logs/j/", start_offset="logs/j/102/t")], ["logs/j/latest-build.txt"])
    _same([e for e in store.list("logs/j/", delimiter="/", start_offset="logs/j/102/t") if e.is_folder], [])


def reads_no_more_than_asked(store: Store) -> None:
    """Refuse to read an object above the limit."""
    store.put(_text("a", b"x" * 1001))

    _same(len((store.read("a", limit_bytes=1001) or Stored(b"", 0)).body), 1001)
    _fails(lambda: store.read("a", limit_bytes=1000))


def reads_into_a_file(store: Store) -> None:
    """Write an object into a file, over what an earlier try left; nothing for one that is not there."""
    body = b"line\n" * 100_000
    for name, encoding in (("plain", ""), ("small", "gzip")):
        generation = store.put(_text(name, body, content_encoding=encoding)).generation
        with TemporaryFile() as target:
            _same(store.read_into(name, target, limit_bytes=len(body)), generation)
            target.seek(0)
            _same(target.read() == body, True)
        _fails(lambda name=name: store.read_into(name, BytesIO(), limit_bytes=len(body) - 1))  # type: ignore[misc]  # a default binds the loop's name
    _same(store.read_into("missing", BytesIO(), limit_bytes=1), None)


def removes_ones_own(store: Store) -> None:
    """Remove an object, once and again, and leave its neighbours."""
    if not isinstance(store, ClearableStore):
        return
    for name in ("a/b/c", "a/d"):
        store.put(_text(name))
    for _ in range(2):
        store.remove("a/b/c")

    _same([e.path for e in store.list()], ["a/d"])


def compresses_unseen(store: Store) -> None:
    """Give back the body that was put, also when it is stored compressed."""
    put = _text("a.txt", b"text " * 1000, content_encoding="gzip")
    generation = store.put(put).generation

    _same(store.read("a.txt"), Stored(b"text " * 1000, generation))
    _same((store.holds(put), store.put(put).generation), (True, generation))
    _refused(store, _text("a.txt", b"other " * 1000, content_encoding="gzip"))


def holds_what_it_holds(store: Store) -> None:
    """Say that an object is held only for the same bytes."""
    store.put(_text("a", b"abc"))

    _same(
        [store.holds(_text("a", b"abc")), store.holds(_text("a", b"abd")), store.holds(_text("b", b"abc"))],
        [True, False, False],
    )


def refuses_names_that_lead_elsewhere(store: Store) -> None:
    """Refuse a name that is no path below the root, before anything is written."""
    for name in _BAD_NAMES:
        _fails(lambda name=name: store.put(_text(name)))  # type: ignore[misc]  # a default binds the loop's name

    _same(list(store.list()), [])


def gives_addresses(store: Store) -> None:
    """Give as address the root, a slash and the path."""
    _same(store.uri_of("logs/job/1/"), f"{store.uri}/logs/job/1/")
    store.put(_text("latest", cache_control=NO_CACHE))

    _same(list(store.list()), [Entry("latest", 4, _generation(store, "latest"))])


CONTRACT: tuple[Check, ...] = (
    reads_back_what_was_put,
    knows_what_is_not_there,
    creates_only_once,
    replaces_only_what_it_knows,
    one_of_many_creates,
    no_update_is_lost,
    lists_in_the_order_of_bytes,
    lists_from_an_offset,
    reads_no_more_than_asked,
    reads_into_a_file,
    removes_ones_own,
    compresses_unseen,
    holds_what_it_holds,
    refuses_names_that_lead_elsewhere,
    gives_addresses,
)


def _generation(store: Store, path: str) -> int:
    stat = store.stat(path)
    return stat.generation if stat else -1


def _tried(store: Store, put: Put, *, replaces: int = 0) -> bool:
    try:
        store.put(put, replaces=replaces)
    except PreconditionFailed:
        return False
    return True


def _refused(store: Store, put: Put, *, replaces: int = 0) -> None:
    _true(not _tried(store, put, replaces=replaces), f"{put.path} must not be overwritten")


def _fails(call: Callable[[], object]) -> None:
    try:
        call()
    except StoreError:
        return
    _true(False, "a StoreError is expected")


def _same(found: object, expected: object) -> None:
    _true(found == expected, f"found {found!r}, expected {expected!r}")


def _true(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)
