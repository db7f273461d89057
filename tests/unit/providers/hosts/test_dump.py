from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.contracts import Deadline
from providers.hosts.dump import LIMITS, Limits, dump_nodes, file_name
from tests.unit.providers.hosts.dumping import DumpingNode, part
from upload.errors import CommandError, NodeUnreachable, ProviderError

RUN = "ci-kubernetes-e2e-test-20260101000000"
MIB = 1024 * 1024


def within(seconds: float = 30.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def dumped(dest: Path, *nodes: DumpingNode, limits: Limits = LIMITS, seconds: float = 30.0) -> dict[str, Any]:
    """Return path below ``nodes/`` -> content of everything that was written; seconds are set to 0."""
    dump_nodes(nodes, dest, run=RUN, deadline=within(seconds), limits=limits)
    found: dict[str, Any] = {}
    for path in sorted(path for path in (dest / "nodes").rglob("*") if path.is_file()):
        name = path.relative_to(dest / "nodes").as_posix()
        content = path.read_bytes()
        found[name] = {**json.loads(content), "seconds": 0} if path.name == "dump.json" else content
    return found


def report(node: str, *files: tuple[str, int, int | None], problems: dict[str, str] | None = None) -> dict[str, Any]:
    rows = [{"file": name, "kept_bytes": kept, "total_bytes": total} for name, kept, total in files]
    cut = [row for row, (_, kept, total) in zip(rows, files, strict=True) if total is None or kept < total]
    said = [{"what": what, "error": error} for what, error in (problems or {}).items()]
    return {"node": node, "seconds": 0, "files": rows, "cut": cut, "problems": said}


def test_a_machine_becomes_a_folder_of_files_and_a_report(tmp_path: Path) -> None:
    says = [
        part(b"kubelet.log", b"end", total=900),
        part(b"pods/ns_web_1/c/0.log", b"pod"),
        part(b"pods/ns_web_1/c/0.log.20261123-080000", b""),
        part(b"journal.log", b"", code="skipped", total=77),
        part(b"dmesg.log", b"dmesg: unknown option", code="1"),
        b"== more 4\n",
    ]
    node = DumpingNode("w1", says=says)

    assert dumped(tmp_path, node) == {
        "w1/kubelet.log": b"end",
        "w1/pods/ns_web_1/c/0.log": b"pod",
        "w1/dmesg.log": b"dmesg: unknown option",
        "w1/dump.json": report(
            "w1",
            ("kubelet.log", 3, 900),
            ("pods/ns_web_1/c/0.log", 3, 3),
            ("pods/ns_web_1/c/0.log.20261123-080000.log", 0, 0),
            ("journal.log", 0, 77),
            ("dmesg.log", 21, 21),
            problems={"dmesg.log": "its command ended with code 1", "files": "4 more than 2000 are left out"},
        ),
        "w1/dump.log": b"kubelet.log: the last 3 of 900 bytes\n"
        b"pods/ns_web_1/c/0.log: 3 bytes\n"
        b"pods/ns_web_1/c/0.log.20261123-080000.log: 0 bytes\n"
        b"journal.log: the last 0 of 77 bytes\n"
        b"dmesg.log: 21 bytes\n"
        b"not dumped: dmesg.log: its command ended with code 1\n"
        b"not dumped: files: 4 more than 2000 are left out\n",
    }
    assert node.argv == [("sh", "-s", "--", RUN, str(16 * MIB), str(128 * MIB), "2000")]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (NodeUnreachable("w1", "silent", "192.0.2.11 does not answer"), "w1: 192.0.2.11 does not answer"),
        (CommandError(("sh",), 2, "sh: \x1b[2Jno\n", node="w1"), "sh on w1 ended with code 2: sh: \\x1b[2Jno"),
        (CommandError(("sh",), 97, "", node="w1"), f"it does not carry the mark of {RUN}, so nothing of it is read"),
        (ProviderError("stopped"), "stopped"),
    ],
    ids=["dead", "command", "not ours", "closed"],
)
def test_a_machine_that_fails_says_so_in_its_folder_and_the_others_complete(
    failure: Exception, said: str, tmp_path: Path
) -> None:
    nodes = (DumpingNode("w1", failure=failure), DumpingNode("w2", says=[part(b"kubelet.log", b"fine")]))

    found = dumped(tmp_path, *nodes)

    assert (found["w1/dump.json"], found["w1/dump.log"]) == (
        report("w1", problems={"machine": said}),
        f"not dumped: machine: {said}\n".encode(),
    )
    assert found["w2/kubelet.log"] == b"fine"


def test_what_came_before_a_machine_was_lost_stays(tmp_path: Path) -> None:
    says = [part(b"owner.json", b"{}"), b"== a3ViZWxldC5sb2c=\n half a line and more"]
    lost = NodeUnreachable("w1", "lost", "the connection was lost")

    found = dumped(tmp_path, DumpingNode("w1", says=says, failure=lost))

    assert found["w1/kubelet.log"] == b"half a line a"
    assert found["w1/dump.json"] == report(
        "w1", ("owner.json", 2, 2), ("kubelet.log", 13, None), problems={"machine": "w1: the connection was lost"}
    )
    assert b"kubelet.log: 13 bytes, then it broke off\n" in found["w1/dump.log"]


def test_no_time_left_is_told_for_each_machine(tmp_path: Path) -> None:
    found = dumped(tmp_path, DumpingNode("w1"), seconds=2.0)

    said = "the dump of w1 was not done after 0 s"
    assert found["w1/dump.json"] == report("w1", problems={"machine": said})


def endless(*beginning: bytes, again: bytes) -> Iterator[bytes]:
    return itertools.chain(beginning, itertools.repeat(again))


@pytest.mark.parametrize(
    ("says", "files", "said"),
    [
        (endless(b"== eA==\n", again=b" x\n" * 1000), [("x.log", 5000, None)], "more than 20000 bytes"),
        (
            endless(again=part(b"x", b"y" * 5000)),
            [("x.log", 5000, 5000)] * 4 + [("x.log", 0, None)],
            "more than 20000 bytes",
        ),
        (endless(again=part(b"x", b"")), [("x.log", 0, 0)] * 42, "more than 10 files"),
        (endless(again=b"\0" * 9000), [], "a line has no end"),
    ],
    ids=["one file", "bytes", "files", "garbage"],
)
def test_a_machine_that_never_ends_is_hung_up_on(
    says: Iterator[bytes], files: list[tuple[str, int, int | None]], said: str, tmp_path: Path
) -> None:
    node = DumpingNode("w1", says=says)

    found = dumped(tmp_path, node, limits=Limits(file_bytes=5000, node_bytes=20_000, files=10))

    first = files[:1]
    others = [(f"x-{number}.log", *file[1:]) for number, file in enumerate(files[1:], 2)]
    problems = {"machine": f"what it says cannot be used further: {said}"}
    assert found["w1/dump.json"] == report("w1", *first, *others, problems=problems)
    assert node.hung_up


def test_secrets_in_logs_become_stars(tmp_path: Path) -> None:
    line = b"kubeadm join --token abcdef.0123456789abcdef 10.0.0.1:6443"

    found = dumped(tmp_path, DumpingNode("w1", says=[part(b"cloud-init-output.log", line)]))

    assert found["w1/cloud-init-output.log"] == line.replace(b"abcdef.0123456789abcdef", b"*" * 23)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"kubelet.log", "kubelet.log"),
        (b"syslog.1", "syslog.1.log"),
        (b"../../../etc/cron.d/x", "-5ec1f7e7/-5ec1f7e7/-5ec1f7e7/etc_cron.d_x-45db9c75.log"),
        (b"/etc/passwd", "etc/passwd.log"),
        (b"junit_01.xml", "junit_01.xml.log"),
        (b"pods/a\nb/\x1b[2J", "pods/a_b-7e18f737/__2J-05704e8a.log"),
    ],
)
def test_names_of_a_machine_become_paths_below_its_folder(raw: bytes, name: str) -> None:
    assert file_name(raw) == name


@given(st.binary(min_size=1, max_size=600))
@example(b"/")
@example(b"a/" * 2000)
@example(b"../" * 20)
@example(b"x" * 4096)
def test_no_name_leaves_the_folder_or_is_too_long(raw: bytes) -> None:
    name = file_name(raw)

    parts = name.split("/")
    assert 1 <= len(parts) <= 4
    assert all(part and not part.startswith(".") and len(part) <= 133 and part.isprintable() for part in parts)
    assert os.path.normpath(f"/a/{name}") == f"/a/{name}"
    assert name.isascii()


@given(st.lists(st.sampled_from([b"a", b"a/b", b"a.log", b"a.log/b", b"\xff", b"\\xff", b"dump.json", b"dump.log"])))
def test_names_that_clash_cost_no_file_of_ours_and_no_crash(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    dest = tmp_path_factory.mktemp("d")
    says = [part(name, b"%d" % number) for number, name in enumerate(names)]

    found = dumped(dest, DumpingNode("w1", says=says))

    told = found["w1/dump.json"]
    kept = [found[f"w1/{file['file']}"] for file in told["files"]]
    assert len(told["files"]) + len(told["problems"]) == len(names)
    assert kept == sorted(kept, key=int)
    assert len(set(kept)) == len(kept)


def test_a_destination_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("a file")

    with pytest.raises(ProviderError, match=r"the dump cannot be written to .*/nodes/w1: "):
        dump_nodes([DumpingNode("w1")], tmp_path, run=RUN, deadline=within())


def test_25_machines_are_dumped_beside_each_other(tmp_path: Path) -> None:
    """None ends before all have begun."""
    barrier = threading.Barrier(25, timeout=20)

    def says() -> Iterator[bytes]:
        yield b"== eA==\n"
        barrier.wait()
        yield b" y\n== end 0 1\n"

    nodes = [DumpingNode(f"w{number}", says=says()) for number in range(25)]

    taken = dump_nodes(nodes, tmp_path, run=RUN, deadline=within())

    assert [(dump.node, dump.problems) for dump in taken] == [(node.name, []) for node in nodes]
