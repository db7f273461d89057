"""How many failures a minute become clusters: most say what others say but for numbers, names and times, a tenth do not."""

from __future__ import annotations

import random
import time

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Build, Job
from dashboard_feed.clusters.cluster import make_clusters
from dashboard_feed.clusters.failures import Failure, Origin
from tests.support.federation import FAILURE, NAMES

COUNT = 100_000
AT_MOST_S = 60.0


def write_failures(count: int, *, seed: int = 1) -> list[Failure]:
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randrange(3, 10))) for _ in range(3000)]
    causes = [" ".join(chance.choices(words, k=chance.randrange(20, 160))) for _ in range(600)]
    specs = [BucketSpec(f"gs://bucket-{n}/logs/", f"party-{n}:") for n in range(5)]
    builds = [
        Origin(Job(spec, f"job-{job}", ()), Build(f"job-{job}", str(number), started_s=number))
        for spec in specs
        for job in range(20)
        for number in range(1, 101)
    ]

    def text() -> str:
        own = " ".join(f"{word}{chance.randrange(10)}" for word in chance.choices(words, k=30))
        cause = chance.choice(causes) if chance.random() < 0.9 else own
        return (
            f"Nov {chance.randrange(1, 29)} 10:{chance.randrange(10, 60)}:12.345: INFO: {cause}\n"
            f"at 10.0.{chance.randrange(255)}.1:443 0x{chance.randrange(2**40):x} pod-{chance.randrange(10**6)}\n"
            + FAILURE.format(sig="apps", word="word", line=chance.randrange(99), what="what")
        )

    found = [Failure(chance.choice(builds), chance.choice(NAMES), text()) for _ in range(count)]
    return sorted(found, key=lambda failure: (failure.origin.started_s, failure.origin.path, failure.test))


@pytest.mark.slow
def test_a_hundred_thousand_failures_are_clustered_within_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    many = write_failures(COUNT)
    started = time.process_time()
    found = make_clusters(many)
    spent_s = time.process_time() - started

    with capsys.disabled():
        print(f"\n{COUNT} failures, {len(found)} clusters: {spent_s:.1f} s, goal ≤ {AT_MOST_S:.0f} s")
    assert sum(len(cluster.failures) for cluster in found) == COUNT
    assert spent_s <= AT_MOST_S
