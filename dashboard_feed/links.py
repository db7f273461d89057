"""Addresses: the pages of the site, objects in buckets, and links that a bucket asks us to show."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from dashboard_feed.text import file_name

if TYPE_CHECKING:
    from dashboard_feed.builds import Job

GS_HOST = "https://storage.googleapis.com"
INDEX = "index.html"
CLUSTERS = "clusters.html"
REGRESSIONS = "regressions.html"
TESTS_JSON = "tests.json"
INDEX_JSON = "index.json"
ALERTS_ATOM = "alerts.atom"
STYLE = "static/site.css"
SCRIPT = "static/site.js"
READ = "read.js"
"""The script that says when the buckets were read: in no page, since every page would change with it."""


def grid_page(job: Job) -> str:
    """Return the page of a job's grid, relative to the site."""
    return f"jobs/{file_name(job.spec.party)}/{file_name(job.name)}/index.html"


def grid_script(job: Job) -> str:
    """Return the script that holds what the grid's tooltips say."""
    return f"jobs/{file_name(job.spec.party)}/{file_name(job.name)}/grid.js"


def badge(job: Job) -> str:
    """Return the picture of a job's state."""
    return f"jobs/{file_name(job.spec.party)}/{file_name(job.name)}/badge.svg"


def build_page(job: Job, number: str) -> str:
    """Return the page of one build."""
    return f"jobs/{file_name(job.spec.party)}/{file_name(job.name)}/build-{file_name(number)}.html"


def test_page(name: str) -> str:
    """Return the page of one test across all jobs."""
    return f"tests/{file_name(name)}.html"


def suite_page(job: Job) -> str:
    """Return test-history's page of a job, ``suite-<prefix><job>.html`` as it was since 2016 (consumers.md section 3).

    Its ``:`` is spelled ``%3A`` in links (``relative``), where it would make a scheme.
    """
    return f"suite-{file_name(job.spec.party)}:{file_name(job.name)}.html"


def relative(page: str, target: str) -> str:
    """Return the link from one page of the site to another; both are relative to the site."""
    return quote(posixpath.relpath(target, posixpath.dirname(page) or "."), safe="/~=")


def public_href(address: str) -> str:
    """Return where a browser finds an object of a world-readable bucket; another address stays as it is."""
    return f"{GS_HOST}/{quote(address[5:], safe='/')}" if address.startswith("gs://") else address


def web_href(address: str) -> str:
    """Return an address that a bucket names if it is a plain web address, else nothing.

    Only http and https, so that no ``javascript:`` or ``data:`` can be followed, and no ``user@host``, which lies.
    """
    if not address.isprintable() or any(c in address for c in " \"'<>\\^`{|}"):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return address if is_plain else ""


@dataclass(frozen=True, slots=True)
class ObjectLinks:
    """Links from pages to the objects of one bucket.

    ``uri`` is the bucket's, ``site`` the folder of the site: a ``file://`` bucket is linked relative to the page,
    so that both can be moved together. None: the site lies in no folder, and such objects cannot be linked.
    """

    uri: str
    site: Path | None

    def href(self, page: str, path: str) -> str:
        """Return the link from ``page`` to the object at ``path`` below the bucket, or nothing when none is safe."""
        if any(part in ("", ".", "..") for part in path.removesuffix("/").split("/")):
            return ""
        try:
            if self.uri.startswith("gs://"):
                return "" if path.endswith("/") else f"{GS_HOST}/{quote(self.uri[5:] + path, safe='/')}"
            if self.site is None:
                return ""
            target = Path(unquote(urlsplit(self.uri).path)) / path
            folder = (self.site / page).parent
            return quote(os.fsencode(os.path.relpath(target, folder)), safe="/") + ("/" if path.endswith("/") else "")
        except UnicodeEncodeError:
            return ""
