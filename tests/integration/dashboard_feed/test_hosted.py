"""A site in a bucket: a real server says what was sent."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.hosted import MANIFEST, replace
from dashboard_feed.site import build_site, send_site
from tests.support.gcs import Bucket
from upload.errors import PreconditionFailed, ResultsError, StoreError, UsageError
from upload.model import Put
from upload.store import Store
from upload.store.base import ClearableStore, Entry, ObjectStat, Stored

FILES = {"index.html": b"<p>one", "static/site.css": b"p {}", "jobs/a/index.html": b"a"}


class Watched:
    """A store that notes what is sent to it, and breaks off when it is told to."""

    def __init__(self, store: Store) -> None:
        assert isinstance(store, ClearableStore)
        self.store = store
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.removed: list[str] = []
        self.breaks_at = ""
        self.before_put: list[Callable[[], object]] = []
        self.uri = store.uri

    def uri_of(self, path: str) -> str:
        return self.store.uri_of(path)

    def read(self, path: str, *, limit_bytes: int = 1 << 26) -> Stored | None:
        return self.store.read(path, limit_bytes=limit_bytes)

    def read_into(self, path: str, target: object, *, limit_bytes: int) -> int | None:
        raise NotImplementedError

    def holds(self, put: Put) -> bool:
        raise NotImplementedError

    def stat(self, path: str) -> ObjectStat | None:
        self.asked.append(path)
        return self.store.stat(path)

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        return self.store.list(prefix, delimiter=delimiter, start_offset=start_offset)

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        if put.path == self.breaks_at:
            raise StoreError(self.uri_of(put.path), 503, "broken off")
        if self.before_put:
            self.before_put.pop()()
        self.sent.append(put.path)
        return self.store.put(put, replaces=replaces)

    def remove(self, path: str) -> None:
        self.removed.append(path)
        self.store.remove(path)

    def clear(self) -> None:
        self.sent, self.asked, self.removed = [], [], []


@pytest.fixture
def store(bucket: Bucket) -> Watched:
    return Watched(bucket.store("site"))


def bodies(store: Watched) -> dict[str, bytes]:
    found = {entry.path: store.read(entry.path) for entry in store.list()}
    return {path: stored.body for path, stored in found.items() if stored and path != MANIFEST}


def test_only_what_changed_is_sent_and_what_is_gone_is_removed(store: Watched) -> None:
    assert replace(store, FILES) == 3
    store.clear()

    assert replace(store, FILES) == 0
    assert (store.sent, store.asked, store.removed) == ([], [], [])

    later = {"index.html": b"<p>two", "static/site.css": b"p {}", "jobs/b/index.html": b"b"}
    assert replace(store, later) == 2
    assert store.sent[0] == store.sent[-1] == MANIFEST
    assert sorted(store.sent[1:-1]) == ["index.html", "jobs/b/index.html"]
    assert (store.removed, bodies(store)) == (["jobs/a/index.html"], later)


def test_objects_say_what_they_are_and_how_long_they_hold(store: Watched) -> None:
    replace(store, FILES | {"alerts.atom": b"<feed/>", "read.js": b"1"})

    told = {path: store.stat(path) for path in ("index.html", "static/site.css", "alerts.atom", "read.js")}
    assert {path: (stat.content_type, stat.cache_control) for path, stat in told.items() if stat} == {
        "index.html": ("text/html", "no-cache"),
        "static/site.css": ("text/css", "public, max-age=3600"),
        "alerts.atom": ("application/atom+xml", "no-cache"),
        "read.js": ("text/javascript", "no-cache"),
    }


def test_a_build_that_was_cut_off_is_gone_on_with(store: Watched) -> None:
    replace(store, FILES)
    later = {path: content + b"!" for path, content in FILES.items()}
    store.breaks_at = "jobs/a/index.html"
    with pytest.raises(StoreError, match="broken off"):
        replace(store, later)
    store.breaks_at = ""
    store.clear()

    replace(store, later)

    assert bodies(store) == later
    assert set(store.asked) == set(FILES)


def test_of_two_builds_at_once_one_gives_up(store: Watched, bucket: Bucket) -> None:
    replace(store, FILES)
    theirs = FILES | {"index.html": b"<p>theirs"}
    store.before_put = [lambda: replace(bucket.store("site"), theirs)]

    with pytest.raises(ResultsError, match="another build of the site") as raised:
        replace(store, FILES | {"index.html": b"<p>ours"})

    assert isinstance(raised.value.__cause__, PreconditionFailed)
    assert bodies(store)["index.html"] == b"<p>theirs"


def test_a_folder_with_other_things_in_it_is_left_alone(store: Watched) -> None:
    store.put(Put("notes.txt", b"mine", "text/plain"))

    with pytest.raises(UsageError, match=r"no site build made, such as notes\.txt"):
        replace(store, FILES)

    assert bodies(store) == {"notes.txt": b"mine"}


def test_a_list_that_is_none_of_ours_is_named(store: Watched) -> None:
    store.put(Put(MANIFEST, b'{"format": 2}', "application/json"))

    with pytest.raises(ResultsError, match=r"site-files\.json: no list of a site's files: format 2, 1 is known"):
        replace(store, FILES)


def test_a_whole_site_is_that_of_a_folder_but_for_links_to_folders(
    federation: tuple[BucketSpec, ...], store: Watched, tmp_path: Path, now_s: int
) -> None:
    made = send_site(federation, store, match=None, now_s=now_s)
    again = send_site(federation, store, match=None, now_s=now_s)
    build_site(federation, tmp_path / "site", match=None, now_s=now_s)

    sent = bodies(store)
    other = {path for path in sent if (tmp_path / "site" / path).read_bytes() != sent[path]}
    assert (made.written, again.written) == (len(sent), 0)
    assert {path for path in other if not re.fullmatch(r"jobs/.*\.html", path)} == set()
    assert made.index == f"https://storage.googleapis.com/{store.uri.removeprefix('gs://')}/index.html"


def test_the_command_sends_to_a_bucket(federation: tuple[BucketSpec, ...], bucket: Bucket, tmp_path: Path) -> None:
    listed = tmp_path / "buckets.yaml"
    listed.write_text(json.dumps({federation[0].uri: {"prefix": "example:", "sequential": False}}))
    feed = [sys.executable, "-m", "e2e", "feed"]
    environment = os.environ | {"STORAGE_EMULATOR_HOST": bucket.endpoint}

    def run(*arguments: str) -> str:
        argv = [*feed, *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (0, 4), done.stderr
        return done.stdout

    run("collect", str(listed), "--warehouse", f"{bucket.uri}/kept")
    told = run("build", str(listed), "--warehouse", f"{bucket.uri}/kept", "--out", f"{bucket.uri}/site")

    assert "3 jobs, 18 builds" in told
    assert told.splitlines()[-1] == f"https://storage.googleapis.com/{bucket.name}/site/index.html"
    assert bucket.store("site").stat("jobs/example/ci-kubernetes-e2e-local/index.html")
