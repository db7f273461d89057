"""Two machines in a real subscription of Azure: ``pytest tests/live --azure-subscription=…``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from providers.machines.azure import AzureMachines
from providers.machines.azure_settings import AzureSettings


@pytest.mark.timeout(2400)
def test_a_whole_life(option: Callable[[str], str], live: Callable[[Any], None]) -> None:
    section = {
        "subscription": option("--azure-subscription"),
        "location": option("--azure-location"),
        "machine_types": ["Standard_B1s"],
    }

    live(AzureMachines(AzureSettings.model_validate(section)))
