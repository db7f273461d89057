from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.file_names import safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("kube-apiserver.log", "kube-apiserver.log"),
        ("core_v1_pods", "core_v1_pods"),
        ("../../etc/passwd", "_.._etc_passwd-3754d6cb"),
        ("", "-e3b0c442"),
        (".hidden", "hidden-16924190"),
    ],
)
def test_names_become_file_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text())
@example("..")
@example("a/../b")
@example("x" * 500)
def test_no_name_leaves_its_folder_or_hides(name: str) -> None:
    safe = safe_name(name)

    assert "/" not in safe
    assert safe not in ("", ".", "..")
    assert not safe.startswith(".")
    assert len(safe) <= 129


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_different_names_stay_different(names: list[str]) -> None:
    assert safe_name(names[0]) != safe_name(names[1])
