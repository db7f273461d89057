"""Looking at a bucket and making one, over the wire. The fake server keeps no settings: the proxy answers for them."""

from __future__ import annotations

import json

import pytest

from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import IMPATIENT, Bucket
from upload.bucket_setup import READ_AND_LIST, BucketPlan, BucketState, differences
from upload.errors import StoreError
from upload.store.gcs_bucket import GcsBucket

NAME = "my-results"
PLAN = BucketPlan(NAME, "EU", keep_days=30)
ACCESS = {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "inherited"}
RESOURCE = {"name": NAME, "iamConfiguration": ACCESS, "cors": PLAN.cors, "lifecycle": {"rule": PLAN.lifecycle}}
PUBLIC = {"role": READ_AND_LIST, "members": ["allUsers"]}
SOMETIMES = {"role": "roles/x", "members": ["allUsers"], "condition": {"title": "t", "expression": "false"}}


def is_policy(request: Request) -> bool:
    return request.path.endswith("/iam")


def answer(faults: FaultProxy, match: object, body: object, status: int = 200) -> None:
    headers = (("Content-Type", "application/json"),)
    faults.add(Act.ANSWER, match, status=status, body=json.dumps(body).encode(), headers=headers)  # type: ignore[arg-type]  # a predicate


def policy(*bindings: object) -> dict[str, object]:
    return {"kind": "storage#policy", "etag": "CAE=", "version": 1, "bindings": list(bindings)}


def test_settings_of_a_bucket_are_read(faults: FaultProxy) -> None:
    answer(faults, lambda r: r.path.endswith(f"/b/{NAME}"), RESOURCE)
    answer(faults, is_policy, policy(PUBLIC, SOMETIMES))

    state = GcsBucket(NAME, endpoint=faults.url, patience=IMPATIENT).state()

    assert state == BucketState(
        is_uniform=True,
        is_public_prevented=False,
        public_roles=(READ_AND_LIST,),
        cors=tuple(PLAN.cors),
        lifecycle=tuple(PLAN.lifecycle),
    )
    assert differences(PLAN, state) == ()


def test_bucket_is_made_and_then_opened_to_everybody(faults: FaultProxy) -> None:
    answer(faults, is_policy, policy())
    answer(faults, is_policy, policy(PUBLIC))

    GcsBucket(NAME, endpoint=faults.url, patience=IMPATIENT).create(PLAN)

    asked = [exchange.request for exchange in faults.log]
    create, look, publish = (r for r in asked if r.method == "POST" or is_policy(r))  # the library looks unasked, too
    assert (create.method, look.method, publish.method) == ("POST", "GET", "PUT")
    sent = json.loads(create.body)
    assert (sent["name"], sent["location"], sent["cors"]) == (NAME, "EU", PLAN.cors)
    assert (sent["iamConfiguration"], sent["lifecycle"]) == (ACCESS, {"rule": PLAN.lifecycle})
    assert json.loads(publish.body)["bindings"] == [PUBLIC]


def test_bucket_that_is_not_there_has_no_state(faults: FaultProxy) -> None:
    assert GcsBucket("nobody-made-this", endpoint=faults.url, patience=IMPATIENT).state() is None


def test_name_that_is_taken_is_told(bucket: Bucket, faults: FaultProxy) -> None:
    with pytest.raises(StoreError, match="the name is taken") as caught:
        GcsBucket(bucket.name, endpoint=faults.url, patience=IMPATIENT).create(PLAN)

    assert caught.value.status == 409
