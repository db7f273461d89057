"""A bucket for results: what it is to be, how one that is there differs, and the commands for both."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from upload.bucket_setup import READ_AND_LIST, BucketPlan, BucketState, commands, differences
from upload.errors import UsageError
from upload.store import bucket_name

PLAN = BucketPlan("my-bucket", "EU")
GOOD = BucketState(
    is_uniform=True,
    is_public_prevented=False,
    public_roles=("roles/storage.legacyObjectReader", READ_AND_LIST),
    cors=({"origin": ["https://x.example"]}, *PLAN.cors),
    lifecycle=tuple(PLAN.lifecycle),
)
DELETES: dict[str, object] = {"action": {"type": "Delete"}, "condition": {"age": 30}}


def test_bucket_as_planned_has_no_difference() -> None:
    assert differences(PLAN, GOOD) == ()


@pytest.mark.parametrize(
    ("state", "what", "command"),
    [
        (replace(GOOD, is_uniform=False), "access is not uniform", "--uniform-bucket-level-access"),
        (replace(GOOD, is_public_prevented=True), "public access is prevented", "--no-public-access-prevention"),
        (
            replace(GOOD, public_roles=()),
            "not everybody may read and list",
            f"--member=allUsers --role={READ_AND_LIST}",
        ),
        (replace(GOOD, cors=()), "pages of other sites cannot read ranges (CORS)", "--cors-file=/dev/stdin"),
        (
            replace(GOOD, cors=({**PLAN.cors[0], "method": ["GET"]},)),
            "pages of other sites cannot read ranges (CORS)",
            "--cors-file=/dev/stdin",
        ),
        (
            replace(GOOD, cors=({"origin": "*", "method": None},)),
            "pages of other sites cannot read ranges (CORS)",
            "--cors-file=/dev/stdin",
        ),
        (replace(GOOD, lifecycle=()), "the lifecycle lacks rules", "--lifecycle-file=/dev/stdin"),
        (replace(GOOD, lifecycle=(*GOOD.lifecycle, DELETES)), "the lifecycle has other rules", "/dev/stdin"),
    ],
    ids=["uniform", "prevented", "public", "no CORS", "no HEAD", "odd CORS", "no lifecycle", "deletes"],
)
def test_difference_is_told_with_the_command_that_changes_it(state: BucketState, what: str, command: str) -> None:
    (difference,) = differences(PLAN, state)

    assert difference.what == what
    assert difference.command.startswith(("gcloud storage buckets ", "printf %s "))
    assert difference.command.endswith(command)


def test_age_at_which_objects_are_deleted_is_part_of_the_plan() -> None:
    plan = replace(PLAN, keep_days=30)

    assert differences(plan, replace(GOOD, lifecycle=(*GOOD.lifecycle, DELETES))) == ()
    assert [d.what for d in differences(plan, GOOD)] == ["the lifecycle lacks rules"]


def test_commands_make_the_bucket_and_quote_what_the_user_gave() -> None:
    create, publish, cors, lifecycle = commands(replace(PLAN, location="EU; rm -rf ."), "p q")

    assert shlex.split(create) == [
        *("gcloud", "storage", "buckets", "create", "gs://my-bucket", "--location=EU; rm -rf ."),
        *("--uniform-bucket-level-access", "--no-public-access-prevention", "--project=p q"),
    ]
    assert publish.endswith(f"gs://my-bucket --member=allUsers --role={READ_AND_LIST}")
    assert json.loads(shlex.split(cors)[2]) == PLAN.cors
    assert json.loads(shlex.split(lifecycle)[2]) == {"rule": PLAN.lifecycle}


@pytest.mark.parametrize("uri", ["my-bucket", "gs://", "gs://a", "gs://my-bucket/logs", "s3://my-bucket", "gs://A B"])
def test_only_a_bucket_can_be_made(uri: str) -> None:
    with pytest.raises(UsageError, match="names no bucket"):
        bucket_name(uri)


def test_name_of_a_bucket() -> None:
    assert [bucket_name("gs://my-bucket"), bucket_name("gs://my.bucket/")] == ["my-bucket", "my.bucket"]
