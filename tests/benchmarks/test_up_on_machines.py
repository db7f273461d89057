"""What bringing a cluster up on two machines costs beyond typing the same commands of kubeadm by hand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.hosts.clusters import lab_harness, write_config
from tests.support.harness import Harness
from tests.support.lab.by_hand import ByHand, supplies
from tests.support.lab.labs import lab
from tests.support.lab.needs import missing

UP_AT_MOST = 1.3
ROUNDS = 3
HOSTS = 2


def ours_s(folder: Path) -> float:
    """Return the seconds of ``e2e up`` as a user types it on two empty hosts."""
    folder.mkdir()
    with lab(HOSTS) as two:
        home: Harness = lab_harness(folder, two.hosts)
        start = time.perf_counter()
        done = home.e2e("up", write_config(folder, two.hosts), timeout_s=1200)
        spent = time.perf_counter() - start
        assert done.code == 0, done.err
        print(done.err)
    return spent


def by_hand_s(folder: Path) -> float:
    """Return the seconds of the same work by hand on two other empty hosts."""
    folder.mkdir()
    with lab(HOSTS) as two:
        cluster = ByHand(two, supplies())
        start = time.perf_counter()
        cluster.make(folder / "kubeconfig")
        spent = time.perf_counter() - start
        print({name: round(seconds, 1) for name, seconds in cluster.stages.items()})
    return spent


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.skipif(bool(missing()), reason="no hosts can be booted here")
def test_up_on_two_machines_against_typing_by_hand(record_ratio, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    supplies()  # built before the clock starts
    pairs = [(ours_s(tmp_path / f"ours-{n}"), by_hand_s(tmp_path / f"hand-{n}")) for n in range(ROUNDS)]

    record_ratio("e2e up ubuntu / kubeadm by hand, 1+1", pairs, UP_AT_MOST)
