"""``e2e jobs``: what it writes and prints, and how it exits."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from e2e.cli import cli
from upload.errors import UsageError

CONFIGS = Path(__file__).parents[4] / "providers" / "configs"
JOB = 'job: ci-x\nkubernetes: pinned\nprovider: {name: local}\nschedule: "H 2 * * *"\n'


def jobs(*args: str) -> Result:
    return CliRunner().invoke(cli, ["jobs", *args], prog_name="e2e", standalone_mode=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, whose ``providers/configs`` has the shipped party and a job."""
    monkeypatch.chdir(tmp_path)
    configs = tmp_path / "providers" / "configs"
    configs.mkdir(parents=True)
    (configs / "party.yaml").write_bytes((CONFIGS / "party.yaml").read_bytes())
    (configs / "x.yaml").write_text(JOB, encoding="utf-8")
    return tmp_path


def test_render_tells_what_became_of_each_file_and_touches_no_other(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "mine.yaml").write_text("mine")

    first, again = jobs("render", "x", "--out", "out"), jobs("render", "x", "--out", "out")
    (folder / "providers" / "configs" / "x.yaml").write_text(JOB.replace("H 2", "H 3"))
    changed = jobs("render", "x", "--out", "out")

    assert first.stdout == "new       templates.yaml\nnew       ci-x.yaml\n"
    assert again.stdout == "as it was templates.yaml\nas it was ci-x.yaml\n"
    assert changed.stdout == "as it was templates.yaml\nchanged   ci-x.yaml\n"
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["ci-x.yaml", "mine.yaml", "templates.yaml"]


def test_without_a_job_the_jobs_of_each_party_are_made_too(folder: Path) -> None:
    result = jobs("render", "--out", "out")

    assert result.exit_code == 0
    assert {"ci-x.yaml", "ci-kubernetes-e2e-local.yaml", "example-e2e-cleanup.yaml", "example-e2e-feed.yaml"} <= {
        path.name for path in (folder / "out").iterdir()
    }


@pytest.mark.parametrize(("change", "options", "code"), [(False, [], 0), (True, [], 0), (True, ["--exit-code"], 1)])
def test_diff_exits_with_1_only_if_it_is_asked_and_something_differs(
    change: bool, options: list[str], code: int, folder: Path
) -> None:
    assert jobs("test", "x", "--out", "applied").exit_code == 0
    (folder / "applied" / "other").mkdir()
    (folder / "applied" / "other" / "config.xml").write_text("<project/>")
    if change:
        (folder / "providers" / "configs" / "x.yaml").write_text(JOB.replace("H 2", "H 3"))

    result = jobs("diff", "x", "--applied", "applied", *options)

    lines = [line for line in result.stdout.splitlines() if line.startswith(("-", "+"))]
    differs = [
        "--- applied/ci-x",
        "+++ rendered/ci-x",
        "-      <spec>H 2 * * *</spec>",
        "+      <spec>H 3 * * *</spec>",
        "-schedule: H 2 * * *",
        "+schedule: H 3 * * *",
    ]
    assert (result.return_value, lines) == (code, differs if change else [])


def test_wrong_config_is_told_with_its_place(folder: Path) -> None:
    (folder / "providers" / "configs" / "x.yaml").write_text(JOB + "jenkins: {credentials: {PATH: id}}\n")

    result = jobs("test", "x")

    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith("providers/configs/x.yaml:5:")
    assert "expected one of GOOGLE_APPLICATION_CREDENTIALS" in str(result.exception)


def test_missing_extra_is_told_with_the_command_that_adds_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.builder.find_spec", lambda name: None if name == "jenkins_jobs" else importlib.util)

    result = jobs("test", "x")

    assert isinstance(result.exception, UsageError)
    assert result.exception.hint == "pip install 'federated-e2e[jenkins]'"


def test_import_writes_a_file_that_passes_the_check_and_never_over_another(folder: Path) -> None:
    (folder / "job.sh").write_text("export E2E_UP=true\nexport E2E_OPT=x\nJOB_NAME=ci-y\n")

    first, again = (jobs("import", "job.sh", "--out", "providers/configs/y.yaml") for _ in range(2))

    assert (first.exit_code, first.stdout, first.stderr) == (
        0,
        "",
        "no counterpart: E2E_OPT=x: kubetest's own options\n",
    )
    assert isinstance(again.exception, UsageError)
    assert str(again.exception) == "providers/configs/y.yaml: cannot be written: File exists"
    checked = subprocess.run(
        [sys.executable, "-m", "e2e", "check", "y"], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stderr
