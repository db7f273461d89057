"""Nodes over SSH, against a real OpenSSH server of our own on the loopback address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from providers.contracts import Deadline, Output
from providers.ssh import keys
from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile, Patience
from providers.ssh.node import SshNode
from providers.ssh.session import Ssh
from tests.support.sshd import Sshd, free_port, make_key, run_sshd
from tests.support.tcp_proxy import tcp_proxy
from upload.errors import CommandError, DeadlineExceeded, NodeUnreachable, ProviderError, UsageError

QUICK = Patience(connect_s=1.0, keepalive_s=0.3, misses=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with run_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def access(server: Sshd) -> Access:
    return Access(server.user, KeyFile(server.key))


@pytest.fixture
def node(server: Sshd, access: Access, tmp_path: Path) -> Iterator[SshNode]:
    with opened(access, Endpoint("127.0.0.1", server.port), tmp_path) as node:
        yield node


@contextmanager
def opened(access: Access, endpoint: Endpoint, folder: Path, patience: Patience | None = None) -> Iterator[SshNode]:
    with Ssh(access, pins=folder / "known_hosts", run="job-1", patience=patience) as ssh:
        yield ssh.node("w1", "worker", endpoint)


def within(seconds: float = 20.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def refusal(access: Access, endpoint: Endpoint, folder: Path, patience: Patience | None = None) -> NodeUnreachable:
    with opened(access, endpoint, folder, patience) as node, pytest.raises(NodeUnreachable) as caught:
        node.run(("true",), deadline=within())
    return caught.value


def test_a_command_gives_what_it_printed(node: SshNode) -> None:
    output = node.run(
        ("sh", "-c", 'printf "%s|" "$@"; echo oops >&2', "sh", "a b", "'", "$HOME", ""), deadline=within()
    )

    assert output == Output("a b|'|$HOME||", "oops\n")


def test_a_failed_command_names_the_node_and_keeps_the_tail_of_both_outputs(node: SshNode) -> None:
    argv = ("sh", "-c", "seq 100; echo it broke >&2; exit 7")
    with pytest.raises(CommandError) as caught:
        node.run(argv, deadline=within())

    assert str(caught.value) == "sh on w1 ended with code 7: it broke"
    assert (caught.value.argv, caught.value.code, caught.value.node) == (argv, 7, "w1")
    assert len(caught.value.output_tail.splitlines()) == 40


def test_a_command_that_is_not_there_is_a_failed_command(node: SshNode) -> None:
    with pytest.raises(CommandError, match="no-such-program on w1 ended with code 127"):
        node.run(("no-such-program",), deadline=within())


def test_what_is_no_utf8_is_replaced(node: SshNode) -> None:
    assert node.run(("printf", r"\377x"), deadline=within()).stdout == "\ufffdx"


@pytest.mark.parametrize("form", ["bytes", "file"])
def test_stdin_comes_from_bytes_or_a_file(form: str, node: SshNode, tmp_path: Path) -> None:
    content = b"line\n" * 400_000
    source = tmp_path / "source"
    source.write_bytes(content)

    said = node.run(("wc", "-c"), deadline=within(), stdin=content if form == "bytes" else source)

    assert said.stdout.strip() == str(len(content))


def test_a_command_that_does_not_read_its_stdin_is_fine(node: SshNode) -> None:
    assert node.run(("echo", "done"), deadline=within(), stdin=b"x" * 8_000_000).stdout == "done\n"


def test_too_much_output_is_refused(node: SshNode) -> None:
    with pytest.raises(ProviderError, match="yes on w1 printed more than 8388608 bytes"):
        node.run(("yes",), deadline=within())


def test_commands_beside_each_other_share_one_connection(server: Sshd, access: Access, tmp_path: Path) -> None:
    """More at once than sshd's MaxSessions, which is 10."""
    with tcp_proxy(server.port) as proxy, opened(access, Endpoint("127.0.0.1", proxy.port), tmp_path) as node:
        said: list[str] = []
        threads = [
            threading.Thread(target=lambda: said.append(node.run(("echo", "x"), deadline=within()).stdout))
            for _ in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert (said, proxy.opened) == (["x\n"] * 24, 1)


def test_a_server_that_allows_few_sessions_is_waited_for(tmp_path: Path) -> None:
    with (
        run_sshd(tmp_path / "sshd", more="MaxSessions 2") as server,
        opened(Access(server.user, KeyFile(server.key)), Endpoint("127.0.0.1", server.port), tmp_path) as node,
        ThreadPoolExecutor(8) as pool,
    ):
        said = [pool.submit(node.run, ("sh", "-c", "sleep 0.1; echo x"), deadline=within()) for _ in range(8)]

        assert [each.result().stdout for each in said] == ["x\n"] * 8


def test_a_server_that_allows_no_session_is_said(tmp_path: Path) -> None:
    with (
        run_sshd(tmp_path / "sshd", more="MaxSessions 0") as server,
        opened(Access(server.user, KeyFile(server.key)), Endpoint("127.0.0.1", server.port), tmp_path, QUICK) as node,
        pytest.raises(NodeUnreachable, match="the SSH server starts no command: ") as caught,
    ):
        node.run(("true",), deadline=within())

    assert caught.value.reason == "busy"


def test_a_missed_deadline_ends_the_command_on_the_machine(node: SshNode, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(DeadlineExceeded, match=r"^the test: sh on w1 was not done after 1 s$") as caught:
        node.run(("sh", "-c", 'echo $$ > "$0"; echo begun; exec sleep 60', str(pid)), deadline=within(1.0))

    assert caught.value.output_tail == "begun"
    assert is_gone(int(pid.read_text()))


def test_a_missed_deadline_is_noticed_when_the_command_ignores_it(node: SshNode) -> None:
    with pytest.raises(DeadlineExceeded):
        node.run(("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"), deadline=within(0.5))


def test_no_time_left_is_a_missed_deadline(node: SshNode) -> None:
    with pytest.raises(DeadlineExceeded):
        node.run(("true",), deadline=within(0))


def test_every_process_carries_the_run(node: SshNode) -> None:
    said = node.run(("sh", "-c", "sh -c 'printenv FEDERATED_E2E_RUN'"), deadline=within())

    assert said.stdout == "job-1\n"


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755])
def test_a_file_is_put_whole_with_its_mode_and_folders(mode: int, node: SshNode, tmp_path: Path) -> None:
    target = tmp_path / "a folder" / "-b" / "file"
    node.put(b"\0\1binary", str(target), deadline=within(), mode=mode)

    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"\0\1binary", mode)
    assert list(target.parent.iterdir()) == [target]


def test_a_file_is_put_over_another_one(node: SshNode, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new" * 1000)
    target.write_text("old")

    node.put(source, str(target), deadline=within())

    assert target.read_bytes() == source.read_bytes()


def test_a_file_is_not_put_over_a_folder(node: SshNode, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot overwrite directory"):
        node.put(b"x", str(tmp_path), deadline=within())


def test_a_file_of_ours_that_is_not_there_is_named(node: SshNode, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="missing: No such file"):
        node.put(tmp_path / "missing", str(tmp_path / "target"), deadline=within())


@pytest.mark.parametrize(
    ("limit", "got", "whole"), [(10, b"0123456789", True), (4, b"0123", False)], ids=["whole", "cut"]
)
def test_a_file_is_got_up_to_a_limit(limit: int, got: bytes, whole: bool, node: SshNode, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"0123456789")

    assert node.get(str(tmp_path / "there"), tmp_path / "here", deadline=within(), limit_bytes=limit) is whole
    assert (tmp_path / "here").read_bytes() == got
    assert (tmp_path / "here").stat().st_mode & 0o077 == 0


def test_a_file_that_is_not_there_leaves_nothing_here(node: SshNode, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        node.get(str(tmp_path / "missing"), tmp_path / "here", deadline=within(), limit_bytes=10)

    assert [p.name for p in tmp_path.iterdir()] == ["known_hosts"]


def test_a_stream_comes_as_it_is_printed(node: SshNode, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = 'echo one; while [ ! -e "$0" ]; do sleep 0.02; done; echo two'
    with node.stream(("sh", "-c", script, str(go)), deadline=within()) as chunks:
        first = next(chunks)
        go.touch()

        assert (first, b"".join(chunks)) == (b"one\n", b"two\n")


def test_a_stream_that_fails_says_so_at_its_end(node: SshNode) -> None:
    with (
        pytest.raises(CommandError, match="sh on w1 ended with code 3"),
        node.stream(("sh", "-c", "echo x; exit 3"), deadline=within()) as chunks,
    ):
        assert b"".join(chunks) == b"x\n"


def test_a_stream_may_be_left_early(node: SshNode) -> None:
    for _ in range(12):  # more than there may be sessions
        with node.stream(("yes",), deadline=within()) as chunks:
            assert next(chunks).startswith(b"y\n")

    assert node.run(("echo", "still there"), deadline=within()).stdout == "still there\n"


def test_closing_breaks_off_what_runs_and_refuses_what_comes(node: SshNode) -> None:
    node.run(("true",), deadline=within())
    caught: list[BaseException] = []

    def work() -> None:
        try:
            node.run(("sleep", "30"), deadline=within(30))
        except ProviderError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    node.close()
    thread.join(5)

    assert [str(error) for error in caught] == ["stopped"]
    with pytest.raises(ProviderError, match="stopped"):
        node.run(("true",), deadline=within())


class Cut(BaseException):
    """What a handler of signals raises to cut a step."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("to", ["process", "another thread"])
def test_a_signal_breaks_off_a_command_at_once_and_the_next_one_runs(to: str, node: SshNode) -> None:
    node.run(("true",), deadline=within())

    def cut(*_: object) -> None:
        raise Cut

    before = signal.signal(signal.SIGUSR1, cut)
    send = (os.kill, (os.getpid(), signal.SIGUSR1)) if to == "process" else (signal.raise_signal, (signal.SIGUSR1,))
    timer = threading.Timer(0.3, *send)
    try:
        timer.start()
        with pytest.raises(Cut):
            node.run(("sleep", "300"), deadline=within(300))
        assert node.run(("echo", "on"), deadline=within(10)).stdout == "on\n"
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join(5)


# ---- getting in


def test_a_key_is_pinned_on_first_use_in_a_private_file(server: Sshd, node: SshNode, tmp_path: Path) -> None:
    node.run(("true",), deadline=within())
    pins = tmp_path / "known_hosts"

    key = " ".join((server.folder / "host_key.pub").read_text().split()[:2])
    assert pins.read_text() == f"[127.0.0.1]:{server.port} {key}\n"
    assert pins.stat().st_mode & 0o777 == 0o600


def test_another_host_key_than_the_pinned_one_is_refused(server: Sshd, access: Access, tmp_path: Path) -> None:
    endpoint = Endpoint("127.0.0.1", server.port)
    other = (make_key(tmp_path / "other").with_suffix(".pub")).read_text().split()
    (tmp_path / "known_hosts").write_text(f"{endpoint.pin_name} {other[0]} {other[1]}\n")

    error = refusal(access, endpoint, tmp_path)

    assert error.reason == "host-key"
    assert f"the host key of {endpoint} is not the one pinned in {tmp_path / 'known_hosts'}" in str(error)
    assert error.hint.startswith(f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f {tmp_path / 'known_hosts'}")


def test_another_type_of_host_key_than_the_pinned_one_is_refused(server: Sshd, access: Access, tmp_path: Path) -> None:
    endpoint = Endpoint("127.0.0.1", server.port)
    other = (make_key(tmp_path / "other", "-t", "ecdsa").with_suffix(".pub")).read_text().split()
    (tmp_path / "known_hosts").write_text(f"{endpoint.pin_name} {other[0]} {other[1]}\n")

    assert refusal(access, endpoint, tmp_path).reason == "host-key"


def test_a_given_host_key_is_the_only_one(server: Sshd, access: Access, tmp_path: Path) -> None:
    right = (server.folder / "host_key.pub").read_text()
    wrong = (make_key(tmp_path / "other").with_suffix(".pub")).read_text()
    with opened(access, Endpoint("127.0.0.1", server.port, right), tmp_path) as node:
        node.run(("true",), deadline=within())

    error = refusal(access, Endpoint("127.0.0.1", server.port, wrong), tmp_path)

    assert error.reason == "host-key"
    assert not (tmp_path / "known_hosts").exists()


def test_a_given_host_key_that_is_none_is_said(server: Sshd, access: Access, tmp_path: Path) -> None:
    with (
        opened(access, Endpoint("127.0.0.1", server.port, "nonsense"), tmp_path) as node,
        pytest.raises(UsageError, match="not a public key such as 'ssh-ed25519"),
    ):
        node.run(("true",), deadline=within())


def test_a_wrong_key_is_denied(server: Sshd, access: Access, tmp_path: Path) -> None:
    key = make_key(tmp_path / "stranger")
    error = refusal(replace(access, identity=KeyFile(key)), Endpoint("127.0.0.1", server.port), tmp_path)

    assert error.reason == "denied"
    assert str(error) == (
        f"w1: 127.0.0.1:{server.port} lets nobody in as {server.user} with the key {key}: another user, or another key"
    )
    assert error.hint == f"ssh-copy-id -i {key}.pub -p {server.port} {server.user}@127.0.0.1"


def test_a_wrong_user_is_denied(server: Sshd, access: Access, tmp_path: Path) -> None:
    error = refusal(replace(access, user="nobody-here"), Endpoint("127.0.0.1", server.port), tmp_path)

    assert (error.reason, "lets nobody in as nobody-here" in str(error)) == ("denied", True)


@pytest.mark.parametrize("case", ["missing", "no key", "passphrase"])
def test_a_key_file_that_cannot_be_used_is_said(case: str, server: Sshd, access: Access, tmp_path: Path) -> None:
    key = tmp_path / "key"
    if case == "no key":
        key.write_text("nothing of the sort")
    if case == "passphrase":
        make_key(key)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", key], check=True, timeout=20)
    expected = {"missing": "No such file", "no key": "is no private key", "passphrase": "has a passphrase"}
    with (
        opened(replace(access, identity=KeyFile(key)), Endpoint("127.0.0.1", server.port), tmp_path) as node,
        pytest.raises(UsageError, match=expected[case]),
    ):
        node.run(("true",), deadline=within())


def test_a_key_made_for_the_run_opens_once_the_machine_knows_it(server: Sshd, access: Access, tmp_path: Path) -> None:
    made = keys.make_key(tmp_path / "id", "job-1")
    endpoint = Endpoint("127.0.0.1", server.port)
    assert refusal(replace(access, identity=made), endpoint, tmp_path).reason == "denied"

    with opened(access, endpoint, tmp_path) as node:
        known = server.folder / "authorized_keys"
        node.put(known.read_bytes() + f"{keys.public_key(made)}\n".encode(), str(known), deadline=within(), mode=0o600)
    with opened(replace(access, identity=made), endpoint, tmp_path) as node:
        assert node.run(("echo", "in"), deadline=within()).stdout == "in\n"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    sock = tmp_path / "agent"
    running = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        while not sock.exists():
            time.sleep(0.01)
        yield sock
    finally:
        running.terminate()
        running.wait(10)


def test_a_key_of_an_agent_opens(server: Sshd, access: Access, agent: Path, tmp_path: Path) -> None:
    add(agent, server.key)
    with opened(replace(access, identity=Agent(agent)), Endpoint("127.0.0.1", server.port), tmp_path) as node:
        assert node.run(("echo", "in"), deadline=within()).stdout == "in\n"


def test_an_agent_without_the_key_is_denied(server: Sshd, access: Access, agent: Path, tmp_path: Path) -> None:
    add(agent, make_key(tmp_path / "other"))
    error = refusal(replace(access, identity=Agent(agent)), Endpoint("127.0.0.1", server.port), tmp_path)

    assert (error.reason, f"a key of the agent {agent}" in str(error)) == ("denied", True)


def test_an_agent_that_says_nothing_is_not_waited_for(server: Sshd, access: Access, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute"))
        mute.listen()
        asking, endpoint = replace(access, identity=Agent(tmp_path / "mute")), Endpoint("127.0.0.1", server.port)
        with (
            opened(asking, endpoint, tmp_path, Patience(connect_s=0.2)) as node,
            pytest.raises(ProviderError, match=r"does not show its keys: it says nothing for 0\.2 s"),
        ):
            node.run(("true",), deadline=within())


def test_an_empty_agent_is_said(server: Sshd, access: Access, agent: Path, tmp_path: Path) -> None:
    with (
        opened(replace(access, identity=Agent(agent)), Endpoint("127.0.0.1", server.port), tmp_path) as node,
        pytest.raises(UsageError, match="holds no key"),
    ):
        node.run(("true",), deadline=within())


def test_an_agent_that_is_not_there_is_said(server: Sshd, access: Access, tmp_path: Path) -> None:
    gone = replace(access, identity=Agent(tmp_path / "gone"))
    with (
        opened(gone, Endpoint("127.0.0.1", server.port), tmp_path) as node,
        pytest.raises(UsageError, match="does not answer: No such file"),
    ):
        node.run(("true",), deadline=within())


def test_an_ipv6_address_is_fine(access: Access, tmp_path: Path) -> None:
    try:
        free_port("::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with (
        run_sshd(tmp_path / "sshd", address="::1") as server,
        opened(Access(server.user, KeyFile(server.key)), Endpoint("::1", server.port), tmp_path) as node,
    ):
        assert node.run(("echo", "in"), deadline=within()).stdout == "in\n"
        assert (tmp_path / "known_hosts").read_text().startswith(f"[::1]:{server.port} ssh-ed25519 ")


# ---- faults


def test_a_closed_port_is_said(access: Access, tmp_path: Path) -> None:
    port = free_port()
    error = refusal(access, Endpoint("127.0.0.1", port), tmp_path)

    assert (error.reason, str(error)) == ("closed", f"w1: port {port} of 127.0.0.1 is closed")
    assert error.hint == f"nc -vz -w 5 127.0.0.1 {port}"


def test_a_name_that_is_none_is_said(access: Access, tmp_path: Path) -> None:
    assert refusal(access, Endpoint("no-such-host.invalid"), tmp_path).reason == "no-name"


def test_a_host_that_accepts_and_says_nothing_is_said(server: Sshd, access: Access, tmp_path: Path) -> None:
    with tcp_proxy(server.port) as proxy:
        proxy.muted = True
        error = refusal(access, Endpoint("127.0.0.1", proxy.port), tmp_path, QUICK)

    assert error.reason == "silent"
    assert "accepts the connection and then says nothing during the greeting for 1 s" in str(error)


def test_a_server_of_something_else_is_said(access: Access, tmp_path: Path) -> None:
    with one_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        error = refusal(access, Endpoint("127.0.0.1", port), tmp_path, QUICK)

    assert error.reason in ("no-ssh", "dropped", "silent")
    assert f"127.0.0.1:{port}" in str(error)


def test_a_server_that_hangs_up_is_said(access: Access, tmp_path: Path) -> None:
    with one_answer(b"") as port:
        error = refusal(access, Endpoint("127.0.0.1", port), tmp_path, QUICK)

    assert (error.reason, "hung up during the greeting" in str(error)) == ("dropped", True)


def test_a_shell_that_talks_is_said(tmp_path: Path) -> None:
    more = 'ForceCommand echo welcome; eval "$SSH_ORIGINAL_COMMAND"'
    with run_sshd(tmp_path / "sshd", more=more) as server:
        error = refusal(Access(server.user, KeyFile(server.key)), Endpoint("127.0.0.1", server.port), tmp_path)

    assert (error.reason, "the shell says welcome" in str(error)) == ("talks", True)


def test_an_account_that_may_run_nothing_is_said(tmp_path: Path) -> None:
    with run_sshd(tmp_path / "sshd", more="ForceCommand echo not available; exit 1") as server:
        error = refusal(Access(server.user, KeyFile(server.key)), Endpoint("127.0.0.1", server.port), tmp_path)

    assert (error.reason, str(error).endswith("not available")) == ("no-root", True)


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_a_connection_lost_in_the_middle_is_said_and_made_again(
    how: str, server: Sshd, access: Access, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    with tcp_proxy(server.port) as proxy, opened(access, Endpoint("127.0.0.1", proxy.port), tmp_path, QUICK) as node:
        act = when(begun.exists, getattr(proxy, how))
        with pytest.raises(NodeUnreachable) as caught:
            node.run(("sh", "-c", 'echo begun; touch "$0"; sleep 30', str(begun)), deadline=within())
        act.join(10)
        assert caught.value.reason == "lost"
        assert str(caught.value).startswith("w1: the connection broke while sh ran (")
        assert caught.value.output_tail == "begun"

        if how == "cut":
            assert node.run(("echo", "back"), deadline=within()).stdout == "back\n"
            assert proxy.opened == 2


def test_a_put_cut_in_the_middle_leaves_nothing(server: Sshd, access: Access, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 200_000_000)
    target = tmp_path / "there" / "target"
    with tcp_proxy(server.port) as proxy, opened(access, Endpoint("127.0.0.1", proxy.port), tmp_path, QUICK) as node:
        act = when(lambda: any(p.stat().st_size for p in target.parent.glob(".e2e.*")), proxy.cut)
        with pytest.raises(NodeUnreachable):
            node.put(source, str(target), deadline=within())
        act.join(10)

    eventually(lambda: list(target.parent.iterdir()) == [])


# ---- jump host


@pytest.fixture
def behind(server: Sshd, access: Access) -> Access:
    return replace(access, jump=Jump(Endpoint("127.0.0.1", server.port), server.user))


def test_machines_behind_a_jump_host_share_its_connection(server: Sshd, behind: Access, tmp_path: Path) -> None:
    with tcp_proxy(server.port) as proxy, run_sshd(tmp_path / "inner") as inner:
        (inner.folder / "authorized_keys").write_text((server.folder / "id.pub").read_text())
        through = replace(behind, jump=Jump(Endpoint("127.0.0.1", proxy.port), server.user))
        with Ssh(through, pins=tmp_path / "known_hosts", run="job-1") as ssh:
            nodes = [ssh.node(name, "worker", Endpoint("127.0.0.1", inner.port)) for name in ("w1", "w2")]
            said = [node.run(("sh", "-c", 'echo "$SSH_CONNECTION"'), deadline=within()).stdout for node in nodes]

        assert [line.split()[-1] for line in said] == [str(inner.port)] * 2
        assert proxy.opened == 1
        pinned = [line.split()[0] for line in (tmp_path / "known_hosts").read_text().splitlines()]
        assert pinned == [f"[127.0.0.1]:{proxy.port}", f"[127.0.0.1]:{inner.port}"]


def test_a_machine_that_the_jump_host_cannot_reach_is_said(behind: Access, tmp_path: Path) -> None:
    port = free_port()
    error = refusal(behind, Endpoint("127.0.0.1", port), tmp_path)

    assert error.reason == "no-answer"
    assert str(error).startswith(
        f"w1: jump host {behind.user}@{behind.jump.endpoint if behind.jump else ''} cannot reach"
    )


def test_a_jump_host_that_is_closed_is_the_one_named(behind: Access, server: Sshd, tmp_path: Path) -> None:
    port = free_port()
    closed = replace(behind, jump=Jump(Endpoint("127.0.0.1", port), server.user))
    error = refusal(closed, Endpoint("127.0.0.1", server.port), tmp_path)

    assert (error.node, error.reason) == (f"jump host 127.0.0.1:{port}", "closed")


# ---- what tests wait with


def is_gone(pid: int) -> bool:
    return eventually(lambda: not Path(f"/proc/{pid}").exists())


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if is_so():
            return True
        time.sleep(0.02)
    raise AssertionError("it did not come about")


def when(is_so: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        eventually(is_so)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def add(agent: Path, key: Path) -> None:
    subprocess.run(
        ["ssh-add", "-q", key], check=True, timeout=20, env={"SSH_AUTH_SOCK": str(agent), "PATH": "/usr/bin"}
    )


@contextmanager
def one_answer(text: bytes) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(text)
            client.settimeout(2)
            if text:
                client.recv(100)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()
        thread.join(5)
