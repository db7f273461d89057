"""The pages of a site over HTTP, with the objects of ``file://`` buckets, made anew by interval.

Every folder is served at its own absolute path, so that the relative links of the pages lead where they lead from disk.
What a bucket holds is shown in a sandbox: its HTML runs no script and belongs to no origin.
"""

from __future__ import annotations

import ipaddress
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from dashboard_feed import links
from dashboard_feed.render import CSP
from upload.errors import HarnessError, MissingExtra

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from dashboard_feed.buckets import BucketSpec

_EVERYWHERE = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OF_SITE = _EVERYWHERE | {"Content-Security-Policy": f"{CSP}; frame-ancestors 'none'"}
_OF_BUCKET = _EVERYWHERE | {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}


def require_server() -> None:
    """Raise MissingExtra when the libraries of the server are not installed."""
    if not all(find_spec(name) for name in ("starlette", "uvicorn")):
        raise MissingExtra("serving the site", "feed")


def application(site: Path, buckets: Sequence[BucketSpec], *, host: str, refresh_s: int) -> Starlette:
    """Return the server's application.

    ``refresh_s``: pages of jobs and the first one ask a browser to load them again after so many seconds. Bound to a
    loopback ``host`` it answers only to names of this machine, since any page may point another name here.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import RedirectResponse
    from starlette.routing import Route
    from starlette.staticfiles import StaticFiles

    root = site.resolve()
    folders = [(root, _OF_SITE)] + [(folder, _OF_BUCKET) for spec in buckets if (folder := _folder(spec))]
    places = [(folder, StaticFiles(directory=folder, check_dir=False), headers) for folder, headers in folders]

    async def answer(request: Request) -> Response:
        path = Path("/" + request.path_params["path"])
        if path == Path("/"):
            return RedirectResponse(quote(str(root / links.INDEX)))
        for folder, files, headers in places:
            if path.is_relative_to(folder) and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                response = await files.get_response(str(path.relative_to(folder)), request.scope)
                response.headers.update(headers)
                if headers is _OF_SITE and path.name == links.INDEX:
                    response.headers["Refresh"] = str(refresh_s)
                return response
        raise HTTPException(404)

    names = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else ["*"]
    routes = [Route("/{path:path}", answer, methods=["GET", "HEAD"])]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=names)])


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    app: Starlette, listening: socket.socket, make: Callable[[], None], *, every_s: float, say: Callable[[str], None]
) -> None:
    """Serve until a signal, and call ``make`` every so many seconds; what it raises is said and does not stop it."""
    import uvicorn

    stop = threading.Event()

    def remake() -> None:
        while not stop.wait(every_s):
            try:
                make()
            except HarnessError as error:
                say(f"the site was not made anew: {error}")

    threading.Thread(target=remake, name="remake", daemon=True).start()
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listening])
    finally:
        stop.set()


def _folder(spec: BucketSpec) -> Path | None:
    return Path(unquote(urlsplit(spec.uri).path)).resolve() if spec.uri.startswith("file://") else None
