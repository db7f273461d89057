"""A folder with very many files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from upload.artifact_walk import FoundFile, Limits, walk
from upload.censor import Censor
from upload.model import BuildRef
from upload.publish import PublishRequest, prepare

MANY = 100_000
BUILD = BuildRef("logs", "ci-kubernetes-e2e-mine", "20260722060000")


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
