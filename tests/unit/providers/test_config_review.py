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


def test_every_name_that_is_taken_is_said_at_once(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a", "my-tab"), encoding="utf-8")
    (folder / "b.yaml").write_text(job("ci-a", "my-tab"), encoding="utf-8")
    (folder / "c.yaml").write_text(job("my-tab"), encoding="utf-8")

    assert [str(p).partition(";")[0] for p in review((), search=[folder]).problems] == [
        "b.yaml:1:6: job: 'ci-a' is taken by a.yaml:1",
        "b.yaml:4:18: dashboard.tab: 'my-tab' is taken by a.yaml:4",
        "c.yaml: dashboard.tab: 'my-tab' is taken by a.yaml:4",
    ]


def test_file_under_review_collides_with_configs_that_were_not_asked_about(folder: Path) -> None:
    (folder / "a.yaml").write_text(job("ci-a", "My Tab"), encoding="utf-8")
    (folder / "broken.yaml").write_text("- x\n", encoding="utf-8")
    (folder / "z.yaml").write_text(job("ci-z", "my-tab"), encoding="utf-8")

    wanted = "expected a tab that no other job of the dashboard has"
    assert [str(p) for p in review(("a",), search=[folder]).problems] == [
        f"a.yaml:4:18: dashboard.tab: 'My Tab' is taken by z.yaml:4 as 'my-tab'; {wanted}"
    ]
    assert [str(p) for p in review(("./z.yaml",), search=[folder]).problems] == [
        f"z.yaml:4:18: dashboard.tab: 'my-tab' is taken by a.yaml:4 as 'My Tab'; {wanted}"
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


def board(**keys: str) -> str:
    return f"dashboard: {{{', '.join(f'{key}: {value!r}' for key, value in keys.items())}}}\n"


ONE_BOARD = "one spelling and one group for each dashboard, and a name that no group has"
ONE_GROUP = "one spelling for each group, and a name that no dashboard has"
ONE_PREFIX = "one prefix for each folder of a bucket, and one such folder for each prefix"


@pytest.mark.parametrize(
    ("name", "first", "second", "said"),
    [
        pytest.param(
            "ci-a.b",
            job("ci-ab"),
            job("ci-a.b"),
            "b.yaml:1:6: job: 'ci-a.b' is taken by a.yaml:1 as 'ci-ab'; expected a name that no other job has",
            id="a job that TestGrid takes for another",
        ),
        pytest.param(
            "ci-b",
            job("ci-a") + board(name="provider-x", tab="one"),
            job("ci-b") + board(name="provider-X", tab="two"),
            f"b.yaml:4:19: dashboard.name: 'provider-X' is taken by a.yaml:4 as 'provider-x'; expected {ONE_BOARD}",
            id="a dashboard in two spellings",
        ),
        pytest.param(
            "ci-b",
            job("ci-a") + board(group="sig", name="sig-node-x", tab="one"),
            job("ci-b") + board(group="sig-node", name="sig-node-x", tab="two"),
            f"b.yaml:4:38: dashboard.name: 'sig-node-x' is taken by a.yaml:4; expected {ONE_BOARD}",
            id="a dashboard of two groups",
        ),
        pytest.param(
            "ci-b",
            job("ci-a") + board(group="sig", name="sig-node", tab="one"),
            job("ci-b") + board(group="sig-node", name="sig-node-x", tab="two"),
            f"b.yaml:4:20: dashboard.group: 'sig-node' is taken by a.yaml:4; expected {ONE_GROUP}",
            id="a group named as a dashboard",
        ),
        pytest.param(
            "ci-b",
            job("ci-a") + "bucket_prefix: 'x:'\nresults: {store: 'gs://one'}\n",
            job("ci-b") + "bucket_prefix: 'x:'\nresults: {store: 'gs://two'}\n",
            f"b.yaml:4:16: bucket_prefix: 'x:' is taken by a.yaml:4; expected {ONE_PREFIX}",
            id="a prefix of two buckets",
        ),
        pytest.param(
            "ci-b",
            job("ci-a") + "bucket_prefix: 'x:'\nresults: {store: 'gs://one'}\n",
            job("ci-b") + "bucket_prefix: 'y:'\nresults: {store: 'gs://one/'}\n",
            f"b.yaml:4:16: bucket_prefix: 'y:' is taken by a.yaml:4 as 'x:'; expected {ONE_PREFIX}",
            id="a bucket of two prefixes",
        ),
    ],
)
def test_what_two_configs_must_not_share_is_a_problem_of_the_second(
    folder: Path, name: str, first: str, second: str, said: str
) -> None:
    (folder / "a.yaml").write_text(first, encoding="utf-8")
    (folder / "b.yaml").write_text(second, encoding="utf-8")

    found = review((), search=[folder])

    assert [str(problem) for problem in found.problems] == [said]
    assert [loaded.config.job for loaded in found.jobs][1] == name


@pytest.mark.parametrize("store", ["gs://example-e2e", "_results/bucket"])
def test_configs_of_one_party_share_dashboard_bucket_and_prefix(folder: Path, store: str) -> None:
    for name in ("ci-a", "ci-b"):
        (folder / f"{name}.yaml").write_text(job(name) + f"results: {{store: '{store}'}}\n", encoding="utf-8")
    (folder / "else.yaml").write_text(job("ci-c") + "results: {store: elsewhere}\n", encoding="utf-8")

    assert review((), search=[folder]).problems == ()
