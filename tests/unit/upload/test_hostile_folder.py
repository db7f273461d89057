"""Folders that change while they are published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from upload import artifacts
from upload.censor import Censor


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
