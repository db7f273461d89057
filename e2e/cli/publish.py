"""``e2e publish``: put a run's results, or a folder of artifacts made elsewhere, into a store."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from providers.git_version import GitVersion
    from upload.censor import Censor
    from upload.model import BuildRef, Finding
    from upload.publish import Prepared, Publication
    from upload.publish_folder import FolderRequest

OF_A_FOLDER = ("job", "build", "pull", "version", "source", "metadata", "follow", "dry_run")


@click.command(name="publish", short_help="Publish a run, or a folder of artifacts made elsewhere.")
@click.argument("what", metavar="RUN|DIR")
@click.option("--job", help="Job that a DIR belongs to, such as ci-kubernetes-e2e-mine.")
@click.option("--build", default="", metavar="ID", help="Build id of a DIR: an integer. Default: the time, in UTC.")
@click.option("--results", metavar="URI", help="Root of the store: gs://BUCKET, file:///FOLDER or a folder.")
@click.option(
    "--prefix", default="logs", show_default=True, help="Folder of the store that a DIR's job lies in, but for --pull."
)
@click.option("--pull", default="", metavar="ORG_REPO/NUMBER", help="Pull request that a DIR tests, or batch.")
@click.option("--version", default="", help="Version that a DIR's tests ran against. Default: that of --source.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="CHECKOUT",
    help="Git checkout that a DIR's tests ran against: its version and commit are published.",
)
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="More metadata of a DIR's build. May be repeated.")
@click.option("--follow", is_flag=True, help="Send DIR/build-log.txt while it grows; publish DIR at SIGTERM or SIGINT.")
@click.option("--new-attempt", is_flag=True, help="Publish under a new id, as another attempt of --build or RUN.")
@click.option("--dry-run", is_flag=True, help="Print what would be stored; write nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def command(what: str, results: str | None, **options: Any) -> int:
    """Publish the results of RUN again, or those in DIR as a new build.

    The verdict comes from DIR's JUnit files. Exits with 0 once all is stored, whatever the tests' verdict.

    \b
    e2e publish ./artifacts --job ci-kubernetes-e2e-mine --results gs://my-bucket
    """  # noqa: D301  # click wants the character, not its name
    if not Path(what).is_dir():
        from e2e.lifecycle.publish import publish_run

        if any(options[name] for name in OF_A_FOLDER):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in OF_A_FOLDER)
            raise click.UsageError(f"{what} is no folder, to which {flags} belong")
        publish_run(what, results, new_attempt=bool(options["new_attempt"]))
        return 0
    return _publish_folder(Path(what), results, options)


def _publish_folder(folder: Path, results: str | None, options: dict[str, Any]) -> int:
    import time

    from e2e.lifecycle.folder import make_private
    from e2e.settings import current_settings
    from upload.censor import Censor
    from upload.model import BuildRef
    from upload.publish_folder import FolderRequest, publish_folder
    from upload.store import open_store

    if not options["job"] or not results:
        raise click.UsageError("a folder needs --job and --results")
    if options["new_attempt"] and not options["build"]:
        raise click.UsageError("--new-attempt of a folder needs --build, the build that it is another attempt of")
    settings = current_settings()
    source = _source(options["source"], settings.variables)
    wanted = BuildRef(_prefix(options), str(options["job"]), str(options["build"]))
    _check_names(wanted)
    request = FolderRequest(
        folder=folder,
        wanted=wanted,
        node=settings.node,
        now_s=int(time.time()),
        version=str(options["version"]) or source.version,
        commit=source.commit,
        metadata=(*settings.metadata, *_pairs(options["metadata"])),
        new_attempt=bool(options["new_attempt"]),
    )
    store, censor = open_store(results), Censor(settings.secrets)
    if options["dry_run"]:
        _show_plan(request, results, censor_secrets=settings.secrets)
        return 0
    memory = settings.state / "publish"
    make_private(memory)
    with _following(results, folder, censor) if options["follow"] else nullcontext() as follow:
        done = publish_folder(request, store, censor=censor, state=memory, meanwhile=follow)
    _show_done(done)
    return 0


@contextmanager
def _following(results: str, folder: Path, censor: Censor) -> Iterator[Callable[[BuildRef], int]]:
    """Give what sends the log until a signal says that the tests have ended; it may come before that begins."""
    import time

    from e2e.lifecycle.follow import Follower, followed, until_told
    from upload.layout import BUILD_LOG

    with until_told() as wait:

        def follow(build: BuildRef) -> int:
            click.echo(f"following  {folder / BUILD_LOG}")
            with followed(Follower(results, build, folder / BUILD_LOG, lambda: censor)):
                wait()
            return int(time.time())

        yield follow


def _source(checkout: Path | None, variables: Mapping[str, str]) -> GitVersion:
    from providers.git_version import GitVersion, read_git
    from upload.documents import UNKNOWN_VERSION

    return read_git(checkout, env=variables) if checkout else GitVersion(UNKNOWN_VERSION, "")


def _prefix(options: dict[str, Any]) -> str:
    from upload.layout import pull_prefix

    return pull_prefix(str(options["pull"])) if options["pull"] else str(options["prefix"]).strip("/")


def _check_names(wanted: BuildRef) -> None:
    """Refuse names that no reader can address: here they are flags, so it is the user's to change them."""
    from upload.layout import check_job, check_number, check_prefix
    from upload.model import Severity

    number = check_number(wanted.number) if wanted.number else ()
    for finding in (*check_prefix(wanted.prefix), *check_job(wanted.job), *number):
        if finding.severity is Severity.ERROR:
            raise click.UsageError(finding.what)


def _show_plan(request: FolderRequest, results: str, *, censor_secrets: tuple[str, ...]) -> None:
    import tempfile

    from e2e.cli._looking import brief_patience
    from upload.censor import Censor
    from upload.plan import size_bytes
    from upload.publish_folder import preview_folder
    from upload.store import open_store

    store = open_store(results, anonymous_too=True, patience=brief_patience())
    with tempfile.TemporaryDirectory(prefix="e2e-publish-") as scratch:
        prepared = preview_folder(request, store, censor=Censor(censor_secrets), scratch=Path(scratch))
        sizes = {put.path: str(size_bytes(put.body)) for put in prepared.plan.puts()}
    click.echo(f"would store, in this order, in {store.uri}:")
    for path in prepared.plan.paths():
        click.echo(f"{sizes.get(path, 'merged'):>12}  {path}")
    _show_verdict(prepared)


def _show_done(done: Publication) -> None:
    sent = done.sent
    click.echo(f"stored     {done.uri}")
    if sent.was_finished:
        click.echo("           the build was finished already, with the same content")
    else:
        size_mb = sent.size_bytes / 1e6
        click.echo(
            f"           {sent.objects} objects, {size_mb:.1f} MB, {sent.kept} there already, {sent.seconds:.1f} s"
        )
    _show_verdict(done.prepared)


def _show_verdict(prepared: Prepared) -> None:
    ending = prepared.verdict.outcome.value
    click.echo(f"verdict    {ending.result}: {ending.meaning}")
    for note in prepared.verdict.notes:
        click.echo(f"           {_line(note)}")
    for finding in prepared.findings:
        click.echo(_shown(finding))


def _shown(finding: Finding) -> str:
    return f"{finding.severity.value:<10} {_line(finding.object)}: {_line(finding.what)} [{finding.rule}]"


def _line(text: str) -> str:
    from upload.layout import printable

    return printable(" ".join(text.split()))


def _pairs(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in given:
        key, found, value = item.partition("=")
        if not found or not key:
            raise click.UsageError(f"--metadata {item}: KEY=VALUE is expected")
        pairs.append((key, value))
    return tuple(pairs)
