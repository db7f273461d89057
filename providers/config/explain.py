"""Turn pydantic's errors into problems with a place, what was expected, and the nearest valid word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from providers.config.places import Loc
from providers.config.problems import Place, Problem
from providers.wording import nearest, visible

# pydantic error type -> what was expected, filled in from the error's own values
_EXPECTED: Mapping[str, str] = {
    "string_type": "text (in quotes if it looks like a number)",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "expected": "{expected}",
    "literal_error": "{expected}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "greater_than": "a number above {gt}",
    "less_than": "a number below {lt}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each key and each value of a merged config stands; ``top`` is the job's file as a whole."""

    keys: Mapping[Loc, Place]
    places: Mapping[Loc, Place]
    top: Place

    def of_value(self, loc: Loc) -> Place:
        """Return where the value at ``loc`` begins, or what holds it when it is not written anywhere."""
        return next((self.places[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in self.places), self.top)

    def of_key(self, loc: Loc) -> Place:
        """Return where the key at ``loc`` stands, or else its value."""
        return self.keys.get(loc) or self.of_value(loc)

    def known(self, loc: Loc) -> Loc:
        """Return the longest part of ``loc`` that the files hold; pydantic adds words of its own for unions."""
        return next((loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in self.places), ())


def problems_of(error: ValidationError, model: type[BaseModel], sources: Sources, under: Loc = ()) -> Iterator[Problem]:
    """Yield a problem for each error. ``under``: where the validated mapping stands in the config."""
    for details in error.errors(include_url=False):
        yield _problem(details, model, sources, under)


def _problem(details: ErrorDetails, model: type[BaseModel], sources: Sources, under: Loc) -> Problem:
    inner, context = details["loc"], details.get("ctx", {})
    loc = (*under, *inner)
    match details["type"]:
        case "missing":
            holder = sources.known(loc[:-1])
            field = _field(model, inner)
            wanted = (field.description if field else None) or "a value"
            return Problem(sources.of_key(holder), dotted((*holder, loc[-1])), "missing", wanted)
        case "extra_forbidden":
            valid = keys_at(model, inner[:-1])
            wanted = f"one of {', '.join(valid)}" if valid else "no keys here"
            return Problem(sources.of_key(loc), dotted(loc), "unknown key", wanted, nearest(str(loc[-1]), valid))
        case "expected" if context["at"]:
            loc = (*loc, *context["at"].split("."))
            found = f"found {_echo(context['found'])}"
            return Problem(sources.of_value(loc), dotted(loc), found, context["expected"], context["nearest"])
    return _wrong_value(details, sources, loc)


def _wrong_value(details: ErrorDetails, sources: Sources, loc: Loc) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    of_key = loc[-1:] == ("[key]",)  # pydantic's word for a key of a mapping whose keys are free
    place = sources.of_key(loc[:-1]) if of_key else sources.of_value(loc)
    key = dotted(sources.known(loc) or loc)
    if kind not in _EXPECTED:
        return Problem(place, key, visible(details["msg"].removeprefix("Value error, "), 300))
    near = str(context.get("nearest", ""))
    if kind == "literal_error" and isinstance(details["input"], str):
        near = nearest(details["input"], re.findall(r"'([^']*)'", str(context["expected"])))
    quoted = "the text " if kind.endswith(("_type", "_parsing")) and isinstance(details["input"], str) else ""
    found = f"found {quoted}{_echo(details['input'])}"
    return Problem(place, key, found, _EXPECTED[kind].format_map(context), near)


def dotted(loc: Loc) -> str:
    """Return ``suite.workers`` for ``("suite", "workers")``."""
    return ".".join(str(part) for part in loc)


def _echo(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"{str(value).lower()} (yes, no, on and off mean that too)"
    return f"'{visible(value)}'" if isinstance(value, str) else f"the number {visible(str(value))}"


def keys_at(model: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """Return the keys that ``model`` takes in the mapping at ``loc``; empty where any key goes."""
    inner = _model_at(model, loc)
    return tuple(info.alias or name for name, info in inner.model_fields.items()) if inner else ()


def _field(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    holder = _model_at(model, loc[:-1])
    if holder is None:
        return None
    return next((info for name, info in holder.model_fields.items() if (info.alias or name) == loc[-1]), None)


def _model_at(annotation: Any, loc: Loc) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and get_origin(annotation) is None:
        if not loc:
            return annotation
        fields = annotation.model_fields.items()
        inner = next((info.annotation for name, info in fields if (info.alias or name) == loc[0]), None)
        return _model_at(inner, loc[1:])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, (Mapping, list, tuple, set, frozenset)):
        return _model_at(arguments[-1], loc[1:]) if arguments and loc else None
    return next((found for found in (_model_at(argument, loc) for argument in arguments) if found), None)
