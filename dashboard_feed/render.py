"""Templates to pages. Everything that is shown is escaped and made showable here, wherever it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard_feed import links, show, text
from dashboard_feed.builds import step_name

if TYPE_CHECKING:
    from collections.abc import Collection

    import jinja2

    from dashboard_feed.buckets import BucketSpec

CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
"""What a page may load: files of the site, and no script or style within it."""
FOLDER = Path(__file__).parent
STATIC = ("static/site.css", "static/site.js", "static/bad.svg", "static/good.svg")


@dataclass(frozen=True, slots=True)
class Here:
    """Where a page stands, so that templates can ask for links from it."""

    page: str
    site: Path | None

    def to(self, target: str) -> str:
        """Return the link to another file of the site."""
        return links.relative(self.page, target)

    def object(self, spec: BucketSpec, path: str) -> str:
        """Return the link to an object of a bucket, or nothing when none is safe."""
        return links.ObjectLinks(spec.uri, self.site).href(self.page, path)


class Renderer:
    """The templates of the site, for one site folder (None: none is near the buckets) and one moment.

    ``now_s``: UTC epoch. ``tests``: the names of tests that have a page.
    """

    def __init__(self, site: Path | None, now_s: int, tests: Collection[str] = ()) -> None:
        self.site = site
        self.now_s = now_s
        self.environment = _environment()
        self.environment.globals["test_page"] = lambda name: links.test_page(name) if name in tests else ""

    def page(self, template: str, page: str, **values: object) -> bytes:
        """Return one page, HTML or XML. ``page`` is where it will stand, relative to the site."""
        html = self.environment.get_template(template).render(here=Here(page, self.site), now_s=self.now_s, **values)
        return html.encode("utf-8")


def static_files() -> dict[str, bytes]:
    """Return the script, the style and the icons."""
    return {name: (FOLDER / name).read_bytes() for name in STATIC}


def script_of(name: str, value: object) -> bytes:
    """Return a script that sets one global to a value: a page opened from a folder may load scripts, but no JSON.

    The value goes through JSON.parse, since ``__proto__`` in an object literal would be no plain key.
    """
    inner = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return f"window.{name} = JSON.parse({json.dumps(inner)});\n".encode("ascii")


def _environment() -> jinja2.Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "stamp": show.stamp,
        "iso": show.iso,
        "day": show.day,
        "clock": show.clock,
        "moment": show.moment,
        "duration": show.duration,
        "size": show.size,
        "step_name": step_name,
        "name_parts": show.name_parts,
        "one_line": text.one_line,
        "lines": text.lines,
    }
    environment.globals |= {
        "count": show.count,
        "web_href": links.web_href,
        "grid_page": links.grid_page,
        "grid_script": links.grid_script,
        "build_page": links.build_page,
        "suite_page": links.suite_page,
        "badge_of": links.badge,
        "ALERTS_ATOM": links.ALERTS_ATOM,
        "INDEX_JSON": links.INDEX_JSON,
        "INDEX": links.INDEX,
        "CLUSTERS": links.CLUSTERS,
        "REGRESSIONS": links.REGRESSIONS,
        "TESTS_JSON": links.TESTS_JSON,
        "READ": links.READ,
        "CSP": CSP,
    }
    return environment


def _finalize(value: object) -> object:
    """Make every shown text showable; Markup is ours and stays."""
    return text.lines(value, limit=1_000_000) if type(value) is str else value
