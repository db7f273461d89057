from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboard_feed.render import CSP, FOLDER, STATIC, Renderer, script_of, static_files

TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_inline_script_or_style(path: Path) -> None:
    """The content security policy would block them; and none may switch escaping off."""
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|\|\s*safe|Markup|autoescape", text) == []


def test_every_page_has_the_strict_policy() -> None:
    base = (FOLDER / "templates" / "base.html").read_text(encoding="utf-8")

    assert re.findall(r'Content-Security-Policy" content="([^"]*)"', base) == ["{{ CSP }}"]
    assert CSP.split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_nothing_is_loaded_from_elsewhere() -> None:
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATES]
    texts += [content.decode() for content in static_files().values()]
    found = {address for text in texts for address in re.findall(r"https?://[^\s\"'<>]+", text)}

    assert found == {"http://www.w3.org/2000/svg"}


def test_a_script_holds_any_value_as_text() -> None:
    value = {"__proto__": ["</script>", "\u2028", 'a"\\b', "\ud800"]}
    script = script_of("x", value).decode("ascii")
    inner = script.removeprefix("window.x = JSON.parse(").removesuffix(");\n")

    assert json.loads(json.loads(inner)) == value


def test_static_files_are_all_there() -> None:
    assert set(static_files()) == set(STATIC)


def test_every_shown_text_is_escaped_and_made_showable() -> None:
    template = Renderer(Path("/srv/site"), 0).environment.from_string('<a title="{{ text }}">{{ text }}</a>')

    assert template.render(text="<b>\"'\u202e\x00") == (
        '<a title="&lt;b&gt;&#34;&#39;\ufffd\ufffd">&lt;b&gt;&#34;&#39;\ufffd\ufffd</a>'
    )
