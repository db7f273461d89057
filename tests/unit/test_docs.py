"""The documentation says what the code does: reference pages are made from it, samples are run, links and words checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dashboard_feed.buckets import read_buckets
from e2e.cli import VERBS
from e2e.lifecycle.tester_command import environment
from providers.config import default_search, load_job
from providers.config.load import check_party
from tests.support import doc_samples, reference_pages
from tests.support.contract import CONTRACT
from tests.support.doc_samples import Block
from tests.support.rule_listing import list_rules
from tests.support.tester_host import make_suite_plan
from upload.rules.table import RULES

Golden = Callable[[str, bytes], None]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
LARGEST_PICTURE_BYTES = 250_000

every_page = pytest.mark.parametrize("page", TEXTS)


def blocks_of(*languages: str) -> list[Any]:
    """Return the blocks of some languages as parameters, named by page and line."""
    return [
        pytest.param(block, id=f"{page}:{block.line}")
        for page, text in TEXTS.items()
        for block in doc_samples.blocks(text)
        if block.language in languages and not block.is_wrong
    ]


def made_page(name: str, parts: dict[str, str]) -> bytes:
    return reference_pages.with_made_parts((REFERENCE / name).read_text(encoding="utf-8"), parts).encode()


def test_exit_codes_page_is_the_table_in_the_code(golden: Golden) -> None:
    golden(str(REFERENCE / "exit-codes.md"), reference_pages.exit_code_page().encode())


def test_commands_page_is_what_help_prints(golden: Golden) -> None:
    golden(str(REFERENCE / "commands.md"), reference_pages.commands_page().encode())


def test_config_page_has_every_key_of_the_schema(golden: Golden) -> None:
    golden(str(REFERENCE / "config.md"), made_page("config.md", reference_pages.config_parts()))


def test_layout_page_has_every_rule(golden: Golden) -> None:
    golden(str(REFERENCE / "bucket-layout.md"), made_page("bucket-layout.md", reference_pages.rule_parts()))


def test_warehouse_page_has_every_column(golden: Golden) -> None:
    golden(str(REFERENCE / "warehouse.md"), made_page("warehouse.md", reference_pages.warehouse_parts()))


def test_cloud_page_has_every_type_that_is_made(golden: Golden) -> None:
    golden(str(REFERENCE / "cloud-resources.md"), made_page("cloud-resources.md", reference_pages.cloud_parts()))


@pytest.fixture(scope="module")
def files_of_each_rule(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return list_rules(tmp_path_factory.mktemp("rules"))


def test_every_rule_has_a_test_and_every_marked_rule_exists(files_of_each_rule: dict[str, list[str]]) -> None:
    assert sorted(files_of_each_rule) == sorted(RULES)


def test_every_rule_stands_in_the_contract() -> None:
    assert {rule for _, rules in CONTRACT for rule in rules} == set(RULES)


def test_rules_page_names_the_files_of_each_rule(golden: Golden, files_of_each_rule: dict[str, list[str]]) -> None:
    parts = reference_pages.rule_test_parts(files_of_each_rule)

    golden(str(REFERENCE / "rules-and-tests.md"), made_page("rules-and-tests.md", parts))


def test_environment_page_has_every_variable_that_is_read() -> None:
    told = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", TEXTS["docs/reference/environment.md"], re.MULTILINE))

    assert told == reference_pages.variables_read()


def test_page_on_testers_has_every_variable_of_a_command(tmp_path: Path) -> None:
    page = TEXTS["docs/how-to/choose-a-tester.md"]

    told = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", page, re.MULTILINE))
    assert told == set(environment(make_suite_plan(tmp_path), tmp_path))


@every_page
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for target, anchor in LINK.findall(TEXTS[page]):
        file = (ROOT / page).parent / target if target else ROOT / page
        known = TEXTS.get(str(file.resolve().relative_to(ROOT)))
        if not file.exists() or (anchor and known is not None and anchor not in doc_samples.anchors(known)):
            broken.append(f"{target}#{anchor}" if anchor else target)

    assert broken == []


def test_every_page_can_be_reached_from_the_list_of_pages() -> None:
    listed = {(DOCS / target).resolve() for target, _ in LINK.findall(TEXTS["docs/README.md"]) if target}

    unlisted = [page for page in PAGES if page.is_relative_to(DOCS) and not {page, page.parent} & listed]
    assert unlisted == [DOCS / "README.md"]


@every_page
def test_commands_in_running_text_exist(page: str) -> None:
    unknown: list[str] = []
    for words in doc_samples.inline_commands(TEXTS[page]):
        if words[0] == "make":
            unknown += [f"make {word}" for word in words[1:] if "=" not in word and word not in TARGETS]
        elif words[1] != "VERB":
            unknown += doc_samples.unknown_words(words[1:])

    assert unknown == []


@pytest.mark.parametrize("block", blocks_of("sh"))
def test_commands_in_shell_samples_parse(block: Block) -> None:
    refused: list[str] = []
    for words in doc_samples.shell_words(block.text):
        if words[0] == "make":
            refused += [f"make {word}" for word in words[1:] if "=" not in word and word not in TARGETS]
        if words[0] == "e2e":
            try:
                doc_samples.parse_command(words[1:])
            except click.UsageError as error:
                refused.append(f"{' '.join(words)}: {error.format_message()}")

    assert refused == []


@pytest.mark.parametrize("page", [page for page, text in TEXTS.items() if "```console" in text])
def test_samples_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """The blocks of a page are run in order, in one folder."""
    differs = []
    for block in doc_samples.blocks(TEXTS[page]):
        if block.file:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text.replace(doc_samples.HERE, str(tmp_path)), encoding="utf-8")
        if block.language != "console":
            continue
        for sample in doc_samples.samples(block.text):
            code, printed = doc_samples.run(sample, cwd=tmp_path)
            if code != sample.code or not doc_samples.is_as_told(sample.output, printed):
                differs.append(f"line {block.line}: $ {sample.command}\n(exit code {code})\n{printed}")

    assert not differs, "\n".join(differs)


@pytest.mark.parametrize("block", blocks_of("yaml"))
def test_configs_in_the_documentation_are_valid(block: Block, tmp_path: Path) -> None:
    """A part of a config is completed to one."""
    keys = set(yaml.safe_load(block.text))
    file = tmp_path / (Path(block.file).name or "sample.yaml")
    if any(key.startswith(("gs://", "file:///")) for key in keys):
        file.write_text(block.text, encoding="utf-8")
        assert read_buckets(file)
        return
    if file.name == "party.yaml":
        file.write_text(block.text, encoding="utf-8")
        check_party(file)
        return
    rest = {"job": "ci-kubernetes-e2e-sample", "provider": "{name: local}", "kubernetes": "pinned"}
    text = block.text + "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in keys)
    file.write_text(text, encoding="utf-8")

    assert load_job(str(file), search=default_search(ROOT)).config.job


@every_page
def test_each_sentence_has_its_own_line(page: str) -> None:
    """A change of one sentence is a change of one line, so that reviews read well."""
    lines = re.sub(r"`[^`\n]*`", "x", doc_samples.prose(TEXTS[page])).splitlines()
    crowded = [line for line in lines if re.search(r"[a-z0-9)x][.?!] +[A-Z]", line) and not line.startswith(("|", "#"))]

    assert crowded == []


def test_every_verb_has_a_how_to_or_a_tutorial() -> None:
    """The reference alone does not say what a verb is for."""
    guides = "\n".join(text for page, text in TEXTS.items() if not page.startswith("docs/reference/"))

    assert [verb for verb in VERBS if not re.search(rf"\be2e {verb}\b", guides)] == []


def test_picture_of_the_site_is_a_small_png() -> None:
    picture = (DOCS / "images" / "site.png").read_bytes()

    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < LARGEST_PICTURE_BYTES


def test_page_for_developers_has_every_make_target_and_every_folder_of_tests() -> None:
    page = TEXTS["docs/how-to/develop.md"]
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("*.py"))}

    assert set(re.findall(r"`make ([a-z0-9-]+)", page)) | {"help"} == TARGETS - {"PHONY"}
    assert set(re.findall(r"`tests/([a-z]+)/`", page)) == folders - {"__pycache__"}
