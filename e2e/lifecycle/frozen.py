"""A plan of a build on disk: what goes where, so that a later process sends just the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2e.lifecycle.folder import write_private
from upload.documents import CacheEntry
from upload.model import BuildRef, Put
from upload.plan import Plan

PLAN = "plan.json"


def write_plan(place: Path, plan: Plan) -> None:
    """Write the plan whole or not at all. Bodies that are files stay where they are, below ``place``."""
    document = {
        "build": asdict(plan.build),
        "artifacts": [_put_to_json(put, place) for put in plan.artifacts],
        "log": _put_to_json(plan.log, place) if plan.log else None,
        "finished": _put_to_json(plan.finished, place),
        "entry": asdict(plan.entry),
        "cache": plan.cache,
        "latest": plan.latest,
    }
    write_private(place / PLAN, json.dumps(document).encode())


def read_plan(place: Path) -> Plan | None:
    """Return the plan that an earlier process wrote, or None."""
    try:
        document = json.loads((place / PLAN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return Plan(
        build=BuildRef(**document["build"]),
        artifacts=tuple(_put_from_json(put, place) for put in document["artifacts"]),
        log=_put_from_json(document["log"], place) if document["log"] else None,
        finished=_put_from_json(document["finished"], place),
        entry=CacheEntry(**document["entry"]),
        cache=document["cache"],
        latest=document["latest"],
    )


def _put_to_json(put: Put, place: Path) -> dict[str, Any]:
    is_file = isinstance(put.body, Path)
    body = str(put.body.relative_to(place)) if isinstance(put.body, Path) else put.body.decode("latin-1")
    fields = {name: getattr(put, name) for name in Put.__dataclass_fields__}
    return {**fields, "body": body, "is_file": is_file}


def _put_from_json(values: dict[str, Any], place: Path) -> Put:
    is_file = values.pop("is_file")
    body = place / values["body"] if is_file else values["body"].encode("latin-1")
    return Put(**{**values, "body": body, "metadata": tuple((key, value) for key, value in values["metadata"])})
