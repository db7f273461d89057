from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.hosts.owner import BadMark, Owner, Standing, judge, parse_owner
from tests.unit.providers.hosts.recording import facts

NOW_S = 1_795_000_000
RUN = "ci-kubernetes-e2e-lab-20260102000000"
EARLIER = "ci-kubernetes-e2e-lab-20260101000000"
STRANGER = "ci-kubernetes-e2e-other-20260101000000"


def mark(run: str, *, age_s: int = 7200, left_s: int = 3600) -> str:
    return Owner(run, "jane@ci\x1b[1m", NOW_S - age_s, NOW_S + left_s).to_json()


seconds = st.integers(0, 2**53 - 1)


@given(
    st.builds(
        Owner, st.from_regex(r"[a-z0-9][a-z0-9.-]{1,120}", fullmatch=True), st.text(max_size=200), seconds, seconds
    )
)
def test_a_mark_is_read_as_it_was_written(owner: Owner) -> None:
    assert parse_owner(owner.to_json()) == owner


def test_a_mark_is_written_as_the_shell_reads_it() -> None:
    """journal.sh finds the run by its line."""
    assert Owner(RUN, "me@here", 1, 2).to_json() == (
        f'{{\n "claimed_s": 1,\n "expires_s": 2,\n "owner": "me@here",\n "run": "{RUN}"\n}}\n'
    )


GOOD = json.loads(Owner(RUN, "me", 1, 2).to_json())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "run": "a b"}),
        json.dumps({**GOOD, "run": 7}),
        json.dumps({**GOOD, "owner": None}),
        json.dumps({**GOOD, "claimed_s": True}),
        json.dumps({**GOOD, "expires_s": -1}),
        json.dumps({**GOOD, "expires_s": 1e300}),
        "[" * 5000,
    ],
    ids=lambda text: text[:60],
)
def test_a_mark_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(BadMark):
        parse_owner(text)

    assert text == "" or judge("w1", facts(owner=text), RUN, NOW_S)[0] is Standing.REFUSED


@pytest.mark.parametrize(
    ("sections", "standing", "what"),
    [
        ({}, Standing.FREE, ""),
        ({"owner": mark(RUN)}, Standing.OURS, ""),
        ({"owner": mark(RUN, left_s=-1), "kubernetes": "/etc/kubernetes/pki"}, Standing.OURS, ""),
        ({"owner": mark(EARLIER, left_s=-1), "kubernetes": "/etc/kubernetes/pki"}, Standing.ABANDONED, ""),
        (
            {"owner": mark(EARLIER)},
            Standing.REFUSED,
            rf"run {EARLIER} of jane@ci\x1b[1m has it since 2 h (until 2026-11-18 12:06 UTC)",
        ),
        (
            {"owner": mark(STRANGER, age_s=300_000, left_s=-86400)},
            Standing.REFUSED,
            rf"run {STRANGER} of jane@ci\x1b[1m has it since 3 days (until 2026-11-17 11:06 UTC)",
        ),
        (
            {
                "kubernetes": "/etc/kubernetes/admin.conf\n/etc/kubernetes/pki\n/var/lib/kubelet/pki\n/var/lib/etcd/member"
            },
            Standing.REFUSED,
            (
                "somebody's cluster is or was on it (/etc/kubernetes/admin.conf, /etc/kubernetes/pki, /var/lib/kubelet/pki"
                " and 1 more), and it does not carry our mark: it is left alone"
            ),
        ),
        (
            {"cni": "/etc/cni/net.d/10-flannel.conflist"},
            Standing.REFUSED,
            (
                "somebody's cluster is or was on it (/etc/cni/net.d/10-flannel.conflist), and it does not carry our mark:"
                " it is left alone"
            ),
        ),
        (
            {"links": "cali1234\neth0\nlo"},
            Standing.REFUSED,
            "somebody's cluster is or was on it (link cali1234), and it does not carry our mark: it is left alone",
        ),
    ],
    ids=[
        *("free", "ours", "ours though expired", "expired run of this job", "living run of this job"),
        *("expired run of another job", "foreign cluster", "foreign network", "foreign links"),
    ],
)
def test_whose_a_machine_is(sections: dict[str, str], standing: Standing, what: str) -> None:
    found, problem = judge("w1", facts(**sections), RUN, NOW_S)

    assert (found, problem.what if problem else "") == (standing, what)


def test_the_holder_is_named_with_the_command_that_ends_its_run() -> None:
    _, problem = judge("w1", facts(owner=mark(STRANGER)), RUN, NOW_S)

    assert problem is not None
    assert problem.mend == f"e2e down {STRANGER}   (where it was started), or wait, or use another machine"
