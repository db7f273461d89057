"""How a bucket for results is set up, and how one that is there differs. Pure; the rules are those of consumers.md 1.

Uniform access (no object ACLs), everybody may read and list, browsers of any site may read ranges (log viewers do), and
what broken uploads leave is removed. Objects are deleted by age only where that is asked for.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

EVERYBODY = "allUsers"
READ_AND_LIST = "roles/storage.objectViewer"  # objects.get and objects.list
ABANDONED_DAYS = 7
RANGE_HEADERS = ("Accept-Ranges", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Range")
CORS_AGE_S = 3600

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """A bucket to be. ``location`` as Google writes it; ``keep_days``: age at which objects are deleted, 0 for never."""

    name: str
    location: str
    keep_days: int = 0

    @property
    def cors(self) -> list[Json]:
        """The CORS document."""
        return [
            {
                "origin": ["*"],
                "method": ["GET", "HEAD"],
                "responseHeader": list(RANGE_HEADERS),
                "maxAgeSeconds": CORS_AGE_S,
            }
        ]

    @property
    def lifecycle(self) -> list[Json]:
        """The rules of the lifecycle document."""
        rules: list[Json] = [
            {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": ABANDONED_DAYS}}
        ]
        if self.keep_days:
            rules.append({"action": {"type": "Delete"}, "condition": {"age": self.keep_days}})
        return rules


@dataclass(frozen=True, slots=True)
class BucketState:
    """A bucket as it is. ``public_roles``: what everybody may do, without conditions; ``cors``, ``lifecycle``: its rules."""

    is_uniform: bool
    is_public_prevented: bool
    public_roles: tuple[str, ...]
    cors: tuple[Json, ...]
    lifecycle: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be, and the command that changes it."""

    what: str
    command: str


def differences(plan: BucketPlan, state: BucketState) -> tuple[Difference, ...]:
    """Return how a bucket differs from the plan. More rules than planned are no difference, but for what deletes."""
    return tuple(_differences(plan, state))


def _differences(plan: BucketPlan, state: BucketState) -> Iterator[Difference]:
    if not state.is_uniform:
        yield Difference("access is not uniform", _update(plan, "--uniform-bucket-level-access"))
    if state.is_public_prevented:
        yield Difference("public access is prevented", _update(plan, "--no-public-access-prevention"))
    if READ_AND_LIST not in state.public_roles:
        yield Difference("not everybody may read and list", _publish(plan))
    if not any(_allows_ranges(rule) for rule in state.cors):
        yield Difference("pages of other sites cannot read ranges (CORS)", _update_file(plan, "cors", plan.cors))
    missing = [rule for rule in plan.lifecycle if rule not in state.lifecycle]
    deleting = [rule for rule in state.lifecycle if _deletes(rule) and rule not in plan.lifecycle]
    if missing or deleting:
        told = "the lifecycle has other rules" if deleting else "the lifecycle lacks rules"
        yield Difference(told, _update_file(plan, "lifecycle", {"rule": plan.lifecycle}))


def commands(plan: BucketPlan, project: str = "") -> tuple[str, ...]:
    """Return the commands that make the bucket, for people who may not or will not let us."""
    create = f"gcloud storage buckets create gs://{plan.name} --location={shlex.quote(plan.location)}"
    create += " --uniform-bucket-level-access --no-public-access-prevention"
    if project:
        create += f" --project={shlex.quote(project)}"
    return (
        create,
        _publish(plan),
        _update_file(plan, "cors", plan.cors),
        _update_file(plan, "lifecycle", {"rule": plan.lifecycle}),
    )


def _allows_ranges(rule: Json) -> bool:
    origins, methods, headers = (_texts(rule, key) for key in ("origin", "method", "responseHeader"))
    return "*" in origins and {"GET", "HEAD"} <= methods and "content-range" in {name.lower() for name in headers}


def _texts(rule: Json, key: str) -> set[str]:
    value = rule.get(key)
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()


def _deletes(rule: Json) -> bool:
    action = rule.get("action")
    return isinstance(action, dict) and action.get("type") == "Delete"


def _update(plan: BucketPlan, flag: str) -> str:
    return f"gcloud storage buckets update gs://{plan.name} {flag}"


def _publish(plan: BucketPlan) -> str:
    return f"gcloud storage buckets add-iam-policy-binding gs://{plan.name} --member={EVERYBODY} --role={READ_AND_LIST}"


def _update_file(plan: BucketPlan, kind: str, document: object) -> str:
    return f"printf %s {shlex.quote(json.dumps(document))} | {_update(plan, f'--{kind}-file=/dev/stdin')}"
