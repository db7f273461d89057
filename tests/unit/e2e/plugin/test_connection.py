from __future__ import annotations

from pathlib import Path

import pytest

from e2e.plugin.connection import may_use_proxy, read_config
from tests.support.fake_api import write_kubeconfig
from upload.errors import ProviderError


@pytest.mark.parametrize(
    ("server", "may"),
    [
        ("https://127.0.0.1:6443", False),
        ("https://[::1]:6443", False),
        ("https://localhost:6443", False),
        ("https://10.0.0.1:6443", True),
        ("https://api.example.com", True),
    ],
)
def test_proxy_is_never_used_for_this_machine(tmp_path: Path, server: str, may: bool) -> None:
    assert may_use_proxy(read_config(write_kubeconfig(tmp_path, server))) is may


def test_kubeconfig_without_a_context_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "kubeconfig"
    empty.write_text("{contexts: [], clusters: [], users: []}")

    with pytest.raises(ProviderError, match=r"kubeconfig cannot be used: No current context"):
        read_config(empty)
