"""Takes machines for a run, after looking at all of them, and gives them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from providers.contracts import Deadline, Node, Resource
from providers.hosts.facts import Facts, gather
from providers.hosts.marker import Marker, put_mark
from providers.hosts.owner import OWNER_FILE, BadMark, Owner, Standing, held, judge, parse_owner
from providers.hosts.preflight import Machine, Problem, UnfitMachines, Wanted, check
from providers.nodes import fan_out
from upload.errors import DeadlineExceeded, NodeUnreachable, ProviderError


def take(
    nodes: Sequence[Node],
    owner: Owner,
    *,
    deadline: Deadline,
    wanted: Wanted,
    on_fit: Callable[[], object] = lambda: None,
) -> Mapping[str, Marker]:
    """Return node name -> its marker, once every machine is fit, ours, and rid of what an earlier call left running.

    What an expired run of the same job did is undone first. ``owner.claimed_s`` is now; ``on_fit`` is called once all are
    known to be fit, before anything is changed on one.
    Raises: UnfitMachines with every problem of every machine, before anything is changed on one; ManyErrors.
    """
    standings = inspect(nodes, owner.run, deadline=deadline, now_s=owner.claimed_s, wanted=wanted)
    on_fit()

    def claim(node: Node) -> Marker:
        if former := standings[node.name]:
            Marker(node, former.run, deadline).give_back()
        found = put_mark(node, owner, deadline=deadline)
        if found.run != owner.run:
            raise UnfitMachines([held(node.name, found, owner.claimed_s)])
        marker = Marker(node, owner.run, deadline)
        marker.settle()
        if found != owner:
            marker.renew(Owner(owner.run, owner.owner, found.claimed_s, owner.expires_s))
        return marker

    return fan_out(nodes, claim, what="taking the machines", deadline=deadline)


def inspect(
    nodes: Sequence[Node],
    run: str,
    *,
    deadline: Deadline,
    now_s: int,
    wanted: Wanted,
) -> Mapping[str, Owner | None]:
    """Look at every machine and change nothing; return node name -> the expired run of this job that left it, or None.

    Raises: UnfitMachines with every problem of every machine, also of those that cannot be reached.
    """

    def look(node: Node) -> Facts | Problem:
        try:
            return gather(node, deadline=deadline)
        except (ProviderError, DeadlineExceeded) as error:
            rule = "ssh" if isinstance(error, NodeUnreachable) else "answers"
            mend = error.hint or "log in and look: a shell that hangs or prints something at its start is in the way"
            return Problem(node.name, rule, str(error).removeprefix(f"{node.name}: "), mend)

    problems, machines = [], []
    former: dict[str, Owner | None] = {}
    for node, seen in zip(
        nodes, fan_out(nodes, look, what="looking at the machines", deadline=deadline).values(), strict=True
    ):
        if isinstance(seen, Problem):
            problems.append(seen)
            continue
        standing, refused = judge(node.name, seen, run, now_s)
        if refused:
            problems.append(refused)
        former[node.name] = parse_owner(seen.owner) if standing is Standing.ABANDONED else None
        is_used = standing is not Standing.FREE  # what runs there is told by whose it is
        machines.append(Machine(node.name, node.role, seen, is_used=is_used))
    problems += check(machines, wanted)
    if problems:
        order = [node.name for node in nodes]
        raise UnfitMachines(sorted(problems, key=lambda problem: order.index(problem.node)))
    return former


def give_back(nodes: Sequence[Node], run: str, *, deadline: Deadline) -> None:
    """Undo on every machine what ``run`` recorded there, and take its mark away; others' machines are not touched.

    A second call goes on where a killed one was. Raises: StepError or ManyErrors after all were tried.
    """

    def back(node: Node) -> None:
        if _carries(node, run, deadline):
            Marker(node, run, deadline).give_back()

    fan_out(nodes, back, what="giving the machines back", deadline=deadline)


def still_marked(nodes: Sequence[Node], run: str, *, deadline: Deadline) -> tuple[Resource, ...]:
    """Return the machines that carry the mark of ``run``."""
    carried = fan_out(nodes, lambda node: _carries(node, run, deadline), what="looking for marks", deadline=deadline)
    return tuple(Resource("host", name) for name, is_carried in carried.items() if is_carried)


def _carries(node: Node, run: str, deadline: Deadline) -> bool:
    text = node.run(("sh", "-c", f"cat {OWNER_FILE} 2>/dev/null || true"), deadline=deadline).stdout
    try:
        return bool(text.strip()) and parse_owner(text).run == run
    except BadMark:
        return False
