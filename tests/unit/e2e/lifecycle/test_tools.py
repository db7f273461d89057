from __future__ import annotations

from pathlib import Path

from e2e.lifecycle.tools import LaterBinaries
from providers.contracts import Binaries, Deadline
from providers.testing import FolderBinaries


def test_programs_are_looked_for_when_one_is_asked_for_and_once(tmp_path: Path) -> None:
    (tmp_path / "kubelet").write_text("")
    within, asked = Deadline.after(60, "looking"), list[Deadline]()

    def resolve(deadline: Deadline) -> Binaries:
        asked.append(deadline)
        return FolderBinaries(tmp_path, "v1.36.3")

    later = LaterBinaries("v1.36.3", resolve)
    before = list(asked)

    found = later.get("kubelet", deadline=within)
    older = later.other("v1.33.5", platform="linux/arm64", deadline=within)

    assert (before, asked) == ([], [within])
    assert (found, older) == (tmp_path / "kubelet", FolderBinaries(tmp_path, "v1.33.5"))
    assert later.published("kubelet", deadline=within) is None
