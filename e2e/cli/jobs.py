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


LARGEST_BYTES = 1 << 20


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


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the config here.")
def import_(file: Path, out: Path | None) -> None:
    """Make a config of a job of another tool; name what of it has no counterpart.

    FILE has a kubetest2 command line, or the environment that e2e-runner.sh took in 2016: E2E_UP, E2E_TEST,
    GINKGO_TEST_ARGS, JENKINS_PUBLISHED_VERSION, … as a shell exports it or a job's properties say. `-` is standard input.
    Nothing of it is executed. The config passes `e2e check` over the party.yaml of the working folder.
    """
    from jobs.imported import import_job
    from providers.config import default_search
    from upload.errors import UsageError

    made = import_job(_read(file), search=default_search())
    for what, why in made.notes:
        click.echo(f"no counterpart: {what}: {why}", err=True)
    if out is None:
        click.echo(made.text().decode("ascii"), nl=False)
        return
    try:
        with out.open("xb") as target:
            target.write(made.text())
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", hint="give another --out") from error


def _read(file: Path) -> str:
    from upload.errors import UsageError

    try:
        with click.open_file(str(file), "rb") as source:
            content: bytes = source.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{file}: larger than {LARGEST_BYTES} bytes")
    return content.decode("utf-8", errors="replace")


def _definitions(refs: tuple[str, ...]) -> tuple[Definition, ...]:
    """Return the Jenkins jobs of the configs that are named, or of all. Raises: ConfigError with all that is wrong."""
    from jobs.render import definitions
    from providers.config import default_search
    from providers.config.problems import ConfigError
    from providers.config.review import review
    from providers.registry import make_provider

    found = review(refs, search=default_search())
    if found.problems:
        raise ConfigError(found.problems, hint="e2e check")
    jobs = tuple(found.jobs)
    choices = [job.config.provider for job in jobs]
    marking = {
        each.name for each in choices if hasattr(make_provider(each.name, each.settings), "marked")
    }  # FindsMarked
    return definitions(jobs, is_all=not refs, marking=marking)
