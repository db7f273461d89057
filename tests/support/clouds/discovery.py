"""Google's own descriptions of Compute v1 and what stands beside it: which calls there are, and what their bodies and answers may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = "/compute/v1/"
SERVICES = ("compute.v1", "cloudresourcemanager.v1")


class Refused(Exception):
    """What the discovery document does not know: a failure of the test that sent it."""


@dataclass(frozen=True, slots=True)
class Method:
    """One call, by its name such as ``compute.instances.insert``. ``service``: the name of its document."""

    service: str
    id: str
    verb: str
    path: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: str | None
    response: str


@cache
def document(service: str) -> Mapping[str, Any]:
    """Return a document inside the package google-api-python-client."""
    import googleapiclient

    path = Path(googleapiclient.__file__).parent / f"discovery_cache/documents/{service}.json"
    loaded: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@cache
def methods() -> tuple[Method, ...]:
    """Return every call of the services."""
    return tuple(
        method
        for service in SERVICES
        for method in _methods(service, document(service), f"/{document(service)['servicePath']}")
    )


def find(verb: str, path: str) -> tuple[Method, dict[str, str]]:
    """Return the call that a request means and the parameters of its path. Raises: Refused."""
    for method in methods():
        if method.verb == verb and (found := method.path.fullmatch(path)):
            return method, found.groupdict()
    raise Refused(f"{' and '.join(SERVICES)} have no {verb} {path}")


def check_query(method: Method, query: Mapping[str, str]) -> None:
    """Check the query of a call. Raises: Refused."""
    known = {**document(method.service)["parameters"], **method.parameters}
    for name, value in query.items():
        told = known.get(name)
        if told is None or told.get("location") != "query":
            raise Refused(f"{method.id} has no parameter {name}")
        if "pattern" in told and not re.fullmatch(told["pattern"], value):
            raise Refused(f"{method.id}: {name}={value} does not match {told['pattern']}")


def check_body(method: Method, body: Any) -> None:
    """Check the body of a call. Raises: Refused."""
    if method.request is None:
        if body is not None:
            raise Refused(f"{method.id} takes no body")
        return
    check_value(body, {"$ref": method.request}, method.id, method.service)


def check_answer(method: Method, answer: Any) -> None:
    """Check what the fake itself answers. Raises: Refused."""
    check_value(answer, {"$ref": method.response}, f"answer of {method.id}", method.service)


def check_value(value: Any, schema: Mapping[str, Any], at: str, service: str = SERVICES[0]) -> None:
    """Check a value against a schema of the document. Raises: Refused naming the place."""
    if "$ref" in schema:
        schema = document(service)["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    if not _fits(value, kind, schema.get("format", "")):
        raise Refused(f"{at}: {value!r} is no {kind}")
    if "enum" in schema and value not in schema["enum"]:
        raise Refused(f"{at}: {value!r} is none of {', '.join(schema['enum'])}")
    for text in value if kind == "array" else (value,):  # the document writes the pattern of items at their list
        if "pattern" in schema and not re.fullmatch(schema["pattern"], text):
            raise Refused(f"{at}: {text!r} does not match {schema['pattern']}")
    if kind == "array":
        for index, item in enumerate(value):
            check_value(item, schema["items"], f"{at}[{index}]", service)
    if kind == "object":
        _check_object(value, schema, at, service)


def _check_object(value: Mapping[str, Any], schema: Mapping[str, Any], at: str, service: str) -> None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for key, inner in value.items():
        told = known.get(key, others)
        if told is None:
            raise Refused(f"{at} has no field {key}")
        check_value(inner, told, f"{at}.{key}", service)


def _fits(value: Any, kind: str, form: str) -> bool:
    if form in ("int64", "uint64"):  # as JSON they are texts; numbers are accepted, too
        return type(value) is int or (isinstance(value, str) and value.lstrip("-").isdigit())
    python = {"string": str, "boolean": bool, "array": list, "object": dict}.get(kind)
    if kind == "integer":
        return type(value) is int
    if kind == "number":
        return type(value) in (int, float)
    return python is None or isinstance(value, python)


def _methods(service: str, part: Mapping[str, Any], root: str) -> Iterator[Method]:
    for told in part.get("methods", {}).values():
        flat = re.escape(root + told["path"]).replace(r"\{", "{").replace(r"\}", "}")
        parameters = told.get("parameters", {})
        yield Method(
            service,
            told["id"],
            told["httpMethod"],
            re.compile(re.sub(r"{(\w+)}", lambda found: f"(?P<{found[1]}>[^/:]+)", flat)),
            parameters,
            told.get("request", {}).get("$ref"),
            told.get("response", {}).get("$ref", "Operation"),
        )
    for inner in part.get("resources", {}).values():
        yield from _methods(service, inner, root)
