from __future__ import annotations

from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.fanout import Limit
from providers.releases.gobuild import Go, find_go, require_go
from providers.releases.pinned import Pin
from upload.errors import ProviderError


@pytest.mark.parametrize("version", ["1.26.0", "1.26.8", "1.27", "2.0"])
def test_a_go_that_is_new_enough_is_taken(version: str) -> None:
    require_go(Go("/go", version), Pin("kwok", Path(), "v0.8.0", "1.26.0"))


@pytest.mark.parametrize("version", ["1.25.9", "1.9.10", "1.3"])
def test_an_older_go_is_refused_with_both_versions(version: str) -> None:
    with pytest.raises(ProviderError) as raised:
        require_go(Go("/opt/go", version), Pin("kwok", Path(), "v0.8.0", "1.26.0"))

    assert str(raised.value) == f"Go >= 1.26.0 is needed for kwok v0.8.0, found {version} (/opt/go)"


def test_no_go_is_said() -> None:
    with pytest.raises(ProviderError, match="there is no go on PATH"):
        find_go({"PATH": ""}, Limit(Deadline.after(5, "x")))
