"""Configs that are made of other tools' jobs: beside each job its config, whole; and none that fails the checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.imported import import_job
from jobs.runner2016 import GIVEN, KNOWN, READERS
from providers.config import default_search
from providers.config.load import Layers, load_file
from upload.errors import UsageError

ROOT = Path(__file__).parents[3]
IMPORTS = Path(__file__).parent / "imports"
SEARCH = default_search(ROOT)

Golden = Callable[[str, bytes], None]


def checked(text: str, folder: Path) -> bytes:
    """Return what is made of a job, which is a valid config."""
    made = import_job(text, search=SEARCH).text()
    path = folder / "made.yaml"
    path.write_bytes(made)
    load_file(path, Layers(SEARCH))
    return made


@pytest.mark.parametrize("name", sorted(path.stem for path in IMPORTS.glob("*.txt")))
def test_job_becomes_the_config_beside_it(name: str, golden: Golden, tmp_path: Path) -> None:
    golden(str(IMPORTS / f"{name}.yaml"), checked((IMPORTS / f"{name}.txt").read_text(), tmp_path))


@pytest.mark.parametrize(
    "text", ["", "hello", "PATH=/bin\n", "# kubetest\n"], ids=["empty", "word", "other", "comment"]
)
def test_text_that_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither a kubetest2 command line"):
        import_job(text, search=SEARCH)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.sampled_from(
    sorted({*KNOWN, *READERS, *GIVEN, "JOB_NAME", "KUBERNETES_PROVIDER", "PROJECT", "ZONE", "NODE_SIZE"})
)
LIKELY = st.sampled_from(
    ["true", "false", "gce", "local", "7", "gs://a/b", "ci/latest", "us-central1-b", "5h", "--a=b"]
)
ENVIRONMENTS = st.lists(st.tuples(NAMES, TEXTS | LIKELY), min_size=1, max_size=12)
FLAGS = st.sampled_from(
    [
        "--up",
        "--down",
        "--test=ginkgo",
        "--test=exec",
        "--test",
        "--",
        "--gcp-zone",
        "--num-nodes=3",
        "--focus-regex",
        "-",
    ]
)
COMMANDS = st.lists(FLAGS | TEXTS | LIKELY, max_size=12)


@given(ENVIRONMENTS)
@example([("E2E_UP", "true"), ("KUBERNETES_PROVIDER", "gce"), ("PROJECT", "x" * 50), ("NODE_SIZE", "'")])
def test_any_environment_becomes_a_valid_config(
    tmp_path_factory: pytest.TempPathFactory, variables: list[tuple[str, str]]
) -> None:
    text = "E2E_TEST=true\n" + "".join(f"export {name}={value}\n" for name, value in variables)

    assert checked(text, tmp_path_factory.mktemp("imported"))


@given(st.sampled_from(["gce", "kind", "noop", "", "--up"]), COMMANDS)
def test_any_command_line_becomes_a_valid_config(
    tmp_path_factory: pytest.TempPathFactory, deployer: str, words: list[str]
) -> None:
    assert checked(f"kubetest2 {deployer} {' '.join(words)}", tmp_path_factory.mktemp("imported"))


def test_very_long_values_are_left_out(tmp_path: Path) -> None:
    made = checked("E2E_UP=true\nGINKGO_TEST_ARGS=--ginkgo.focus=" + "x" * 500_000, tmp_path)

    assert len(made) < 2000
    assert b"suite.focus: is longer than 20000 characters" in made
