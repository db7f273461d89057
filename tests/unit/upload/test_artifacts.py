from __future__ import annotations

import gc
import gzip
import json
import os
import socket
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from upload.artifact_walk import Limits, open_regular
from upload.artifacts import Published, collect_artifacts
from upload.censor import Censor
from upload.errors import ResultsError
from upload.junit_render import render_steps
from upload.model import Severity, StepRecord, SuiteEnding

SECRET = "hunter2-hunter2"
STARS = "*" * len(SECRET)


class Folder:
    """An artifact folder of a test, and what becomes of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "artifacts"
        self.out = tmp_path / "spool"
        self.path.mkdir(parents=True)

    def write(self, name: str, body: str | bytes = b"") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return path

    def collect(self, censor: Censor | None = None, **limits: int) -> Published:
        return collect_artifacts(self.path, censor=censor or Censor([SECRET]), out=self.out, limits=Limits(**limits))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def bodies(published: Published) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in published.artifacts.items()}


def told(published: Published) -> list[tuple[str, str]]:
    return [(finding.rule, finding.object) for finding in published.findings]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("secret", ["pa#ssword-1234567", "p\u00e4ssword-1234567", "password-1234567"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param('<testcase name="a {}"/>', id="name"),
        pytest.param(f'<testcase name="{"a" * 3975} {{}} {"b" * 500}"/>', id="cut-name"),
        pytest.param(f'<testcase name="[x]" classname="{"a" * 3990} {{}}"/>', id="cut-classname"),
        pytest.param('<testcase name="[x]" time="11111111111111111111111111 {}"/>', id="time"),
        pytest.param(f'<testcase name="{"a" * 90} {{}}">', id="open-case-of-a-cut-report"),
        pytest.param(
            f'<testcase name="[x]"><failure>{"x" * 1_999_990} {{}} {"y " * 1_100_000}</failure></testcase>',
            id="cut-text",
        ),
    ],
)
def test_secret_is_censored_before_anything_is_escaped_or_cut(folder: Folder, secret: str, case: str) -> None:
    folder.write("junit_01.xml", f"<testsuite>{case.format(secret)}")

    published = folder.collect(Censor([secret]))

    stored = b"".join(bodies(published).values()).decode() + "".join(f.what for f in published.findings)
    for part in ("ssword", "pa#s", "pa\\x23s", "p\\xe4s"):
        assert part not in stored


def test_junit_is_replaced_by_shards_and_kept_as_original(folder: Folder) -> None:
    parallel = '<testsuites><testsuite name="p"><properties/><testcase name="[b]" time="2"/></testsuite></testsuites>'
    serial = (
        f'<testsuite><testcase name="[a]" time="1"><failure>token {SECRET}</failure><system-out>said</system-out></testcase>'
        '<testcase name="[c]"><skipped message="no GPU"/><system-out>quiet</system-out></testcase></testsuite>'
    )
    folder.write("junit_01.xml", parallel)
    folder.write("deep/er/junit.serial.xml", serial)

    published = folder.collect()

    got = bodies(published)
    lines = [json.loads(line) for line in got.pop("cases.jsonl").splitlines()]
    assert got == {
        "junit_01.xml": (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite tests="3" failures="1" time="3">\n'
            b'<testcase name="[a]" classname="" time="1"><failure>token ***************</failure></testcase>\n'
            b'<testcase name="[c]" classname="" time="0"><skipped/></testcase>\n'
            b'<testcase name="[b]" classname="" time="2"/>\n</testsuite>\n'
        ),
        "original/junit_01.xml.orig": parallel.encode(),
        "original/deep/er/junit.serial.xml.orig": serial.replace(SECRET, STARS).encode(),
    }
    source = "deep/er/junit.serial.xml"
    assert lines == [
        {"name": "[a]", "status": "failed", "seconds": 1.0, "text": f"token {STARS}", "output": "said", "source": source, "attempt": 1},
        {"name": "[c]", "status": "skipped", "seconds": 0.0, "text": "no GPU", "source": source, "attempt": 1},
        {"name": "[b]", "status": "passed", "seconds": 2.0, "suite": "p", "source": "junit_01.xml", "attempt": 1},
    ]  # fmt: skip
    assert published.ending == SuiteEnding(cases=3, failed=1, failed_names=("[a]",))
    assert published.findings == ()


def test_attempts_changes_and_properties_are_told_in_cases_jsonl(folder: Folder) -> None:
    folder.write(
        "junit.xml",
        '<testsuite><testcase classname="C" name="é#"><flakyFailure message="no"/>'
        '<properties><property name="k" value="v"/></properties></testcase></testsuite>',
    )

    published = folder.collect()

    shared = {"name": "C.\\xe9\\x23", "classname": "C", "seconds": 0.0, "changes": ["#", "non-ASCII"],
              "source": "junit.xml"}  # fmt: skip
    assert [json.loads(line) for line in bodies(published)["cases.jsonl"].splitlines()] == [
        {**shared, "status": "failed", "text": "no", "attempt": 1},
        {**shared, "status": "passed", "attempt": 2, "properties": [["k", "v"]]},
    ]


@pytest.mark.rule("junit.size")
def test_shards_follow_the_limit(folder: Folder) -> None:
    cases = "".join(f'<testcase name="[{n}]"><failure>{"x" * 1500}</failure></testcase>' for n in range(5))
    folder.write("junit.xml", f"<testsuite>{cases}</testsuite>")

    got = bodies(folder.collect(shard_bytes=4_096))

    assert [name for name in got if name.startswith("junit")] == ["junit_01.xml", "junit_02.xml", "junit_03.xml"]
    assert all(len(body) < 4_096 for name, body in got.items() if name.startswith("junit"))


def test_runner_report_gives_steps_and_no_cases(folder: Folder) -> None:
    steps = (StepRecord("Up", 0, 2.5), StepRecord("Test", 0, 1, "3 failed", "tail"))
    folder.write("junit_runner.xml", render_steps(steps))

    published = folder.collect()

    assert published.ending == SuiteEnding()
    assert published.steps == (StepRecord("Up", 0, 2.5), StepRecord("Test", 0, 1.0, "3 failed\n\ntail"))
    assert sorted(published.artifacts) == ["cases.jsonl", "junit_runner.xml", "original/junit_runner.xml.orig"]
    assert b'<testcase name="e2e.Up" classname="e2e" time="2.5"/>' in bodies(published)["junit_runner.xml"]


@pytest.mark.parametrize("name", ["junit.xml", "a/test.xml", "junit-out/report.xml", "a/b/junit_x.xml"])
@pytest.mark.rule("junit.name")
def test_no_reader_finds_a_report_in_another_shape(folder: Folder, name: str) -> None:
    folder.write(name, '<testsuites><testsuite><testcase name="[a]"/></testsuite></testsuites>')

    published = folder.collect()

    assert sorted(published.artifacts) == ["cases.jsonl", "junit_01.xml", f"original/{name}.orig"]


def test_file_that_only_looks_like_a_report_is_renamed(folder: Folder) -> None:
    folder.write("test.xml", "<project/>")
    folder.write("junit_02.xml", b"")

    published = folder.collect()

    assert bodies(published) == {"original/junit_02.xml.orig": b"", "original/test.xml.orig": b"<project/>"}
    assert told(published) == [("report.empty", "junit_02.xml"), ("report.root", "test.xml")]


@pytest.mark.rule("junit.name")
def test_copies_of_a_report_are_moved_and_count_no_cases(folder: Folder) -> None:
    report = b'<testsuite><testcase name="[a]" time="1"><failure>x</failure></testcase></testsuite>'
    folder.write("junit_01.xml.bak", report)
    folder.write("junit_02.xml.gz", gzip.compress(report))
    folder.write("deep/junit_03.xml.gz", gzip.compress(report))

    published = folder.collect()

    names = ["deep/junit_03.xml.gz", "original/junit_01.xml.bak.orig", "original/junit_02.xml.gz.orig"]
    assert (sorted(published.artifacts), published.ending, told(published)) == (names, SuiteEnding(), [])


def test_build_log_is_published_beside_the_artifacts(folder: Folder) -> None:
    folder.write("build-log.txt", f"login {SECRET}\n")
    folder.write("sub/build-log.txt", "other")

    published = folder.collect()

    assert published.build_log is not None
    assert published.build_log.read_text() == f"login {STARS}\n"
    assert bodies(published) == {"sub/build-log.txt": b"other"}


def test_names_of_ours_are_not_taken_by_files_of_the_folder(folder: Folder) -> None:
    folder.write("cases.jsonl", "theirs")
    folder.write("original/a.txt", "theirs too")

    assert bodies(folder.collect()) == {
        "original/cases.jsonl.orig": b"theirs",
        "original/original/a.txt.orig": b"theirs too",
    }


def test_secrets_are_removed_from_files_names_and_packed_logs(folder: Folder) -> None:
    folder.write("a.log", f"x {SECRET} y")
    folder.write("b.bin", b"\x00\xff" + SECRET.encode())
    folder.write(f"{SECRET}.txt", "z")
    folder.write("c.log.1.gz", gzip.compress(f"x {SECRET} y".encode(), mtime=77))
    folder.write("d.zip", b"PK")

    published = folder.collect()

    got = bodies(published)
    assert gzip.decompress(got.pop("c.log.1.gz")) == f"x {STARS} y".encode()
    assert got == {
        "a.log": f"x {STARS} y".encode(),
        "b.bin": b"\x00\xff" + STARS.encode(),
        f"{STARS}.txt": b"z",
        "d.zip": b"PK",
    }
    assert told(published) == [("artifact.opaque", "d.zip")]


def test_packed_log_comes_out_the_same_whenever_it_was_packed(folder: Folder) -> None:
    folder.write("a.gz", gzip.compress(b"log", mtime=1))
    folder.write("b.gz", gzip.compress(b"log", mtime=2, compresslevel=1))

    got = bodies(folder.collect())

    no_time = bytes(4)
    assert got["a.gz"] == got["b.gz"]
    assert got["a.gz"][4:8] == no_time


@pytest.mark.parametrize(
    ("body", "limit"),
    [(b"\x1f\x8bnonsense", 100), (gzip.compress(b"cut short")[:-9], 100), (gzip.compress(b"x" * 101), 100)],
    ids=["broken", "cut", "bomb"],
)
def test_packed_file_that_cannot_be_looked_into_is_left_out(folder: Folder, body: bytes, limit: int) -> None:
    folder.write("a.gz", body)

    published = folder.collect(unpacked_bytes=limit)

    assert (dict(published.artifacts), told(published)) == ({}, [("artifact.gzip", "a.gz")])
    assert list(folder.out.iterdir()) == []


def test_nothing_is_written_into_the_folder(folder: Folder) -> None:
    folder.write("junit.xml", f'<testsuite><testcase name="[{SECRET}]"/></testsuite>')
    folder.write("a/b.gz", gzip.compress(SECRET.encode()))
    before = snapshot(folder.path)

    folder.collect()

    assert snapshot(folder.path) == before


def test_spool_is_private(folder: Folder) -> None:
    path = folder.write("a.sh", "x")
    path.chmod(0o755)

    (copy,) = folder.collect().artifacts.values()

    assert (folder.out.stat().st_mode & 0o777, copy.stat().st_mode & 0o777) == (0o700, 0o600)


def test_odd_files_are_left_out_with_a_finding_each(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret of the runner")
    folder.write("plain", "p")
    folder.write("sub/inner", "i")
    os.mkfifo(folder.path / "fifo")
    links = {
        "dev": "/dev/null", "dir": "sub", "gone": "nowhere", "loop": "loop", "out": str(outside), "rel": "../outside", "same": "sub/inner",
        "root": "/", "back": "sub/../../artifacts/plain",
    }  # fmt: skip
    for name, target in links.items():
        (folder.path / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(folder.path)  # a socket's path holds 107 bytes
        server.bind("socket")

        published = folder.collect()

    assert bodies(published) == {"back": b"p", "plain": b"p", "same": b"i", "sub/inner": b"i"}
    assert told(published) == [
        ("artifact.link", "dev"),
        ("artifact.link", "dir"),
        ("artifact.kind", "fifo"),
        ("artifact.link", "gone"),
        ("artifact.link", "loop"),
        ("artifact.link", "out"),
        ("artifact.link", "rel"),
        ("artifact.link", "root"),
        ("artifact.kind", "socket"),
    ]


def test_odd_names_are_published_under_safe_ones(folder: Folder) -> None:
    names = [
        b"-rf",
        b"a\nb",
        b"back\\slash",
        b"caf\xc3\xa9",
        b"latin\xe9",
        b"..hidden",
        b"a b",
        b"d\r/x",
        b"esc\x1b[31m",
    ]
    for name in names:
        folder.write(os.fsdecode(name), name)

    published = folder.collect()

    assert bodies(published) == {
        "%2Drf": b"-rf",
        "..hidden": b"..hidden",
        "a b": b"a b",
        "a%0Ab": b"a\nb",
        "back%5Cslash": b"back\\slash",
        "café": b"caf\xc3\xa9",
        "d%0D/x": b"d\r/x",
        "esc%1B[31m": b"esc\x1b[31m",
        "latin%E9": b"latin\xe9",
    }
    assert told(published) == [
        ("artifact.name", name) for name in ("%2Drf", "a%0Ab", "back%5Cslash", "d%0D/x", "esc%1B[31m", "latin%E9")
    ]


def test_two_files_of_one_safe_name_are_both_published(folder: Folder) -> None:
    folder.write("a\nb", "1")
    folder.write("a%0Ab", "2")

    got = bodies(folder.collect())

    assert sorted(got.values()) == [b"1", b"2"]


@pytest.mark.rule("object.name")
def test_long_path_is_published_under_a_short_one(folder: Folder) -> None:
    name = "/".join(["d" * 200] * 5) + "/end-of-the-name.txt"
    folder.write(name, "x")

    published = folder.collect()

    ((path, _),) = published.artifacts.items()
    assert path.startswith("long-names/")
    assert path.endswith("-end-of-the-name.txt")
    assert told(published) == [("artifact.name", name)]


def test_path_deeper_than_the_system_allows_is_a_finding(folder: Folder) -> None:
    here = os.open(folder.path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        here, above = os.open("d" * 200, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)

    assert [finding.rule for finding in folder.collect().findings] == ["artifact.unreadable"]


def test_sparse_log_of_20_gib_keeps_its_ends(folder: Folder) -> None:
    path = folder.write("huge.log", "begin")
    with path.open("r+b") as file:
        file.truncate((20 << 30) - 3)
        file.seek(0, os.SEEK_END)
        file.write(b"end")

    published = folder.collect(file_bytes=1_000)

    (body,) = bodies(published).values()
    assert (body[:5], body[-3:]) == (b"begin", b"end")
    assert f"… {(20 << 30) - 1_000} bytes are left out here …".encode() in body
    assert told(published) == [("artifact.size", "huge.log")]


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "correct horse battery", "short\nlines\nonly\n"], ids=repr)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_secret_that_a_cut_goes_through_is_not_published_by_halves(
    folder: Folder, secret: str, encoding: str, shift: int
) -> None:
    """Both cuts, at byte 500 and 500 before the end, lie in a secret or beside it."""
    raw = secret.encode(encoding)
    whole = b"a" * (500 - shift) + raw + b"b" * 900 + raw + b"c" * (500 - len(raw) + shift)
    folder.write("big.log", whole)

    published = folder.collect(Censor((secret,)), file_bytes=1_000)

    (body,) = bodies(published).values()
    stars = whole.replace(raw, b"*" * len(raw))
    left_out = f"\n… {len(whole) - 1_000} bytes are left out here …\n".encode()
    assert body == stars[:500] + left_out + stars[-500:]


def test_log_that_grows_while_it_is_read_ends_where_it_ended_then(folder: Folder) -> None:
    path = folder.write("a.log", "first")

    class Slow(Censor):
        def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                with path.open("ab") as log:
                    log.write(b" and more")
                yield chunk

    assert bodies(folder.collect(Slow([SECRET]))) == {"a.log": b"first"}


@pytest.mark.parametrize(("name", "severity"), [("a.log", Severity.WARNING), ("junit.xml", Severity.ERROR)])
def test_report_that_cannot_be_read_is_an_error_since_its_cases_may_have_failed(
    folder: Folder, name: str, severity: Severity
) -> None:
    path = folder.write(name, "<testsuite/>")

    class Thief(Censor):
        def text(self, text: str) -> str:
            path.unlink(missing_ok=True)
            return text

    (finding,) = folder.collect(Thief([SECRET])).findings

    assert (finding.rule, finding.object, finding.severity) == ("artifact.unreadable", name, severity)


def test_file_that_is_no_file_any_more_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")

    for name in ("gone", "link", "fifo"):
        with pytest.raises(OSError, match=name):
            open_regular(str(tmp_path / name))


def test_folder_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nowhere"):
        collect_artifacts(tmp_path / "nowhere", censor=Censor(), out=tmp_path / "out")


def test_spool_that_cannot_be_written_is_an_error(folder: Folder) -> None:
    folder.out.write_text("a file is here")

    with pytest.raises(ResultsError, match="spool"):
        folder.collect()


def test_empty_folder_gives_nothing(folder: Folder) -> None:
    assert folder.collect() == Published(artifacts={}, ending=SuiteEnding(), steps=(), findings=())


def test_same_folder_gives_the_same_bytes(folder: Folder) -> None:
    for n in (3, 1, 2):
        folder.write(
            f"junit_{n}.xml", f'<testsuite><testcase name="[a]" time="{n}"/><testcase name="[b{n}]"/></testsuite>'
        )

    first = bodies(folder.collect())
    folder.out = folder.out.with_name("spool2")

    assert bodies(folder.collect()) == first


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = Folder(tmp_path / str(count))
        tests = (f'<testcase name="[{n}]"><failure>{"x" * 3_000}</failure></testcase>' for n in range(count))
        folder.write("junit.xml", f"<testsuite>{''.join(tests)}</testsuite>")
        gc.collect()
        tracemalloc.start()
        folder.collect(shard_bytes=100_000)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)  # what is made once

    assert peak(1_000) < 1.2 * peak(400)


def test_output_of_passing_cases_stands_in_the_original_only(folder: Folder) -> None:
    folder.write("junit.xml", '<testsuite><testcase name="[a]"><system-out>long</system-out></testcase></testsuite>')

    assert [name for name, body in bodies(folder.collect()).items() if b"long" in body] == ["original/junit.xml.orig"]
