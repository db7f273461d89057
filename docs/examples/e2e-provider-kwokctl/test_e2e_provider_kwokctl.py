"""The contract that every provider keeps. Run it with pytest in the environment that both packages are installed in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_provider_kwokctl import KwokctlProvider, KwokctlSettings

from providers.contracts import Context, Deadline
from providers.releases.sources import sources_from_env
from providers.releases.versions import resolve
from providers.testing import ProviderContract, make_context


class TestKwokctl(ProviderContract):
    @pytest.fixture
    def provider(self) -> KwokctlProvider:
        return KwokctlProvider(KwokctlSettings())

    @pytest.fixture
    def context(self, provider: KwokctlProvider, tmp_path: Path) -> Iterator[Context]:
        deadline = Deadline.after(1800.0, "finding programs")
        binaries = resolve("pinned", sources=sources_from_env(os.environ), deadline=deadline)
        ctx = make_context(tmp_path / "cluster", binaries, seconds=300.0)
        yield ctx
        provider.down(ctx)
