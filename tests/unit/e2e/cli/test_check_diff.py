"""``e2e check --diff``: what a change of configs does, against a real git checkout."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from e2e.cli import cli

GIT = {
    **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
PARTY = """\
party: acme
contact: {github: ada, email: ada@example.com}
results: {store: gs://acme-e2e}
bucket_prefix: "acme:"
dashboard: {group: provider, name: provider-acme}
"""
JOB = "job: ci-{0}\nkubernetes: pinned\nprovider: {{name: local}}\ndashboard: {{tab: {0}}}\n"
CLOUD = """\
job: ci-cloud
kubernetes: pinned
schedule: "H 2 * * *"
provider: {name: gce, project: acme-project, region: europe-west1, price_per_hour: 0.5}
cluster: {nodes: 1}
defaults: {timeouts: {up: 10m, test: 20m, dump: 10m, down: 20m, publish: 10m, total: 90m}}
"""


def git(*words: str) -> None:
    subprocess.run(["git", *words], env=os.environ | GIT, check=True, capture_output=True, timeout=60)


def check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args], prog_name="e2e")


def diff(*args: str) -> dict[str, dict[str, str]]:
    """Return verb and job -> what is told of it."""
    shown = json.loads(check("--diff", "HEAD", "--format", "json", *args).stdout)
    return {f"{each['change']} {each['job']} {each['file']}": each["facts"] for each in shown["diff"]}


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ``providers/configs`` of a checkout whose only commit has the jobs one and two."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    folder = tmp_path / "providers" / "configs"
    folder.mkdir(parents=True)
    (folder / "party.yaml").write_text(PARTY)
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(JOB.format(name))
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return folder


def test_without_a_change_there_is_nothing_to_tell(configs: Path) -> None:
    assert diff() == {}
    assert check("--diff", "HEAD").stdout.splitlines()[-1] == "since HEAD: no job changes"


def test_what_comes_goes_and_changes_is_told(configs: Path) -> None:
    (configs / "cloud.yaml").write_text(CLOUD)
    (configs / "one.yaml").unlink()
    (configs / "two.yaml").write_text(JOB.format("two") + "suite: {workers: 3}\n")

    assert diff() == {
        "added ci-cloud providers/configs/cloud.yaml": {
            "bucket": "gs://acme-e2e/logs/ as acme:",
            "tab": "provider-acme / ci-cloud",
            "cost": "30 runs a month, at most 122 machine-hours, 60.88",
        },
        "removed ci-one providers/configs/one.yaml": {
            "bucket": "gs://acme-e2e/logs/ as acme:",
            "tab": "provider-acme / one",
            "cost": "no estimate",
        },
        "changed ci-two providers/configs/two.yaml": {"suite.workers": "8 -> 3"},
    }


def test_a_change_of_the_party_is_one_of_every_job(configs: Path) -> None:
    (configs / "party.yaml").write_text(PARTY.replace("gs://acme-e2e", "gs://acme-new"))

    told = {
        "results.store": '"gs://acme-e2e" -> "gs://acme-new"',
        "bucket": "gs://acme-e2e/logs/ as acme: -> gs://acme-new/logs/ as acme:",
    }
    assert diff() == {f"changed ci-{name} providers/configs/{name}.yaml": told for name in ("one", "two")}


def test_the_first_job_of_a_bucket_needs_a_new_entry(configs: Path) -> None:
    (configs / "three.yaml").write_text(JOB.format("three") + 'results: {store: gs://three}\nbucket_prefix: "three:"\n')

    (facts,) = diff().values()
    assert facts["bucket"] == "gs://three/logs/ as three:, a new entry for buckets.yaml"


def test_a_config_with_problems_is_neither_new_nor_gone(configs: Path) -> None:
    (configs / "one.yaml").write_text(JOB.format("one") + "wrong: 1\n")

    done = check("--diff", "HEAD")

    assert done.exit_code == 2
    assert done.stdout.splitlines()[-3:] == [
        "since HEAD:",
        "changed  ci-one (providers/configs/one.yaml)",
        "         config: it has problems now",
    ]


def test_links_and_large_files_of_the_base_are_no_configs(configs: Path) -> None:
    (configs / "link.yaml").symlink_to("/etc/hostname")
    (configs / "large.yaml").write_text("#" * (1 << 20) + "\n" + JOB.format("large"))
    (configs / "sub").mkdir()
    (configs / "sub" / "three.yaml").write_text(JOB.format("three"))
    git("add", "-A")
    git("commit", "-qm", "second")
    (configs / "link.yaml").unlink()
    (configs / "large.yaml").unlink()

    assert diff() == {}


def test_a_base_without_configs_makes_all_of_them_new(configs: Path) -> None:
    git("checkout", "-q", "--orphan", "empty")
    git("commit", "-q", "--allow-empty", "-m", "nothing", "--only")

    assert list(diff()) == [f"added ci-{name} providers/configs/{name}.yaml" for name in ("one", "two")]


def test_the_summary_of_a_pull_request_is_one_and_nothing_in_it_is_markup(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configs / "two.yaml").write_text(JOB.format("two") + 'description: "`x` <b> [l](http://a)"\n')
    (configs / "three.yaml").write_text("job: ci-three\nwrong: 1\n")
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    done = check("--diff", "HEAD", "--format", "github")

    assert (done.exit_code, done.stdout.count("::error ")) == (2, 2)
    assert summary.read_text() == (
        "### Job configs: 2 problems\n\n"
        "**added** `ci-three` (`providers/configs/three.yaml`)\n\n"
        "**changed** `ci-two` (`providers/configs/two.yaml`)\n\n"
        '- description: `"" -> "\'x\' <b> [l](http://a)"`\n\n'
    )


def test_without_a_summary_file_the_summary_is_printed(configs: Path) -> None:
    assert check("--diff", "HEAD", "--format", "github").stdout == "### Job configs: 0 problems\n\nNo job changes.\n\n"


@pytest.mark.parametrize("base", ["nope", "--help", "HEAD:providers", ""], ids=["name", "option", "tree", "empty"])
def test_a_base_that_is_no_commit_is_refused(base: str, configs: Path) -> None:
    done = check(f"--diff={base}")

    assert "is no commit of this checkout" in str(done.exception)


def test_outside_of_a_checkout_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert "not a git repository" in str(check("--diff", "HEAD").exception)


@pytest.mark.parametrize("args", [("one",), ("--format", "sarif")], ids=["job", "sarif"])
def test_what_does_not_go_together_is_refused(args: tuple[str, ...], configs: Path) -> None:
    done = check("--diff", "HEAD", *args)

    assert (done.exit_code, "--diff compares all configs" in done.stderr) == (2, True)


def test_a_summary_that_cannot_be_written_is_told(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(configs))

    assert "GITHUB_STEP_SUMMARY" in str(check("--diff", "HEAD", "--format", "github").exception)
