from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard_feed.alerts import Point
from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Bucket, Build, Job
from dashboard_feed.regressions import Regression, as_json, find_regressions, listing
from upload.model import Case, Status

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20
HOUR_S = 3600


def case(letter: str, name: str = "t") -> tuple[Case, ...]:
    bad, good = Case(name, Status.FAILED), Case(name, Status.PASSED)
    return {"P": (good,), "F": (bad,), "~": (bad, good), "S": (Case(name, Status.SKIPPED),), " ": ()}[letter]


def bucket(platform: str, letters: str, *, late_s: int = 0) -> Bucket:
    """A job whose builds, newest first, came out as the letters say; they are an hour apart."""
    spec = BucketSpec(f"gs://{platform}/logs/", f"{platform}-party:")
    builds = tuple(
        Build(
            "j",
            str(99 - index),
            started_s=NOW_S + late_s - index * HOUR_S,
            version=f"v1+{99 - index}",
            commit=f"c{99 - index}",
            metadata=(("provider", platform),),
            cases=case(letter),
        )
        for index, letter in enumerate(letters)
    )
    return Bucket(spec, (Job(spec, "j", builds),))


def seen(number: int) -> Point:
    return Point(str(number), f"v1+{number}", f"c{number}", NOW_S - (99 - number) * HOUR_S)


def found(*buckets: Bucket) -> Regression:
    (regression,) = find_regressions(buckets)
    return regression


@pytest.mark.parametrize(
    ("letters", "failures", "bad", "good"),
    [
        pytest.param("FP", 1, 99, 98, id="just now"),
        pytest.param("FFFPPF", 3, 97, 96, id="a while ago"),
        pytest.param("F S FP", 2, 95, 94, id="builds without a result say nothing"),
        pytest.param(" FF~", 2, 97, 96, id="a pass on a retry is a pass"),
    ],
)
def test_first_bad_and_last_good_build(letters: str, failures: int, bad: int, good: int) -> None:
    (place,) = found(bucket("gce", letters)).places

    assert (place.platform, place.failures, place.first_bad, place.last_good) == (
        "gce",
        failures,
        seen(bad),
        seen(good),
    )


@pytest.mark.parametrize("letters", ["", "PFFP", "~F", "FFF", "SSS", "  "])
def test_what_does_not_fail_now_or_never_passed_did_not_break(letters: str) -> None:
    assert find_regressions([bucket("gce", letters)]) == ()


def test_every_job_that_ran_it_is_told_the_broken_ones_first() -> None:
    regression = found(bucket("aws", "PP"), bucket("gce", "FFP"), bucket("kvm", "FF"), bucket("azure", "FPP"))

    assert [(p.platform, p.is_broken, p.failures) for p in regression.places] == [
        ("azure", True, 1),
        ("gce", True, 2),
        ("aws", False, 0),
        ("kvm", False, 2),
    ]
    assert list(listing([regression])) == [
        "t",
        "  azure        azure-party:j: bad since 99, 22 Nov 17:03, v1+99, c99",
        "               last good 98, 22 Nov 16:03, v1+98, c98",
        "  gce          gce-party:j: bad since 98, 22 Nov 16:03, v1+98, c98",
        "               last good 97, 22 Nov 15:03, v1+97, c97",
        "  aws          aws-party:j: good",
        "  kvm          kvm-party:j: never passed",
    ]


def test_one_cause_lies_between_the_latest_good_and_the_earliest_bad() -> None:
    one = found(bucket("gce", "FFP", late_s=900), bucket("azure", "FF P"))
    apart = found(bucket("gce", "FP"), bucket("azure", "FFP"))

    assert one.narrowest is not None
    assert [each.build for each in one.narrowest] == ["97", "98"]
    assert one.narrowest[0].at_s == NOW_S + 900 - 2 * HOUR_S
    assert apart.narrowest is None


def test_what_broke_last_stands_first() -> None:
    older, newer = bucket("gce", "FFFP"), bucket("gce", "FP")
    many = [
        replace(build, cases=(*build.cases, *case(letter, "u")))
        for build, letter in zip(older.jobs[0].builds, "FPPP", strict=True)
    ]
    both = replace(older, jobs=(replace(older.jobs[0], builds=tuple(many)),))

    assert [regression.test for regression in find_regressions([both])] == ["u", "t"]
    assert found(newer).newest_s == NOW_S


def test_a_step_is_told_by_its_part_and_test_by_its_tests() -> None:
    red = bucket("gce", "  ")
    names = ("e2e.Test", "e2e.Up", "e2e.Up: Make machines")
    bad, good = (tuple(Case(name, status) for name in names) for status in (Status.FAILED, Status.PASSED))
    builds = tuple(replace(b, steps=steps) for b, steps in zip(red.jobs[0].builds, (bad, good), strict=True))

    assert [r.test for r in find_regressions([replace(red, jobs=(replace(red.jobs[0], builds=builds),))])] == [
        "e2e.Up: Make machines"
    ]


def test_as_json_all_is_plain() -> None:
    assert as_json(found(bucket("gce", "FP"))) == {
        "test": "t",
        "is_step": False,
        "narrowest": {
            "good": {"build": "98", "version": "v1+98", "commit": "c98", "at_s": NOW_S - HOUR_S},
            "bad": {"build": "99", "version": "v1+99", "commit": "c99", "at_s": NOW_S},
        },
        "places": [
            {
                "platform": "gce",
                "job": "gce-party:j",
                "bucket": "gs://gce/logs/",
                "failures": 1,
                "first_bad": {"build": "99", "version": "v1+99", "commit": "c99", "at_s": NOW_S},
                "last_good": {"build": "98", "version": "v1+98", "commit": "c98", "at_s": NOW_S - HOUR_S},
            }
        ],
    }


def test_terminal_codes_stay_out_of_a_listing() -> None:
    red = bucket("gce", "FP")
    builds = tuple(replace(b, version="\x1b[31mv", metadata=(("provider", "\x07x"),)) for b in red.jobs[0].builds)
    shown = "\n".join(listing([found(replace(red, jobs=(replace(red.jobs[0], builds=builds),)))]))

    assert "\x1b" not in shown
    assert "\x07" not in shown
