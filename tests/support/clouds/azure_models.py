"""What Azure's own SDKs know of bodies: unknown, read-only, missing and mistyped fields of requests and answers are refused."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any

from tests.support.clouds.discovery import Refused

_OUTGROWN = frozenset({"VirtualMachineSizeTypes"})  # sizes that are newer than this list are documented to work
_MODULES = {
    "resource": "azure.mgmt.resource.resources.models",
    "network": "azure.mgmt.network.models",
    "compute": "azure.mgmt.compute.models",
}


def check_model(service: str, model: str, value: Any, *, is_request: bool) -> None:
    """Raise Refused unless a JSON value is what the SDK calls ``model``."""
    _check(getattr(import_module(_MODULES[service]), model), value, service, model, is_request=is_request)


@cache
def _fields(model: type, service: str) -> dict[str, tuple[Any, bool, bool]]:
    """Return JSON name -> type, whether it is read-only, whether it must be there."""
    models = import_module(_MODULES[service])
    hints = typing.get_type_hints(model, localns={"_models": models, "_types": None})
    typing.cast("Any", model)({})  # which is when the SDK makes its own table
    found = {}
    for name, rest in typing.cast("Any", model)._attr_to_rest_field.items():  # its only description
        visible = rest._visibility or []
        is_optional = type(None) in typing.get_args(hints[name])
        is_read_only = visible == ["read"]
        found[rest._rest_name] = (hints[name], is_read_only, not is_optional and not is_read_only)
    return found


def _check(kind: Any, value: Any, service: str, where: str, *, is_request: bool) -> None:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or (value is None and type(None) in inside):
        return
    if origin in (typing.Union, UnionType):
        _check_one_of([each for each in inside if each is not type(None)], value, service, where, is_request)
    elif origin is list:
        if not isinstance(value, list):
            raise Refused(f"{where}: expected a list, found {value!r}")
        for index, each in enumerate(value):
            _check(inside[0], each, service, f"{where}[{index}]", is_request=is_request)
    elif origin is dict:
        if not isinstance(value, dict):
            raise Refused(f"{where}: expected a map, found {value!r}")
        for key, each in value.items():
            _check(inside[1], each, service, f"{where}.{key}", is_request=is_request)
    elif hasattr(kind, "as_dict"):
        _check_object(kind, value, service, where, is_request)
    else:
        _check_scalar(kind, value, where)


def _check_object(kind: type, value: Any, service: str, where: str, is_request: bool) -> None:
    if not isinstance(value, Mapping):
        raise Refused(f"{where}: expected an object, found {value!r}")
    fields = _fields(kind, service)
    for name, each in value.items():
        if name not in fields:
            raise Refused(f"{where}.{name}: Azure's SDK knows no such field")
        hint, is_read_only, _ = fields[name]
        if is_request and is_read_only:
            raise Refused(f"{where}.{name}: only the service sets this field")
        _check(hint, each, service, f"{where}.{name}", is_request=is_request)
    if missing := [name for name, (_, _, is_needed) in fields.items() if is_needed and name not in value]:
        raise Refused(f"{where}: lacks {', '.join(missing)}")


def _check_one_of(kinds: list[Any], value: Any, service: str, where: str, is_request: bool) -> None:
    enums = [each for each in kinds if isinstance(each, type) and issubclass(each, enum.Enum)]
    if enums and enums[0].__name__ in _OUTGROWN:
        _check_scalar(str, value, where)
    elif enums:  # Union[str, Enum] is how the SDK writes an enumeration that may grow
        known = {str(member.value).lower() for each in enums for member in each}
        if str(value).lower() not in known:
            raise Refused(f"{where}: {value!r} is none of {', '.join(sorted(known))}")
    elif len(kinds) == 1:
        _check(kinds[0], value, service, where, is_request=is_request)
    else:
        raise Refused(f"{where}: the fake does not know which of {kinds} is meant")


def _check_scalar(kind: Any, value: Any, where: str) -> None:
    allowed: tuple[type, ...] = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}.get(kind, (str,))
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise Refused(f"{where}: expected {kind}, found {value!r}")
