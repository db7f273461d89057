"""Read one YAML file into plain values and the place of every key. Everything in the file is hostile.

Nothing is built but text, numbers, booleans, null, lists and mappings. Size, depth and node count are bounded before
memory is spent, aliases are counted as often as they are expanded.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from providers.config.places import Loc, Places
from providers.config.problems import ConfigError, Place, Problem
from providers.wording import visible

MAX_BYTES = 1 << 20
MAX_NODES = 10_000
MAX_DEPTH = 32
_MAX_NUMBER = 40  # characters; YAML's base-60 integers take quadratic time in their length

_TAG = "tag:yaml.org,2002:"
_AS_WRITTEN = frozenset(
    {_TAG + "str", _TAG + "timestamp"}
)  # no key takes a date: an unquoted one is text, as in YAML 1.2
_SCALARS = frozenset(_TAG + kind for kind in ("int", "float", "bool", "null"))


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its values, and where each key and each value stands (by path from the top).

    ``problems``: what is wrong with its form; the values are those of the rest, so that they can be checked as well.
    """

    path: Path
    shown: str
    values: dict[str, Any]
    keys: Places
    places: Places
    problems: tuple[Problem, ...] = ()


def shown_path(path: Path) -> str:
    """Return ``path`` as messages show it: relative to the working folder when it lies inside."""
    return str(path).removeprefix(f"{Path.cwd()}/")


def read_document(path: Path) -> Document:
    """Return the values and places of a YAML file whose top is a mapping.

    Duplicate keys, keys that are not text, foreign tags and odd numbers are the document's ``problems``.
    Raises: ConfigError where nothing can be read: no regular file, too large, not UTF-8, no YAML, empty, no mapping,
    too many or endless aliases.
    """
    shown = shown_path(path)
    return parse_document(read_bounded(path, shown), path=path, shown=shown)


def parse_document(raw: bytes, *, path: Path, shown: str) -> Document:
    """Return the document in ``raw``; the pure half of ``read_document``."""
    node = _compose(raw, shown)
    if node is None:
        raise _refusal(Place(shown), "the file is empty", "a mapping that begins with 'job:'")
    builder = _Builder(shown)
    values = builder.build(node, ())
    if not isinstance(values, dict):
        raise _refusal(builder.place(node), f"found {_kind(node)}", "a mapping that begins with 'job:'")
    problems = tuple(builder.problems)
    return Document(path, shown, values, Places(((shown, builder.keys),)), Places(((shown, builder.places),)), problems)


def _refusal(place: Place, what: str, expected: str = "", key: str = "") -> ConfigError:
    return ConfigError([Problem(place, key, what, expected)])


def read_bounded(path: Path, shown: str) -> bytes:
    """Return the bytes of a regular UTF-8 file of at most ``MAX_BYTES``. Raises ConfigError."""
    wanted = f"a regular file of at most {MAX_BYTES >> 20} MiB"
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise _refusal(Place(shown), "is not a regular file", wanted)
            if facts.st_size > MAX_BYTES:
                raise _refusal(Place(shown), f"has {facts.st_size:,} bytes", wanted)
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refusal(Place(shown), f"cannot be read: {error.strerror}", wanted) from error
    if len(raw) > MAX_BYTES:
        raise _refusal(Place(shown), f"has more than {MAX_BYTES:,} bytes", wanted)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal(_place_of_byte(raw, error.start, shown), "is not UTF-8", "text in UTF-8") from error
    return raw


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)  # a FIFO without a writer must not hang the check


def _place_of_byte(raw: bytes, offset: int, shown: str) -> Place:
    before = raw[:offset]
    last_line = before.rpartition(b"\n")[2]
    return Place(shown, before.count(b"\n") + 1, len(last_line.decode("utf-8", "replace")) + 1)


class _TooLarge(Exception):
    """The document passes a bound; found while composing, before memory is spent on it."""


class _BoundedLoader(yaml.CSafeLoader):
    """The C loader, counting nodes and depth as it goes: it composes by recursion in C and would overflow the stack."""

    _nodes = 0
    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Enter a node. Called by the C composer once a node, before its children."""
        self._nodes += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooLarge(f"nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise _TooLarge(f"more than {MAX_NODES:,} values")

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self._depth -= 1


def _compose(raw: bytes, shown: str) -> yaml.Node | None:
    loader = _BoundedLoader(raw)
    try:
        return loader.get_single_node()
    except _TooLarge as error:
        raise _refusal(Place(shown), str(error), "a job of a dozen lines") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(shown, mark.line + 1, mark.column + 1) if mark else Place(shown)
        raise _refusal(place, f"not valid YAML: {_reason(error)}", _remedy(error)) from error
    except yaml.reader.ReaderError as error:
        place = _place_of_byte(raw, int(error.position), shown)
        raise _refusal(place, f"not valid YAML: {visible(str(error.reason))}", "printable text") from error
    finally:
        loader.dispose()


def _reason(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return visible(", ".join(parts), 200)


def _remedy(error: yaml.MarkedYAMLError) -> str:
    if error.context and "alias" in error.context:
        return "quotes around a value that begins with *"
    if error.problem and "found character that cannot start any token" in error.problem:
        return "spaces instead of tabs, and quotes around a value that begins with @ or `"
    return "YAML"


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if node.tag == _TAG + "null" else "a single value"


@dataclass(slots=True)
class _Builder:
    """Turns nodes into plain values and remembers places and problems on the way."""

    shown: str
    keys: dict[Loc, yaml.Mark] = field(default_factory=dict)
    places: dict[Loc, yaml.Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    _expanded: int = 0
    _scalars: SafeConstructor = field(default_factory=SafeConstructor)

    def place(self, node: yaml.Node) -> Place:
        """Return where a node begins."""
        mark = node.start_mark
        return Place(self.shown, mark.line + 1, mark.column + 1)

    def build(self, node: yaml.Node, loc: Loc) -> Any:
        """Return the plain value of ``node``. Raises ConfigError at once where going on could be endless."""
        self._expanded += 1
        if self._expanded > MAX_NODES:
            raise _refusal(
                self.place(node), f"aliases expand to more than {MAX_NODES:,} values", "few aliases, or none"
            )
        self.places[loc] = node.start_mark
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if id(node) in self._open:
            raise _refusal(self.place(node), "an alias refers to what it stands in", "no endless aliases", _dotted(loc))
        self._open.add(id(node))
        try:
            return self._mapping(node, loc) if isinstance(node, yaml.MappingNode) else self._list(node, loc)
        finally:
            self._open.discard(id(node))

    def _list(self, node: yaml.Node, loc: Loc) -> list[Any]:
        if node.tag != _TAG + "seq":
            self._foreign_tag(node, loc)
            return []
        return [self.build(child, (*loc, index)) for index, child in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        if node.tag != _TAG + "map":
            self._foreign_tag(node, loc)
            return {}
        values: dict[str, Any] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _AS_WRITTEN:
                self._odd_key(key, loc)
                continue
            here = (*loc, key.value)
            if key.value in values:
                first = self.keys[here].line + 1
                self.problems.append(
                    Problem(self.place(key), _dotted(here), f"given twice, first in line {first}", "it once")
                )
                continue
            self.keys[here] = key.start_mark
            values[key.value] = self.build(child, here)
        return values

    def _odd_key(self, key: yaml.Node, loc: Loc) -> None:
        if key.tag == _TAG + "merge":
            what, expected = "merge keys are not read", "party.yaml for what jobs have in common"
        elif isinstance(key, yaml.ScalarNode):
            what, expected = f"the key {visible(key.value)} is not text", "quotes around it"
        else:
            what, expected = "a key that is not text", "a word"
        self.problems.append(Problem(self.place(key), _dotted(loc), what, expected))

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        if node.tag in _AS_WRITTEN:
            return node.value
        if node.tag not in _SCALARS:
            self._foreign_tag(node, loc)
            return None
        value = self._number(node)
        if isinstance(value, float) and not math.isfinite(value):
            found = f"found {visible(node.value)}"
            self.problems.append(Problem(self.place(node), _dotted(loc), found, "a number, or quotes around text"))
            return None
        return value

    def _number(self, node: yaml.ScalarNode) -> Any:
        """Return what YAML 1.1 makes of a number, boolean or null; not-a-number for what does not parse."""
        if len(node.value) > _MAX_NUMBER:
            return math.nan
        try:
            return self._scalars.construct_object(node)
        except (ValueError, KeyError, IndexError, yaml.YAMLError):
            return math.nan

    def _foreign_tag(self, node: yaml.Node, loc: Loc) -> None:
        self.problems.append(
            Problem(self.place(node), _dotted(loc), f"the tag {visible(node.tag)} is not read", "a plain value")
        )


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)
