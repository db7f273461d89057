"""What cases about services and names read."""

from __future__ import annotations

import pytest

from e2e.suite.network.services import resolver


@pytest.mark.parametrize("options", ["ndots:2 edns0", "edns0 ndots:2", "ndots:2\noptions edns0"])
def test_resolver_is_the_same_for_options_in_any_order(options: str) -> None:
    assert resolver(f"search b.example a.example\n\nnameserver 192.0.2.53\noptions {options}\n") == {
        "search": ["b.example", "a.example"],
        "nameserver": ["192.0.2.53"],
        "options": ["edns0", "ndots:2"],
    }
