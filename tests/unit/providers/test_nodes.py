from __future__ import annotations

import threading
from pathlib import Path

import pytest

from providers.contracts import Deadline, Node
from providers.nodes import fan_out, wait_until_reachable
from providers.testing import FakeNode
from upload.errors import CommandError, DeadlineExceeded, ManyErrors, NodeUnreachable, Outcome, ProviderError

NODES = tuple(FakeNode(f"w{n}") for n in range(1, 6))


def within(seconds: float = 10.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def run_hostname(node: Node) -> str:
    return node.run(("hostname",), deadline=within()).stdout


def test_every_node_answers_under_its_name() -> None:
    nodes = [FakeNode(name, answers={"hostname": f"{name}\n"}) for name in ("b", "a")]

    results = fan_out(nodes, run_hostname, what="asking", deadline=within())

    assert list(results.items()) == [("b", "b\n"), ("a", "a\n")]


def test_no_more_than_the_limit_run_at_once_and_all_run() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def action(_node: Node) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    assert len(fan_out(NODES, action, what="x", deadline=within(), limit=2)) == 5
    assert most == 2


def test_one_failure_is_raised_as_it_is_after_the_others_have_ended() -> None:
    ended: list[str] = []

    def action(node: Node) -> None:
        if node.name == "w1":
            raise CommandError(("apt-get", "update"), 100, "E: no\n", node=node.name, hint="do this")
        threading.Event().wait(0.05)
        ended.append(node.name)

    with pytest.raises(CommandError, match="apt-get on w1 ended with code 100: E: no") as caught:
        fan_out(NODES, action, what="installing", deadline=within())

    assert sorted(ended) == ["w2", "w3", "w4", "w5"]
    assert caught.value.hint == "do this"


def test_several_failures_are_all_told() -> None:
    def action(node: Node) -> None:
        if node.name in ("w2", "w4"):
            raise NodeUnreachable(node.name, "closed", "port 22 is closed", hint=f"nc {node.name} 22")

    with pytest.raises(ManyErrors) as caught:
        fan_out(NODES, action, what="installing", deadline=within())

    assert str(caught.value) == (
        "installing: 2 failed\n  w2: port 22 is closed (nc w2 22)\n  w4: port 22 is closed (nc w4 22)"
    )
    assert caught.value.outcome is Outcome.PROVIDER


def test_a_broken_wait_closes_the_nodes() -> None:
    nodes = [FakeNode("w1"), FakeNode("w2")]

    def action(node: Node) -> None:
        while True:
            node.run(("true",), deadline=within())
            threading.Event().wait(0.01)

    with pytest.raises(DeadlineExceeded):
        fan_out(nodes, action, what="x", deadline=within(0.2))

    for node in nodes:
        with pytest.raises(ProviderError, match="stopped"):
            node.run(("true",), deadline=within())


def test_a_machine_that_boots_is_waited_for() -> None:
    slept: list[float] = []
    refusals = [NodeUnreachable("w1", reason, "no") for reason in ("no-answer", "closed")]
    node = FakeNode("w1", answers={"true": [*refusals, ""]})

    wait_until_reachable(node, passing=frozenset({"no-answer", "closed"}), deadline=within(), sleep=slept.append)

    assert slept == [1.0, 1.0]


@pytest.mark.parametrize(
    ("reason", "seconds"), [("denied", 10.0), ("closed", 0.5)], ids=["never passes", "no time left"]
)
def test_what_does_not_pass_is_raised(reason: str, seconds: float) -> None:
    node = FakeNode("w1", answers={"true": NodeUnreachable("w1", reason, "no")})

    with pytest.raises(NodeUnreachable):
        wait_until_reachable(node, passing=frozenset({"closed"}), deadline=within(seconds), sleep=lambda _: None)


def test_a_fake_node_keeps_files_and_hands_out_answers(tmp_path: Path) -> None:
    node = FakeNode(answers={"cat": lambda argv, stdin: f"{argv[1]}{stdin.decode()}", "cat /x": "the longest wins"})
    (tmp_path / "source").write_bytes(b"content")

    node.put(tmp_path / "source", "/etc/file", deadline=within(), mode=0o600)
    whole = node.get("/etc/file", tmp_path / "got", deadline=within(), limit_bytes=4)
    with node.stream(("cat", "/y"), deadline=within(), stdin=b"!") as chunks:
        streamed = b"".join(chunks)

    assert (whole, (tmp_path / "got").read_bytes(), streamed) == (False, b"cont", b"/y!")
    assert node.run(("cat", "/x"), deadline=within()).stdout == "the longest wins"
    assert node.ran == [
        (("put", "/etc/file", "600"), b"content"),
        (("get", "/etc/file"), b""),
        (("cat", "/y"), b"!"),
        (("cat", "/x"), b""),
    ]
    with pytest.raises(CommandError, match="No such file"):
        node.get("/etc/other", tmp_path / "other", deadline=within(), limit_bytes=4)


def test_the_earlier_of_two_deadlines_holds_under_its_name() -> None:
    step = within(10)

    assert (step.at_most(1, "apt-get").what, step.at_most(1, "apt-get").total_s) == ("apt-get", 1)
    assert step.at_most(100, "apt-get") is step
