"""``e2e jobs``: the Jenkins jobs of configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2e.cli._job import JobParam

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.definition import Definition

    Command = Callable[..., object]


def _jobs_argument(command: Command) -> Command:
    return click.argument("refs", metavar="[JOB|FILE]...", nargs=-1, type=JobParam())(command)


@click.group("jobs")
def command() -> None:
    """Make Jenkins jobs from configs, through jenkins-job-builder.

    A config becomes its nightly job, or its soak job with preset soak; one of provider local also a job for pull
    requests, if jenkins.repository is set. A party gets a clean-up job, and a feed job if it has a bucket;
    they are made of all configs, so when no JOB is named.
    """


@command.command("render")
@_jobs_argument
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Where they go."
)
def render(refs: tuple[str, ...], out: Path) -> None:
    """Write the definitions as YAML for jenkins-job-builder. Nothing is executed and no network is opened."""
    from jobs.render import documents, write

    for name, what in write(documents(_definitions(refs)), out):
        click.echo(f"{what:<10}{name}")


@command.command("test")
@_jobs_argument
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Keep the XML here.")
def test(refs: tuple[str, ...], out: Path | None) -> int:
    """Have jenkins-job-builder make the XML that Jenkins would get, and check it. Asks no Jenkins."""
    from jobs.builder import findings, to_xml
    from jobs.changes import save
    from jobs.render import documents
    from upload.errors import Outcome

    made = _definitions(refs)
    xml = to_xml(documents(made))
    found = [f"{each.name}: no XML was made of it" for each in made if each.name not in xml]
    found += [line for name, content in xml.items() for line in findings(name, content)]
    if out is not None:
        save(xml, out)
    for line in found:
        click.echo(line, err=True)
    for name, content in xml.items():
        click.echo(f"{name}: {len(content)} bytes")
    return Outcome.USAGE.value.exit_code if found else 0


@command.command("diff")
@_jobs_argument
@click.option(
    "--applied", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="JOB/config.xml."
)
@click.option("--exit-code", "tells", is_flag=True, help="Exit with 1 when something differs.")
def diff(refs: tuple[str, ...], applied: Path, *, tells: bool) -> int:
    """Show what an update would change against a folder with the XML that was applied last.

    The folder is one of `e2e jobs test --out`, of `e2e jobs update --applied`, or the folder jobs of Jenkins' home.
    """
    from jobs.builder import to_xml
    from jobs.changes import applied_xml, differences
    from jobs.render import documents

    new = to_xml(documents(_definitions(refs)))
    old = applied_xml(applied)
    if refs:  # the others were not asked about
        old = {name: content for name, content in old.items() if name in new}
    lines = list(differences(old, new))
    for line in lines:
        click.echo(line)
    return 1 if lines and tells else 0


@command.command("update")
@_jobs_argument
@click.option(
    "--conf", required=True, metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="jenkins_jobs.ini."
)
@click.option("--applied", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Keep the XML here.")
def update(refs: tuple[str, ...], conf: Path, applied: Path | None) -> None:
    """Create and change the jobs in a Jenkins: hands over to `jenkins-jobs update` with your own jenkins_jobs.ini.

    Jobs of configs that are gone stay; jenkins-jobs delete removes them.
    """
    from jobs.builder import to_xml
    from jobs.builder import update as update_jenkins
    from jobs.changes import save
    from jobs.render import documents

    made = _definitions(refs)
    rendered = documents(made)
    update_jenkins(rendered, conf, tuple(each.name for each in made))
    if applied is not None:
        save(to_xml(rendered), applied)


def _definitions(refs: tuple[str, ...]) -> tuple[Definition, ...]:
    """Return the Jenkins jobs of the configs that are named, or of all. Raises: ConfigError with all that is wrong."""
    from jobs.render import definitions
    from providers.config import default_search
    from providers.config.problems import ConfigError
    from providers.config.review import review

    found = review(refs, search=default_search())
    if found.problems:
        raise ConfigError(found.problems, hint="e2e check")
    return definitions(tuple(found.jobs), is_all=not refs)
