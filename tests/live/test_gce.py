"""Two machines in a real project of Google Cloud: ``pytest tests/live --gce-project=…``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from providers.machines.gce import GceMachines
from providers.machines.gce_settings import GceSettings


@pytest.mark.timeout(2400)
def test_a_whole_life(option: Callable[[str], str], live: Callable[[Any], None]) -> None:
    section = {"project": option("--gce-project"), "region": option("--gce-region"), "machine_types": ["e2-small"]}

    live(GceMachines(GceSettings.model_validate(section)))
