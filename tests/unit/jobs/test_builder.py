"""jenkins-job-builder as a program: what it refuses, and how it is handed over to."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.builder import findings, to_xml, update
from upload.errors import ProviderError, UsageError

XML = b"<project><builders><hudson.tasks.Shell><command>%s</command></hudson.tasks.Shell></builders></project>"


def test_definition_that_is_refused_is_told() -> None:
    with pytest.raises(UsageError, match="jenkins-job-builder refuses a definition"):
        to_xml({"wrong.yaml": b"- project:\n    name: x\n    jobs: [no-such-template]\n"})


def test_shell_that_does_not_parse_is_a_finding() -> None:
    (found,) = findings("job", XML % b"if")

    assert found.startswith("job: step 1: bash: line ")


def test_job_without_a_step_is_a_finding() -> None:
    assert list(findings("job", b"<project/>")) == ["job: has no step"]


def test_update_without_a_file_of_settings_says_what_goes_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        update({}, tmp_path / "jenkins_jobs.ini", ())


def test_update_that_reaches_no_jenkins_is_an_error_of_the_provider(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "jenkins_jobs.ini"
    conf.write_text("[jenkins]\nurl=http://127.0.0.1:9/\nuser=u\npassword=p\n")  # the discard port: nobody listens

    with pytest.raises(ProviderError, match="jenkins-jobs update failed"):
        update({"a.yaml": b"- job:\n    name: a\n    project-type: freestyle\n"}, conf, ("a",))
    capfd.readouterr()
