"""Options of the command line are checked by the rules of the config."""

from __future__ import annotations

import pytest

from e2e.lifecycle.overrides import SuiteChanges
from providers.config import default_search, load_job
from providers.config.model import JobConfig
from upload.errors import UsageError


@pytest.fixture(scope="module")
def job() -> JobConfig:
    return load_job("local", search=default_search()).config


def test_options_replace_the_values_of_the_config(job: JobConfig) -> None:
    changed = SuiteChanges(select="slow", focus="^x", skip="y", workers=3).apply(job)

    suite = changed.suite
    assert (suite.expression(), suite.focus, suite.skip, suite.workers) == ("(not disruptive) and (slow)", "^x", "y", 3)
    assert changed.model_copy(update={"suite": job.suite}) == job


def test_without_options_the_config_stays(job: JobConfig) -> None:
    assert SuiteChanges().apply(job) == job


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        pytest.param(SuiteChanges(focus="("), "--focus", id="focus"),
        pytest.param(SuiteChanges(skip="["), "--skip", id="skip"),
        pytest.param(SuiteChanges(select="a and"), "--select", id="select"),
        pytest.param(SuiteChanges(select="slow and conformanse"), "--select", id="unknown marker"),
        pytest.param(SuiteChanges(select="__import__('os')"), "--select", id="code"),
    ],
)
def test_bad_value_names_its_option(job: JobConfig, changes: SuiteChanges, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        changes.apply(job)

    assert str(caught.value).startswith(f"{option}: ")
