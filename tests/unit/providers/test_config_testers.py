"""A tester's own keys stand in ``suite:``; what it does not take is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.overrides import SuiteChanges
from e2e.lifecycle.testers import make_tester
from providers.config import ConfigError, load_job
from providers.config.schema import job_schema
from providers.registry import BrokenPlugin
from tests.support.plugins import install_distribution
from upload.errors import UsageError

TESTER = """
from pydantic import BaseModel, ConfigDict, Field

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    speed: int = Field(ge=1, description="how fast it is")
    colours: dict[str, int] = {}

class Tester:
    Settings = Settings

    def __init__(self, settings):
        self.settings = settings

    def refusals(self, given):
        return {key: "nothing" for key in given if key == "focus"}

class Plain:
    pass

class Loose:
    Settings = type("Loose", (BaseModel,), {})

class Failing:
    def __init__(self):
        raise RuntimeError("oh no")
"""
JOB = """\
job: ci-x
kubernetes: pinned
provider: {name: local}
party: example
contact: {github: someone, email: team@example.com}
results: {store: _results/bucket}
bucket_prefix: "example:"
dashboard: {group: provider, name: provider-example}
suite: """


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder; testers of another distribution are installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    install_distribution(
        tmp_path / "site",
        "acme",
        group="federated_e2e.testers",
        entries={name.lower(): f"acme_tester:{name}" for name in ("Tester", "Plain", "Loose", "Failing")},
        modules={"acme_tester": TESTER},
    )
    return tmp_path


def problems(folder: Path, suite: str) -> list[str]:
    (folder / "x.yaml").write_text(JOB + suite)
    with pytest.raises(ConfigError) as caught:
        load_job("x", search=[folder])
    return [str(problem) for problem in caught.value.problems]


def test_own_keys_come_to_the_tester_and_stay_in_the_stored_config(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "{tester: tester, speed: 3, workers: 2}")

    job = load_job("x", search=[folder]).config

    suite = job.suite
    assert (suite.workers, suite.settings, job.to_json()["suite"]["speed"]) == (2, {"speed": 3}, 3)
    assert type(job).from_json(job.to_json()) == job
    assert make_tester(suite.tester, suite.settings).settings.speed == 3  # type: ignore[attr-defined]


SHARED = "tester, preset, select, workers, flake_attempts, focus, skip"


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param("{tester: tester}", ["x.yaml:9:1: suite.speed: missing; expected how fast it is"], id="missing"),
        pytest.param(
            "{tester: tester, speed: 0}", ["x.yaml:9:32: suite.speed: found the number 0; expected a number of at least 1"], id="wrong"
        ),
        pytest.param(
            "{tester: tester, speed: 1, colors: {}}",
            [f"x.yaml:9:35: suite.colors: unknown key; expected one of {SHARED}, speed, colours (did you mean 'colours'?)"],
            id="unknown",
        ),
        pytest.param(
            "{worker: 4}", [f"x.yaml:9:9: suite.worker: unknown key; expected one of {SHARED} (did you mean 'workers'?)"], id="unknown-to-pytest"
        ),
        pytest.param("{speed: 4}", [f"x.yaml:9:9: suite.speed: unknown key; expected one of {SHARED}"], id="key-of-another-tester"),
        pytest.param(
            "{tester: tester, speed: 1, focus: y}", ["x.yaml:9:42: suite.focus: found 'y'; expected nothing"], id="refused"
        ),
        pytest.param(
            "{tester: command, focus: y}",
            ["x.yaml:9:1: suite.command: missing; expected program and arguments: [./conformance.sh, --fast]; no shell unless it is one"],
            id="command-without-one",
        ),
        pytest.param(
            "{tester: command, command: [x], select: conformance}",
            ["x.yaml:9:48: suite.select: found 'conformance'; expected nothing: with tester command the command itself decides which cases run"],
            id="command-decides",
        ),
        pytest.param(
            '{tester: command, command: ["a\\0"]}', ["x.yaml:9:36: suite.command.0: found 'a\\x00'; expected text without NUL"], id="command-with-nul"
        ),
        pytest.param("{tester: command, command: sh}", ["x.yaml:9:35: suite.command: found the text 'sh'; expected a list"], id="command-as-text"),
        pytest.param(
            '{tester: e2e.test, focus: "a(?!b)", select: preempts}',
            [
                "x.yaml:9:34: suite.focus: found 'a(?!b)'; expected a regular expression of Go, which has no (?!",
                ("x.yaml:9:52: suite.select: found 'preempts'; expected markers that upstream's cases have as well"
                " (conformance, serial, slow, disruptive), not preempts"),
            ],
            id="not-of-ginkgo",
        ),
        pytest.param(
            "{tester: e2e.test, flags: [--report-dir=x, -rf, x]}",
            [
                "x.yaml:9:35: suite.flags.0: found '--report-dir=x'; expected a flag that the tester does not set itself",
                "x.yaml:9:56: suite.flags.2: found 'x'; expected a flag of e2e.test such as --minStartupPods=4, in one word",
            ],
            id="flags-of-ours",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(folder: Path, suite: str, expected: list[str]) -> None:
    assert problems(folder, suite) == expected


@pytest.mark.parametrize(
    ("suite", "cause"),
    [
        ("{tester: loose}", "its Settings accept unknown keys"),
        ("{tester: failing}", "RuntimeError: oh no"),
    ],
)
def test_broken_tester_is_named(folder: Path, suite: str, cause: str) -> None:
    (problem,) = problems(folder, suite)

    assert "of distribution acme 1.0 is broken" in problem
    assert cause in problem


def test_broken_tester_of_a_stored_config_is_named() -> None:
    with pytest.raises(BrokenPlugin, match="oh no"):
        make_tester("failing", {})
    with pytest.raises(UsageError, match=r"^suite\.speed: Field required"):
        make_tester("tester", {})


def test_option_that_the_tester_cannot_follow_is_refused(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "{tester: tester, speed: 1}")
    job = load_job("x", search=[folder]).config

    with pytest.raises(UsageError, match=r"^--focus: expected nothing$"):
        SuiteChanges(focus="x").apply(job)
    assert SuiteChanges(workers=3).apply(job).suite.workers == 3


def test_schema_has_the_keys_of_all_testers() -> None:
    suite = job_schema()["$defs"]["Suite"]

    assert set(suite["properties"]) > {"label_filter", "speed", "colours", *SHARED.split(", ")}
    assert suite["properties"]["speed"]["description"] == "tester tester: how fast it is"
