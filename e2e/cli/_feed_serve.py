"""``e2e feed serve``: the site over HTTP, made anew by interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("serve")
@click.argument("buckets_yaml", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder in which the site is made."
)
@click.option("--warehouse", metavar="URI", help="Collect into this warehouse, and make the site of what it holds.")
@click.option("--match", metavar="RE", help="Only jobs whose prefix:name holds this regular expression.")
@click.option(
    "--every", "every_s", type=click.IntRange(1), default=300, show_default=True, metavar="S", help="Read so often."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
def serve(buckets_yaml: Path, out: Path, warehouse: str | None, match: str | None, **server: Any) -> None:
    """Serve the site of BUCKETS_YAML, and read what is new every few minutes.

    Anybody who reaches the address sees all of it, so it listens on this machine alone unless --host says otherwise.
    With --warehouse each round collects first, and buckets that do not change cost hardly a request.
    """
    import socket
    import time

    from dashboard_feed.buckets import read_buckets
    from dashboard_feed.ingest.bucket import Options
    from dashboard_feed.ingest.collect import collect
    from dashboard_feed.serve import application, is_loopback, require_server
    from dashboard_feed.serve import serve as run
    from dashboard_feed.site import build_site, job_pattern
    from e2e.settings import current_settings
    from upload.errors import UsageError
    from upload.store import open_store

    require_server()
    host, port, every_s = server["host"], server["port"], server["every_s"]
    specs, pattern = read_buckets(buckets_yaml), job_pattern(match)
    kept, holder = open_store(warehouse) if warehouse else None, current_settings().owner

    def make() -> None:
        now_s = int(time.time())
        if kept is not None:
            collect(specs, kept, Options(now_s, pattern), holder=holder)
        build_site(specs, out, match=match, now_s=now_s, warehouse=kept)

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened at: {error}", hint="--port 0 takes a free one") from error
    with listening:
        make()
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{listening.getsockname()[1]}/")
        if not is_loopback(host):
            click.echo(f"warning: {host} is reached from other machines: they see all of it", err=True)
        app = application(out, specs, host=host, refresh_s=every_s)
        run(app, listening, make, every_s=every_s, say=lambda text: click.echo(text, err=True))
