from __future__ import annotations

from pathlib import Path

import pytest

from providers.ssh.keys import delete_key, make_key, public_key
from upload.errors import UsageError


def test_a_key_is_made_once_is_private_and_can_be_deleted_twice(tmp_path: Path) -> None:
    key = make_key(tmp_path / "id", "job-1")
    public = public_key(key)

    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" job-1")
    assert key.path.stat().st_mode & 0o777 == 0o600
    assert public_key(make_key(tmp_path / "id", "job-1")) == public
    assert [p.name for p in tmp_path.iterdir()] == ["id"]

    delete_key(key)
    delete_key(key)
    with pytest.raises(UsageError, match="No such file"):
        public_key(key)
