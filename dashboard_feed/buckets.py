"""The federation file ``buckets.yaml``: which buckets are read, whose they are, and how their builds are numbered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

LARGEST_BYTES = 1 << 20
DEEPEST = 8
KEYS = ("contact", "prefix", "sequential", "exclude_jobs")

_GS = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/(?:[^/]+/)*")
_FILE = re.compile(r"file:///(?:[^/]+/)*")
_PREFIX = re.compile(r"[^\s:/<>&\"'\\]+:")
_CONTACT = re.compile(r"[^\s<>&\"'\\]*")


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One party's bucket.

    ``uri`` is ``gs://bucket/path/`` or ``file:///path/`` and ends in ``/``; its children are jobs.
    ``prefix`` is unique, ends in ``:`` and stands before the job names. ``contact`` is a GitHub name or empty.
    ``sequential``: build ids count 1, 2, 3, so a reader may walk down from the latest one.
    ``exclude_jobs`` are regexes, matched from the start of a job name as kettle does.
    Source: consumers.md section 3.
    """

    uri: str
    prefix: str
    contact: str = ""
    sequential: bool = True
    exclude_jobs: tuple[str, ...] = ()

    @property
    def party(self) -> str:
        """The prefix without its colon."""
        return self.prefix.removesuffix(":")

    def excludes(self, job: str) -> bool:
        """Tell whether the job is one that the party does not want to be read."""
        return any(re.match(pattern, job) for pattern in self.exclude_jobs)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in the file. ``line`` and ``column`` count from 1."""

    line: int
    column: int
    what: str


class BucketsError(UsageError):
    """A federation file that cannot be used. ``problems`` is never empty and in file order."""

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{path}:{p.line}:{p.column}: {p.what}" for p in problems))
        self.problems = problems


def read_buckets(path: Path) -> tuple[BucketSpec, ...]:
    """Return the buckets of a federation file in file order.

    Raises: BucketsError with every problem at once; UsageError when the file cannot be read.
    """
    return parse_buckets(read_text(path), str(path))


def read_text(path: Path) -> bytes:
    """Return the text of a federation file; of one that is too large, enough to be refused. Raises UsageError."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}") from error


def parse_buckets(content: bytes, path: str = "buckets.yaml") -> tuple[BucketSpec, ...]:
    """Return the buckets in the text of a federation file. ``path`` names it in errors."""
    if len(content) > LARGEST_BYTES:
        raise BucketsError(path, (Problem(1, 1, f"larger than {LARGEST_BYTES} bytes"),))
    reader = _Reader()
    specs = reader.read(_compose(content, path))
    if reader.problems:
        raise BucketsError(path, tuple(sorted(reader.problems, key=lambda p: (p.line, p.column))))
    return specs


def _compose(content: bytes, path: str) -> yaml.Node | None:
    """Parse to nodes only: their marks give the lines, and shared aliases stay shared, so none can blow up.

    The depth is looked at first, event by event: composing recurses, in C too, and would overflow the stack.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = content.decode("utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                mark = event.start_mark
                line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
                raise BucketsError(path, (Problem(line, column, "nested too deep"),))
        return yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BucketsError(path, (Problem(line, 1, "not UTF-8"),)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise BucketsError(path, (Problem(line, column, f"not YAML: {error.problem or error.context}"),)) from error
    except yaml.YAMLError as error:
        first = (str(error).splitlines() or ["unreadable"])[0]
        raise BucketsError(path, (Problem(1, 1, f"not YAML: {first}"),)) from error


class _Reader:
    """Nodes to values. Every problem is kept with its place; a bucket with one is left out."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, node: yaml.Node, what: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, node.start_mark.column + 1, what))

    def read(self, root: yaml.Node | None) -> tuple[BucketSpec, ...]:
        from yaml import MappingNode

        if root is None:
            self.problems.append(Problem(1, 1, "no bucket is listed"))
            return ()
        if not isinstance(root, MappingNode):
            self.wrong(root, "expected a mapping of gs://bucket/path/: to its keys")
            return ()
        specs: list[BucketSpec] = []
        prefixes: dict[str, int] = {}
        for key, value in self.pairs(root):
            spec = self.bucket(key, value)
            if spec is None:
                continue
            if spec.prefix in prefixes:
                self.wrong(key, f"prefix '{spec.prefix}' is already that of line {prefixes[spec.prefix]}")
            prefixes.setdefault(spec.prefix, key.start_mark.line + 1)
            specs.append(spec)
        if not specs and not self.problems:
            self.wrong(root, "no bucket is listed")
        return tuple(specs)

    def pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        from yaml import ScalarNode

        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.wrong(key, "a key must be plain text")
            elif key.value in seen:
                self.wrong(key, f"'{key.value}' stands already on line {seen[key.value]}")
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key, value

    def bucket(self, key: yaml.ScalarNode, value: yaml.Node) -> BucketSpec | None:
        from yaml import MappingNode

        before = len(self.problems)
        self.check_uri(key)
        if not isinstance(value, MappingNode):
            self.wrong(value, f"expected a mapping with {', '.join(KEYS)}")
            return None
        fields = {k.value: (k, v) for k, v in self.pairs(value)}
        for name, (node, _) in fields.items():
            if name not in KEYS:
                self.wrong(node, f"unknown key '{name}'{_nearest(name)}; known: {', '.join(KEYS)}")
        if "prefix" not in fields:
            self.wrong(key, "'prefix' is missing: a name of the party that ends in ':'")
        spec = BucketSpec(
            uri=key.value,
            prefix=self.matching(fields, "prefix", _PREFIX, "non-empty text that ends in ':', such as 'example:'"),
            contact=self.matching(fields, "contact", _CONTACT, "a GitHub name"),
            sequential=self.boolean(fields, "sequential", default=True),
            exclude_jobs=self.patterns(fields, "exclude_jobs"),
        )
        return spec if len(self.problems) == before else None

    def check_uri(self, key: yaml.ScalarNode) -> None:
        uri = key.value
        if not uri.startswith(("gs://", "file:///")):
            self.wrong(key, f"'{uri}': a bucket is gs://…/ or file:///…/")
        elif not uri.endswith("/"):
            self.wrong(key, f"'{uri}' must end in '/'")
        elif not (_GS.fullmatch(uri) or _FILE.fullmatch(uri)) or not uri.isprintable():
            self.wrong(key, f"'{uri}' is no valid bucket address")
        elif any(part in (".", "..") for part in uri.split("/")):
            self.wrong(key, f"'{uri}' must not hold '.' or '..'")

    def matching(
        self, fields: dict[str, tuple[yaml.ScalarNode, yaml.Node]], name: str, pattern: re.Pattern[str], expected: str
    ) -> str:
        if name not in fields:
            return ""
        node = fields[name][1]
        if node.tag != "tag:yaml.org,2002:str" or not isinstance(node.value, str) or not pattern.fullmatch(node.value):
            self.wrong(node, f"'{name}' must be {expected}")
            return ""
        return node.value

    def boolean(self, fields: dict[str, tuple[yaml.ScalarNode, yaml.Node]], name: str, *, default: bool) -> bool:
        if name not in fields:
            return default
        node = fields[name][1]
        if node.tag != "tag:yaml.org,2002:bool":
            self.wrong(node, f"'{name}' must be true or false")
            return default
        return str(node.value).lower() in ("true", "yes", "on")

    def patterns(self, fields: dict[str, tuple[yaml.ScalarNode, yaml.Node]], name: str) -> tuple[str, ...]:
        from yaml import ScalarNode, SequenceNode

        if name not in fields:
            return ()
        node = fields[name][1]
        if not isinstance(node, SequenceNode):
            self.wrong(node, f"'{name}' must be a list of regular expressions")
            return ()
        found: list[str] = []
        for item in node.value:
            if not isinstance(item, ScalarNode) or item.tag != "tag:yaml.org,2002:str":
                self.wrong(item, f"'{name}' must be a list of regular expressions")
                continue
            try:
                re.compile(item.value)
            except re.error as error:
                self.wrong(item, f"'{item.value}' is no regular expression: {error}")
            found.append(item.value)
        return tuple(found)


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, KEYS, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
