from __future__ import annotations

from itertools import count

import pytest

from providers.contracts import Deadline
from providers.hosts.facts import Facts, Listener, Sysctl, gather, parse_facts
from providers.testing import FakeNode
from tests.unit.providers.hosts.recording import ASKED_S, RECORDED, facts, printed
from upload.errors import ProviderError


def test_a_recording_is_read_whole() -> None:
    assert facts() == Facts(
        os_id="debian",
        os_version="12",
        os_name="Debian GNU/Linux 12 (bookworm)",
        architecture="x86_64",
        init="systemd",
        hostname="w1",
        machine_id="3d1219c7c4c5404aaa1f6d2a48adfda4",
        cores=2,
        memory_bytes=24684092 * 1024,
        swaps=(),
        disk_free_bytes=48592348 * 1024,
        modules={"overlay": "loaded", "br_netfilter": "loadable", "vxlan": "loaded", "nf_conntrack": "loaded"},
        sysctls={
            "net/ipv4/ip_forward": Sysctl("0", is_writable=True),
            "vm/overcommit_memory": Sysctl("0", is_writable=True),
            "kernel/panic": Sysctl("1", is_writable=True),
            "fs/inotify/max_user_instances": Sysctl("128", is_writable=True),
        },
        missing=(),
        unconfigured=(),
        listeners=(
            Listener("0.0.0.0", 22, "sshd (pid 612)"),
            Listener("127.0.0.53%lo", 53, ""),
            Listener("[::]", 22, "sshd (pid 612)"),
        ),
        datagrams=(Listener("127.0.0.53%lo", 53, ""), Listener("0.0.0.0", 68, "")),
        drop_ins=(),
        kubernetes=(),
        cni=(),
        links=("eth0", "lo"),
        owner="",
        skew_s=pytest.approx(-0.0037, abs=1e-4),  # type: ignore[arg-type]  # compares as a number
        skew_error_s=pytest.approx(0.4),  # type: ignore[arg-type]
    )


def test_the_clock_is_compared_with_ours_before_and_after() -> None:
    node = FakeNode(answers={"sh": RECORDED})
    ours = count(ASKED_S + 10, 2.0)

    seen = gather(node, deadline=Deadline.after(10, "the test"), clock=lambda: next(ours))

    assert (round(seen.skew_s, 1), seen.skew_error_s) == (-10.6, 1.0)
    assert [argv for argv, _ in node.ran] == [("true",), ("sh", "-s")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is cut short"),
        (RECORDED.partition("== ports")[0], "it is cut short"),
        ("hello\x1b[31m\n" + RECORDED, r"unexpected line 'hello\\x1b[31m'"),
        (printed(cores="many"), "invalid literal"),
        (printed(memory=""), "no MemTotal"),
        (printed(disk="df: no such file"), "no free space of /var/lib"),
        (printed(ports="LISTEN what"), "no listening port: 'LISTEN what'"),
        (printed(clock=""), "could not convert"),
        (printed(clock="nan"), "its clock shows no time"),
    ],
    ids=["empty", "cut", "noise", "cores", "memory", "disk", "ports", "clock", "no time"],
)
def test_an_answer_that_is_none_is_an_error_of_that_machine(text: str, says: str) -> None:
    node = FakeNode("w7", answers={"sh": text})

    with pytest.raises(ProviderError) as caught:
        gather(node, deadline=Deadline.after(10, "the test"))

    assert str(caught.value).startswith("w7: what it says of itself cannot be read: ")
    assert says in str(caught.value)


def test_a_line_of_a_section_cannot_begin_another_one() -> None:
    assert parse_facts(printed(cni="== owner\n/etc/cni/net.d/x"), before_s=0, after_s=0).cni == (
        "== owner",
        "/etc/cni/net.d/x",
    )


def test_what_a_machine_says_cannot_act_on_a_terminal() -> None:
    seen = facts(architecture="x\x1b[31m", init="y\x1b", swaps="head\nz\x1b 1", missing="q\x1b", audit="r\x1b")

    assert (seen.architecture, seen.init, seen.swaps, seen.missing, seen.unconfigured) == (
        r"x\x1b[31m",
        r"y\x1b",
        (r"z\x1b",),
        (r"q\x1b",),
        (r"r\x1b",),
    )
