from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from dashboard_feed.builds import Bucket
from dashboard_feed.clusters.cluster import Cluster, make_clusters
from dashboard_feed.clusters.failures import MOST_OF_BUCKET, failures
from dashboard_feed.clusters.spread import runs_of, spread_of
from upload.model import Case, Status

Buckets = tuple[Bucket, ...]
Make = Callable[..., Buckets]

LONG = "the deployment e2e did not become ready within two minutes: replicas wanted three and two were available in the end"
NEAR = LONG.replace("three", "seven")
FAR = "no route to host while the kubelet on the second machine was asked for its logs over the loopback of the tunnel"


def clusters(made: Buckets) -> tuple[Cluster, ...]:
    return make_clusters(failures(made))


def sizes(made: Buckets) -> list[tuple[int, str]]:
    return [(len(cluster.failures), cluster.key) for cluster in clusters(made)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([LONG, LONG], [(2, LONG)], id="equal"),
        pytest.param([LONG, NEAR], [(2, LONG)], id="near: the oldest names it"),
        pytest.param([LONG, FAR], [(1, LONG), (1, FAR)], id="far"),
        pytest.param(["10.0.0.1 said no", "10.9.8.7 said no"], [(2, "UNIQ1 said no")], id="unique parts"),
        pytest.param(["no", "na"], [(1, "na"), (1, "no")], id="short texts must be equal"),
        pytest.param([f"{LONG} {n}" for n in range(9)], [(9, f"{LONG} 0")], id="numbers"),
    ],
)
def test_failures_that_say_the_same_are_together(
    buckets: Make, texts: list[str], expected: list[tuple[int, str]]
) -> None:
    found = sizes(buckets(gce=[{"t": text} for text in texts]))

    assert sorted(found) == sorted(expected)


def test_clusters_do_not_depend_on_the_order_of_what_was_read(buckets: Make) -> None:
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(60)]
    texts = [" ".join(chance.choices(words, k=20)) for _ in range(30)]
    found = failures(
        buckets(a=[{"t": chance.choice(texts) + " x"} for _ in range(50)], b=[{"t": text} for text in texts])
    )
    again = sorted(chance.sample(found, len(found)), key=lambda f: (f.origin.started_s, f.origin.path, f.test))

    assert [(c.id, c.key) for c in make_clusters(found)] == [(c.id, c.key) for c in make_clusters(again)]


def test_an_id_stays_when_more_of_it_comes(buckets: Make) -> None:
    first, later = clusters(buckets(gce=[{"t": LONG}])), clusters(buckets(gce=[{"t": LONG}, {"t": NEAR, "u": NEAR}]))

    assert (len(later), first[0].id) == (1, later[0].id)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(
            {"azure": [{"t": LONG}], "gce": [{"t": ""}], "aws": [{"t": ""}]},
            "on azure only, not on aws and gce",
            id="on one platform",
        ),
        pytest.param(
            {"azure": [{"t": ""}, {"t": LONG}], "gce": [{"t": ""}, {"t": NEAR}]}, "everywhere since build 2", id="since"
        ),
        pytest.param(
            {"azure": [{"t": LONG}], "gce": [{"t": LONG}]}, "everywhere, as far back as was read", id="always"
        ),
        pytest.param(
            {"azure": [{"t": LONG}], "gce": [{"u": ""}]}, "on azure, where alone its tests ran", id="ran on one"
        ),
        pytest.param(
            {"azure": [{"u": ""}, {"t": LONG}], "gce": [{"t": ""}]},
            "on azure, where alone its tests ran",
            id="the others have not run since",
        ),
    ],
)
def test_a_cluster_tells_where_it_is(buckets: Make, made: dict[str, list[dict[str, str]]], words: str) -> None:
    read = buckets(**made)
    (cluster,) = clusters(read)

    assert spread_of(cluster, runs_of(read, {"t"})).words == words


def test_spans_are_what_all_have(buckets: Make) -> None:
    (cluster,) = clusters(buckets(gce=[{"t": LONG}, {"t": NEAR}]))
    start = LONG.index("three")

    assert cluster.spans == [start, 5, len(LONG) - start - 5]


def test_a_bucket_of_failures_without_end_is_cut_at_its_oldest(buckets: Make) -> None:
    (bucket,) = buckets(gce=[{"t": LONG}, {"t": LONG}])
    newest = replace(bucket.jobs[0].builds[0], cases=(Case("t", Status.FAILED, text="x"),) * MOST_OF_BUCKET)
    full = replace(bucket, jobs=(replace(bucket.jobs[0], builds=(newest, bucket.jobs[0].builds[1])),))
    found = failures([full, *buckets(aws=[{"t": FAR}])])

    assert (len(found), {f.text for f in found}) == (MOST_OF_BUCKET + 1, {"x", FAR})


def test_the_step_test_and_builds_without_a_place_in_time_are_left_out(buckets: Make) -> None:
    (bucket,) = buckets(gce=[{"t": LONG}])
    (build,) = bucket.jobs[0].builds
    steps = (Case("e2e.Test", Status.FAILED, text="cases failed"), Case("e2e.Up", Status.FAILED, text="no machine"))
    builds = (
        replace(build, cases=(), steps=steps),
        replace(build, started_s=None),
        replace(build, number="x"),
        replace(build, number=str(2**53)),
        replace(build, number="0"),
    )

    found = failures([replace(bucket, jobs=(replace(bucket.jobs[0], builds=builds),))])
    assert [failure.test for failure in found] == ["e2e.Up"]
