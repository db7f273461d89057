"""Whose a machine is: the mark on it, and what it means for a run that wants it. Values and pure functions."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import Enum

from providers.hosts.facts import Facts
from providers.hosts.preflight import Problem
from providers.wording import visible

HOME = "/var/lib/federated-e2e"
OWNER_FILE = f"{HOME}/owner.json"
MARK_BYTES = 4096

# kubeadm reset leaves networks of pods; what they made outside of files goes with a boot
_CLEAN = "kubeadm reset --force; rm -rf /etc/kubernetes /etc/cni/net.d /var/lib/kubelet /var/lib/etcd && reboot"
_RUN = re.compile(r"[a-z0-9][a-z0-9.-]{1,120}")
# what networks of pods make on machines, by names that nothing else has; a regular expression also for grep -E
LINKS = r"cni[0-9]*|flannel\.[0-9]+|cali.*|vxlan\.calico|cilium.*|lxc.*|weave|kube-(ipvs0|bridge)|antrea.*|ovn.*"


@dataclass(frozen=True, slots=True)
class Owner:
    """The mark on a machine. ``owner``: ``user@host`` of whoever runs it; times are UTC epochs.

    ``run`` is ``<job>-<build>``; who holds the mark holds the machine: it is the lock between two runs.
    """

    run: str
    owner: str
    claimed_s: int
    expires_s: int

    @property
    def job(self) -> str:
        """The job that the run belongs to."""
        return self.run.rpartition("-")[0]

    def to_json(self) -> str:
        """Return the text of owner.json; ``parse_owner`` is the inverse."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


class BadMark(ValueError):
    """An owner.json that we did not write."""


def parse_owner(text: str) -> Owner:
    """Return the mark that a text holds. Raises: BadMark saying what is wrong."""
    try:
        document = json.loads(text[:MARK_BYTES])
    except (ValueError, RecursionError) as exc:
        raise BadMark(f"no JSON: {exc}") from exc
    if not isinstance(document, dict) or set(document) != {field.name for field in fields(Owner)}:
        raise BadMark("not the keys of a mark")
    if not isinstance(document["run"], str) or not _RUN.fullmatch(document["run"]):
        raise BadMark("run is no name of a run")
    if not isinstance(document["owner"], str):
        raise BadMark("owner is no text")
    if not all(type(document[key]) is int and 0 <= document[key] < 2**53 for key in ("claimed_s", "expires_s")):
        raise BadMark("a time is no number of seconds")
    return Owner(**document)


class Standing(Enum):
    """What a machine is to a run."""

    FREE = "nobody's"
    OURS = "this run's already"
    ABANDONED = "an expired run's of the same job: what it did is undone first"
    REFUSED = "somebody's"


def judge(node: str, facts: Facts, run: str, now_s: int) -> tuple[Standing, Problem | None]:
    """Say what a machine is to ``run``, and the problem if it is refused. No flag changes the answer."""
    if not facts.owner.strip():
        traces = _traces(facts)
        return (Standing.REFUSED, _foreign(node, traces)) if traces else (Standing.FREE, None)
    try:
        owner = parse_owner(facts.owner)
    except BadMark as error:
        what = f"{OWNER_FILE} cannot be read ({error}), so it is not ours"
        return Standing.REFUSED, Problem(node, "owner", what, f"cat {OWNER_FILE}   (and use another machine)")
    if owner.run == run:
        return Standing.OURS, None
    if owner.job == run.rpartition("-")[0] and owner.expires_s < now_s:
        return Standing.ABANDONED, None
    return Standing.REFUSED, held(node, owner, now_s)


def held(node: str, owner: Owner, now_s: int) -> Problem:
    """Return the problem of a machine that another run holds."""
    until = datetime.fromtimestamp(owner.expires_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    what = f"run {owner.run} of {visible(owner.owner)} has it since {_age(now_s - owner.claimed_s)} (until {until})"
    return Problem(
        node, "owner", what, f"e2e down {owner.run}   (where it was started), or wait, or use another machine"
    )


def _traces(facts: Facts) -> tuple[str, ...]:
    links = tuple(f"link {name}" for name in facts.links if re.fullmatch(LINKS, name))
    return (*facts.kubernetes, *facts.cni, *links)


def _foreign(node: str, traces: tuple[str, ...]) -> Problem:
    more = f" and {len(traces) - 3} more" if len(traces) > 3 else ""
    shown = ", ".join(visible(trace) for trace in traces[:3])
    what = f"somebody's cluster is or was on it ({shown}{more}), and it does not carry our mark: it is left alone"
    return Problem(node, "owner", what, f"use another machine, or if nobody needs that cluster: {_CLEAN}")


def _age(seconds: int) -> str:
    minutes = max(0, seconds) // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // 60 // 24} days"
