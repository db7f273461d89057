from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lab.room import check_room
from upload.errors import ProviderError


def test_more_hosts_than_the_machine_has_room_for_are_refused(tmp_path: Path) -> None:
    check_room(tmp_path, 0)
    with pytest.raises(
        ProviderError, match=r"^1000000 more hosts need about 750000\.0 GiB of memory; .* GiB are free$"
    ):
        check_room(tmp_path, 1_000_000)
