"""Changes a machine and remembers on it how to undo each change, before it is made. The rules stand in ``SCRIPTS``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.contracts import Deadline, Node, Output
from providers.hosts.facts import script
from providers.hosts.owner import Owner, parse_owner
from upload.errors import CommandError, StepError, UsageError

# one after the other they are what runs on a machine
SCRIPTS = ("journal.sh", "kinds.sh", "packages.sh", "pods.sh", "verbs.sh")
_LAST_LINE = re.compile(r"[^\n]*\Z")
_FULL = "no space left on device"
_NOT_OURS = 97
_IN_THE_WAY = 98
_HINTS = {
    _NOT_OURS: "cat /var/lib/federated-e2e/owner.json   (on the machine)",
    _IN_THE_WAY: "remove it yourself if nobody needs it, or use another machine",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a machine's journal: ``kind``, what it is about, and what is needed to undo it, if anything."""

    kind: str
    subject: str
    former: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A machine that carries the mark of ``run``. Every method may be called again: what was made stays as it is.

    Raises: StepError that names the machine and holds the last lines; also for what is there and is not ours, since
    nothing of somebody else's is changed. NodeUnreachable and DeadlineExceeded as ``Node.run``.
    """

    node: Node
    run: str
    deadline: Deadline

    def install_packages(self, names: Sequence[str]) -> None:
        """Install Debian packages with what they need. Refused where that would upgrade or remove another package."""
        self._change("packages", *names)

    def write_file(self, path: str, content: bytes | Path, *, mode: int = 0o644) -> None:
        """Write a file; what was there is kept on the machine and comes back."""
        self.own_file(path)
        try:
            self.node.put(content, path, deadline=self.deadline, mode=mode)
        except CommandError as exc:
            raise step_error(f"write {path}", exc) from exc

    def update_file(self, path: str, content: bytes, *, mode: int = 0o644) -> bool:
        """Write a small file as ``write_file`` does, unless it has this content; return whether it was written."""
        argv = ("sh", "-c", 'cmp -s - "$1" || echo differs', "cmp", path)
        if not self.node.run(argv, deadline=self.deadline, stdin=content).stdout:
            return False
        self.write_file(path, content, mode=mode)
        return True

    def own_file(self, path: str) -> None:
        """Take a file that a command on the machine is about to write; what was there comes back."""
        self._change("file", path)

    def own_tree(self, path: str, *, kept: bool = False) -> None:
        """Take a folder that is not there or empty: whatever anybody puts below it goes when the machine is given back.

        ``kept``: one that has something in it is not refused but comes back as it is now.
        """
        self._change("tree", path, *(["kept"] if kept else []))

    def own_link(self, name: str) -> None:
        """Take the name of a network link that a command on the machine is about to make; one of that name is refused."""
        self._change("link", name)

    def own_links(self, pattern: str) -> None:
        """Take the network links whose whole name matches an extended regular expression; any that is there is refused."""
        self._change("links", pattern)

    def own_routes(self, destinations: Sequence[str]) -> None:
        """Take destinations that a command on the machine is about to lay routes to; any that has a route is refused."""
        if destinations:
            self._change("route", *destinations)

    def own_chain(self, table: str, name: str) -> None:
        """Take the name of an iptables chain, of both families, that a command on the machine is about to make and to reach."""
        self._change("chain", table, name)

    def mount(self, path: str, *mount: str) -> None:
        """Mount on a folder, made if needed: ``mount("/mnt/x", "-t", "tmpfs", "tmpfs")``."""
        self._change("mount", path, *mount)

    def enable_unit(self, name: str) -> None:
        """Enable and start a systemd unit. One that was enabled or ran before still is, and does, afterwards."""
        self._change("unit", name)

    def restart_at_the_end(self, unit: str) -> None:
        """Have a unit of the machine's own restarted after whatever is recorded from here on is undone, such as its files."""
        self._change("restart", unit)

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a kernel setting until the machine is given back; ``name`` with dots."""
        self._change("sysctl", name, value)

    def own_sysctls(self, names: Sequence[str]) -> None:
        """Have kernel settings put back that somebody on the machine will change; those that it lacks are left out."""
        self._change("sysctls", *names)

    def load_module(self, name: str) -> None:
        """Load a kernel module, if it is not there."""
        self._change("module", name)

    def own_pods(self) -> None:
        """Take what kubelet, CNI plugins and kube-proxy will make: containers, images, networks, packet rules.

        The last thing to record before kubelet is enabled, so that it is undone as soon as kubelet is stopped. Refused
        where a Kubernetes left such things.
        """
        self._change("pods")

    def command(self, step: str, *argv: str, stdin: bytes | Path = b"") -> str:
        """Return what a command prints that changes nothing or only what was recorded. Raises: StepError named ``step``."""
        try:
            return self.node.run(argv, deadline=self.deadline, stdin=stdin).stdout
        except CommandError as exc:
            raise step_error(step, exc) from exc

    def changes(self) -> tuple[Change, ...]:
        """Return what was changed, in order."""
        lines = self.call("changes").stdout.split("\n")[:-1]
        return tuple(Change(*line.split("\t", 2)) for line in lines)

    def renew(self, owner: Owner) -> None:
        """Write the mark again, such as with a later expiry."""
        self.call("renew", owner.to_json())

    def settle(self) -> None:
        """End the commands that earlier calls of this run left running when they were killed."""
        self.call("settle")

    def give_back(self) -> None:
        """Undo every recorded change, the last one first, then take the mark away. A second call goes on where one was cut."""
        self.settle()
        self.call("undo")
        self.call("release")

    def call(self, verb: str, *args: str) -> Output:
        """Run a verb of ``verbs.sh``, or a change."""
        return call(self.node, self.run, (verb, *args), deadline=self.deadline)

    def _change(self, kind: str, *args: str) -> None:
        for arg in args:
            if not arg or "\t" in arg or "\n" in arg:
                raise UsageError(f"{kind} on {self.node.name}: {arg!r} cannot be recorded")
        self.call(kind, *args)


def put_mark(node: Node, owner: Owner, *, deadline: Deadline) -> Owner:
    """Mark a machine unless it carries a mark; return the one it carries now, by its run. Two at once: one wins."""
    printed = call(node, owner.run, ("claim", owner.to_json()), deadline=deadline).stdout
    try:
        return parse_owner(printed)
    except ValueError as exc:
        raise StepError("claim", f"its mark cannot be read: {exc}", node=node.name) from exc


def call(node: Node, run: str, words: Sequence[str], *, deadline: Deadline) -> Output:
    """Run a verb or a change on a machine for a run. Raises: StepError for what it refuses."""
    try:
        return node.run(("sh", "-s", "--", run, *words), deadline=deadline, stdin=changing())
    except CommandError as exc:
        what = " ".join(words[:2] if words[0] != "packages" else ("install", *words[1:]))
        raise step_error(what, exc) from exc


def changing() -> bytes:
    """Return the script that changes a machine."""
    return b"".join(map(script, SCRIPTS))


def step_error(what: str, error: CommandError) -> StepError:
    """Return the error of a step on a machine: the last line that a command said, and what mends that where it is known."""
    said = _LAST_LINE.search(error.output_tail.rstrip())
    hint = _HINTS.get(error.code, "")
    if _FULL in error.output_tail.lower():
        hint = f"df -h   (on {error.node}), make room, then the same command again"
    return StepError(
        what,
        (said.group() if said else "") or f"it ended with code {error.code}",
        node=error.node,
        output_tail=error.output_tail,
        hint=hint,
    )
