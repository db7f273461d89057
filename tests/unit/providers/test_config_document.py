"""One file becomes values with places, whatever the file holds, and never costs more than its bounds."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from providers.config.document import MAX_BYTES, Document, parse_document, read_document
from providers.config.problems import ConfigError, Place


def parse(text: str | bytes) -> Document:
    raw = text.encode() if isinstance(text, str) else text
    return parse_document(raw, path=Path("job.yaml"), shown="job.yaml")


def refusal(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return tuple(str(problem) for problem in caught.value.problems)


def test_keys_and_values_have_the_places_a_person_sees() -> None:
    document = parse("# comment\njob: über\nsuite:\n  workers: 8\nlist: [ä, {b: 1}]\n")

    assert document.values == {"job": "über", "suite": {"workers": 8}, "list": ["ä", {"b": 1}]}
    assert document.keys == {
        ("job",): Place("job.yaml", 2, 1),
        ("suite",): Place("job.yaml", 3, 1),
        ("suite", "workers"): Place("job.yaml", 4, 3),
        ("list",): Place("job.yaml", 5, 1),
        ("list", 1, "b"): Place("job.yaml", 5, 12),
    }
    assert document.places == {
        (): Place("job.yaml", 2, 1),
        ("job",): Place("job.yaml", 2, 6),
        ("suite",): Place("job.yaml", 4, 3),
        ("suite", "workers"): Place("job.yaml", 4, 12),
        ("list",): Place("job.yaml", 5, 7),
        ("list", 0): Place("job.yaml", 5, 8),
        ("list", 1): Place("job.yaml", 5, 11),
        ("list", 1, "b"): Place("job.yaml", 5, 15),
    }
    assert document.problems == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("H 2 * * *", "H 2 * * *"),
        ("2026-07-22", "2026-07-22"),
        ("2026-99-99", "2026-99-99"),
        ("on", True),
        ("No", False),
        ("'on'", "on"),
        ("1.36", 1.36),
        ("0o17", "0o17"),
        ("017", 15),
        ("1:30", 90),
        ("~", None),
        ("", None),
        ("9" * 40, int("9" * 40)),
        ("!!str 12", "12"),
        ("*a", "x"),
    ],
)
def test_scalar_is_read_as_yaml_1_1_but_for_dates(written: str, value: object) -> None:
    document = parse(f"anchor: &a x\nkey: {written}\n")

    assert (document.values["key"], document.problems) == (value, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("", ("job.yaml: the file is empty; expected a mapping that begins with 'job:'",), id="empty"),
        pytest.param(
            "# x\n", ("job.yaml: the file is empty; expected a mapping that begins with 'job:'",), id="comment"
        ),
        pytest.param("\n- a\n", ("job.yaml:2:1: found a list; expected a mapping that begins with 'job:'",), id="list"),
        pytest.param(
            "text", ("job.yaml:1:1: found a single value; expected a mapping that begins with 'job:'",), id="text"
        ),
        pytest.param("~", ("job.yaml:1:1: found nothing; expected a mapping that begins with 'job:'",), id="null"),
        pytest.param(
            "a: 1\n---\nb: 2\n",
            (
                "job.yaml:2:1: not valid YAML: expected a single document in the stream, but found another document; expected YAML",
            ),
            id="two documents",
        ),
        pytest.param(
            "a: 1\n  b: 2\n",
            ("job.yaml:2:4: not valid YAML: mapping values are not allowed in this context; expected YAML",),
            id="indentation",
        ),
        pytest.param(
            "schedule: * 2 * * *\n",
            (
                (
                    "job.yaml:1:12: not valid YAML: while scanning an alias, did not find expected alphabetic or numeric"
                    " character; expected quotes around a value that begins with *"
                ),
            ),
            id="unquoted star",
        ),
        pytest.param(
            "a:\n\t- b\n",
            (
                (
                    "job.yaml:2:1: not valid YAML: while scanning for the next token, found character that cannot start any"
                    " token; expected spaces instead of tabs, and quotes around a value that begins with @ or `"
                ),
            ),
            id="tab",
        ),
        pytest.param("a: *b\n", ("job.yaml:1:4: not valid YAML: found undefined alias; expected YAML",), id="alias"),
        pytest.param(
            "a: b\nc: \x07\n",
            ("job.yaml:2:4: not valid YAML: control characters are not allowed; expected printable text",),
            id="control character",
        ),
        pytest.param(
            "a: &a [b, *a]\n",
            ("job.yaml:1:4: a.1: an alias refers to what it stands in; expected no endless aliases",),
            id="endless alias",
        ),
        pytest.param(
            "- " * 40 + "x",
            ("job.yaml: nested deeper than 32 levels; expected a job of a dozen lines",),
            id="deep blocks",
        ),
        pytest.param(
            "[" * 100_000, ("job.yaml: nested deeper than 32 levels; expected a job of a dozen lines",), id="deep flow"
        ),
        pytest.param(
            "- x\n" * 20_000, ("job.yaml: more than 10,000 values; expected a job of a dozen lines",), id="many values"
        ),
    ],
)
def test_unreadable_document_is_refused_with_its_place(text: str, problems: tuple[str, ...]) -> None:
    assert refusal(text) == problems


@pytest.mark.parametrize(
    ("text", "values", "problems"),
    [
        pytest.param(
            "a: 1\nb: 2\na: 3\n",
            {"a": 1, "b": 2},
            ["job.yaml:3:1: a: given twice, first in line 1; expected it once"],
            id="duplicate key",
        ),
        pytest.param(
            "x: {a: 1, 'a': 2}\n",
            {"x": {"a": 1}},
            ["job.yaml:1:11: x.a: given twice, first in line 1; expected it once"],
            id="duplicate inner key",
        ),
        pytest.param(
            "on: 1\n2: x\n? [a]\n: y\n",
            {},
            [
                "job.yaml:1:1: the key on is not text; expected quotes around it",
                "job.yaml:2:1: the key 2 is not text; expected quotes around it",
                "job.yaml:3:3: a key that is not text; expected a word",
            ],
            id="keys that are not text",
        ),
        pytest.param(
            "a: &a {b: 1}\nc:\n  <<: *a\n",
            {"a": {"b": 1}, "c": {}},
            ["job.yaml:3:3: c: merge keys are not read; expected party.yaml for what jobs have in common"],
            id="merge key",
        ),
        pytest.param(
            'a: !!python/object/apply:os.system ["touch x"]\n',
            {"a": []},
            [
                "job.yaml:1:4: a: the tag tag:yaml.org,2002:python/object/apply:os.system is not read; expected a plain value"
            ],
            id="python tag on a list",
        ),
        pytest.param(
            "a: !!binary aGk=\nb: !x {c: 1}\nc: !!set {a}\n",
            {"a": None, "b": {}, "c": {}},
            [
                "job.yaml:1:4: a: the tag tag:yaml.org,2002:binary is not read; expected a plain value",
                "job.yaml:2:4: b: the tag !x is not read; expected a plain value",
                "job.yaml:3:4: c: the tag tag:yaml.org,2002:set is not read; expected a plain value",
            ],
            id="foreign tags",
        ),
        pytest.param(
            "a: .inf\nb: !!int x\nc: !!bool x\nd: .NaN\n",
            {"a": None, "b": None, "c": None, "d": None},
            [
                "job.yaml:1:4: a: found .inf; expected a number, or quotes around text",
                "job.yaml:2:4: b: found x; expected a number, or quotes around text",
                "job.yaml:3:4: c: found x; expected a number, or quotes around text",
                "job.yaml:4:4: d: found .NaN; expected a number, or quotes around text",
            ],
            id="odd numbers",
        ),
    ],
)
def test_bad_form_is_a_problem_and_the_rest_is_still_read(
    text: str, values: dict[str, Any], problems: list[str]
) -> None:
    document = parse(text)

    assert document.values == values
    assert [str(problem) for problem in document.problems] == problems


def test_terminal_escapes_of_a_file_never_reach_a_message() -> None:
    document = parse('"a\\e[31m\\u202e": 1\n"a\\e[31m\\u202e": 2\n')

    assert [str(p) for p in document.problems] == [
        "job.yaml:2:1: a\\x1b[31m\\u202e: given twice, first in line 1; expected it once"
    ]


def test_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.monotonic()

    (problem,) = refusal("\n".join(lines))

    assert problem.endswith("aliases expand to more than 10,000 values; expected few aliases, or none")
    assert time.monotonic() - began < 2


def test_number_of_a_million_digits_is_refused_at_once() -> None:
    began = time.monotonic()

    sexagesimal = parse("a: " + ":".join(["9"] * 300_000))
    decimal = parse("a: " + "9" * 500_000)

    assert [sexagesimal.values, decimal.values] == [{"a": None}, {"a": None}]
    assert [len(sexagesimal.problems), len(decimal.problems)] == [1, 1]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("raw", "place"), [(b"a: \xff\n", "1:4"), (b"a: b\n\xc3\xa4: \xc3(\n", "2:4")])
def test_file_that_is_not_utf_8_is_refused_with_the_place_of_the_byte(tmp_path: Path, raw: bytes, place: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(raw)

    with pytest.raises(ConfigError) as caught:
        read_document(path)

    assert str(caught.value) == f"{path}:{place}: is not UTF-8; expected text in UTF-8"


def test_byte_order_mark_of_an_editor_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbfjob: x\r\n")

    assert read_document(path).values == {"job": "x"}


def test_file_of_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    began = time.monotonic()

    with pytest.raises(ConfigError) as caught:
        read_document(path)

    assert str(caught.value) == f"{path}: has 1,073,741,824 bytes; expected a regular file of at most 1 MiB"
    assert time.monotonic() - began < 0.5


def test_largest_file_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    text = b"a: " + b"x" * (MAX_BYTES - 3)
    path.write_bytes(text)
    assert len(read_document(path).values["a"]) == MAX_BYTES - 3

    path.write_bytes(text + b"x")

    with pytest.raises(ConfigError, match="has 1,048,577 bytes"):
        read_document(path)


def test_fifo_device_and_folder_are_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    said = []
    for path in (fifo, Path("/dev/zero"), tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigError) as caught:
            read_document(path)
        said.append(str(caught.value))

    wanted = "expected a regular file of at most 1 MiB"
    assert said == [
        f"{fifo}: is not a regular file; {wanted}",
        f"/dev/zero: is not a regular file; {wanted}",
        f"{tmp_path}: cannot be read: Is a directory; {wanted}",
        f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory; {wanted}",
    ]


@given(st.binary(max_size=300))
def test_any_bytes_give_a_document_or_a_config_error(raw: bytes) -> None:
    try:
        raw.decode()
        document = parse(raw)
    except (ConfigError, UnicodeDecodeError):
        return

    assert isinstance(document.values, dict)


# PyYAML's own emitter changes line separators, so they are not part of what must come back
PRINTABLE = st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Cc", "Zl", "Zp"))
WORDS = st.text(PRINTABLE, min_size=1, max_size=12)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(-1e9, 1e9)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(PRINTABLE, max_size=20)
INNER = st.recursive(SCALARS, lambda s: st.lists(s, max_size=3) | st.dictionaries(WORDS, s, max_size=3))
TREES = st.dictionaries(WORDS, INNER, min_size=1)


@given(TREES)
def test_what_yaml_dumps_is_read_back_with_a_place_for_each_value(tree: dict[str, Any]) -> None:
    document = parse(yaml.safe_dump(tree, allow_unicode=True))

    assert document.values == tree
    assert {loc[:1] for loc in document.places} == {(), *((key,) for key in tree)}
    assert not any(isinstance(v, float) and math.isnan(v) for v in document.values.values())
