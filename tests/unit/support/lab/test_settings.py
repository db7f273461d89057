from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lab.settings import keep, put_back, read_settings


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a tree of settings in which one of the known ones is missing."""
    for name, value in {"kernel/panic": "1", "kernel/panic_on_oops": "0", "vm/overcommit_memory": "0"}.items():
        path = tmp_path / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return tmp_path / "sys"


def change(top: Path) -> None:
    (top / "kernel/panic").write_text("10\n")
    (top / "vm/overcommit_memory").write_text("1\n")


def test_settings_are_put_back_as_they_were_before_the_first_lab(top: Path, tmp_path: Path) -> None:
    before = read_settings(top)
    keep(tmp_path / "kept", "boot", top)
    change(top)
    keep(tmp_path / "kept", "boot", top)  # a second lab
    assert read_settings(top) != before

    put_back(tmp_path / "kept", "boot", top)

    assert before == {"kernel/panic": "1", "kernel/panic_on_oops": "0", "vm/overcommit_memory": "0"}
    assert read_settings(top) == before
    assert not (tmp_path / "kept").exists()


def test_settings_of_an_earlier_boot_are_forgotten(top: Path, tmp_path: Path) -> None:
    keep(tmp_path / "kept", "first", top)
    change(top)
    put_back(tmp_path / "kept", "second", top)
    assert read_settings(top)["kernel/panic"] == "10"

    keep(tmp_path / "kept", "second", top)
    (top / "kernel/panic").write_text("5\n")
    put_back(tmp_path / "kept", "second", top)

    assert read_settings(top)["kernel/panic"] == "10"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "boot"}', '{"boot": "boot", "settings": 3}'])
def test_a_broken_file_restores_nothing(top: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "kept").write_text(text)
    before = read_settings(top)

    put_back(tmp_path / "kept", "boot", top)

    assert read_settings(top) == before


@pytest.mark.parametrize(("is_now", "while_there_is_a_lab"), [("128", "1024"), ("8192", "8192")])
def test_many_hosts_get_what_they_need(is_now: str, while_there_is_a_lab: str, top: Path, tmp_path: Path) -> None:
    name, file = "fs/inotify/max_user_instances", tmp_path / "settings.json"
    (top / name).parent.mkdir(parents=True, exist_ok=True)
    (top / name).write_text(f"{is_now}\n")

    keep(file, "boot-1", top)
    raised = read_settings(top)[name]
    put_back(file, "boot-1", top)

    assert (raised, read_settings(top)[name]) == (while_there_is_a_lab, is_now)
