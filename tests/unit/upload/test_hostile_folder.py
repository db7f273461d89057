"""Folders that are odd as a whole: files that vanish or shrink while they are published, and very many of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from upload import artifacts
from upload.artifact_walk import FoundFile, Limits, walk
from upload.censor import Censor
from upload.model import BuildRef
from upload.publish import PublishRequest, prepare

MANY = 100_000
BUILD = BuildRef("logs", "ci-kubernetes-e2e-mine", "20260722060000")


def test_file_that_vanishes_after_it_was_listed_is_left_out_with_a_finding(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    for name in ("a.log", "b.log", "c.log"):
        (folder / name).write_text(name)

    class Vanishing(Censor):
        """A censor that sees the first file go by and removes the second."""

        def stream(self, chunks: Iterator[bytes]) -> Iterator[bytes]:  # type: ignore[override]  # narrower on purpose
            (folder / "b.log").unlink(missing_ok=True)
            return super().stream(chunks)

    found = artifacts.collect_artifacts(folder, censor=Vanishing(), out=tmp_path / "out")

    assert list(found.artifacts) == ["a.log", "c.log"]
    assert [(finding.rule, finding.object) for finding in found.findings] == [("artifact.unreadable", "b.log")]


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.timeout(600)
def test_hundred_thousand_files_become_as_many_objects(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    for group in range(100):
        (folder / f"{group:02}").mkdir(parents=True)
        for number in range(MANY // 100):
            (folder / f"{group:02}" / f"{number:04}.log").write_bytes(b"x")

    assert sum(isinstance(found, FoundFile) for found in walk(folder, limits=Limits())) == MANY
    prepared = prepare(PublishRequest(BUILD, folder, 7), censor=Censor(), scratch=tmp_path / "scratch")
    assert len(prepared.plan.artifacts) == MANY
    shutil.rmtree(tmp_path)  # a later session would have to
