"""Many configs at once: all problems in order, and what configs must not share."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.config.review import review

PARTY = Path(__file__).parents[3] / "providers" / "configs" / "party.yaml"


def job(name: str, tab: str = "") -> str:
    dashboard = f"dashboard: {{tab: '{tab}'}}\n" if tab else ""
    return f"job: {name}\nkubernetes: pinned\nprovider: {{name: local}}\n{dashboard}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a search folder that is the working folder, with the shipped party."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "party.yaml").write_bytes(PARTY.read_bytes())
    return tmp_path


def test_all_configs_are_reviewed_and_their_problems_sorted(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a") + "x: 1\nsuite: {workers: 0}\n", encoding="utf-8")
    (folder / "b.yml").write_text(job("ci-b"), encoding="utf-8")
    (folder / "c.yaml").write_text("- c\n", encoding="utf-8")
    (folder / ".hidden.yaml").write_text("x", encoding="utf-8")
    (folder / "notes.txt").write_text("x", encoding="utf-8")

    found = review((), search=[folder])

    assert [path.name for path in found.files] == ["a.yaml", "b.yml", "c.yaml"]
    assert [loaded.config.job for loaded in found.jobs] == ["ci-b"]
    assert [(p.place, p.key) for p in found.problems] == [
        (("a.yaml", 4, 1), "x"),
        (("a.yaml", 5, 18), "suite.workers"),
        (("c.yaml", 1, 1), ""),
    ]


def test_fault_of_the_party_is_said_once_for_all_jobs(folder: Path) -> None:
    (folder / "party.yaml").write_bytes(PARTY.read_bytes() + b"nonsense: 1\n")
    for name in ("a", "b", "c"):
        (folder / f"{name}.yaml").write_text(job(f"ci-{name}"), encoding="utf-8")

    found = review((), search=[folder])

    assert [(p.place.file, p.key, p.what) for p in found.problems] == [("party.yaml", "nonsense", "unknown key")]


def test_second_job_of_a_name_is_a_problem_of_the_second(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a"), encoding="utf-8")
    (folder / "b.yaml").write_text(job("ci-a"), encoding="utf-8")

    assert [str(p) for p in review((), search=[folder]).problems] == [
        "b.yaml:1:6: job: 'ci-a' is taken by a.yaml:1; expected a name that no other job has"
    ]


def test_file_under_review_collides_with_configs_that_were_not_asked_about(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a", "My Tab"), encoding="utf-8")
    (folder / "broken.yaml").write_text("- x\n", encoding="utf-8")
    (folder / "z.yaml").write_text(job("ci-z", "my-tab"), encoding="utf-8")

    wanted = "expected a tab that no other job of the dashboard has"
    assert [str(p) for p in review(("a",), search=[folder]).problems] == [
        f"a.yaml:4:18: dashboard.tab: 'My Tab' is taken by z.yaml:4; {wanted}"
    ]
    assert [str(p) for p in review(("./z.yaml",), search=[folder]).problems] == [
        f"z.yaml:4:18: dashboard.tab: 'my-tab' is taken by a.yaml:4; {wanted}"
    ]


def test_unknown_jobs_do_not_hide_the_other_problems(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a") + "x: 1\n", encoding="utf-8")

    found = review(("qq", "a", "./none.yaml"), search=[folder])

    assert [str(p).split(";")[0] for p in found.problems] == [
        "./none.yaml: there is no file './none.yaml'",
        "a.yaml:4:1: x: unknown key",
        f"qq: unknown job 'qq' (searched {folder})",
    ]


def test_party_is_checked_for_itself_and_need_not_be_a_whole_job(folder: Path) -> None:
    assert review(("./party.yaml",), search=[folder]).problems == ()

    (folder / "party.yaml").write_text("party: A\ncontact: {githb: x}\n", encoding="utf-8")

    assert [(p.place.line, p.key) for p in review(("./party.yaml",), search=[folder]).problems] == [
        (1, "party"),
        (2, "contact.githb"),
    ]
