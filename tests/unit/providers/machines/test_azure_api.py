from __future__ import annotations

import sys

import pytest

from providers.contracts import Deadline
from providers.machines.azure_api import AzureApi
from upload.errors import MissingExtra


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("azure", "azure.core", "azure.core.exceptions", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)  # so an import fails
    api = AzureApi("00000000-0000-4000-8000-000000000001", "westeurope", Deadline.after(5.0, "asking"))

    with pytest.raises(MissingExtra) as caught:
        api.group("x")

    assert (str(caught.value), caught.value.hint) == (
        "provider azure needs the extra [azure]",
        "pip install 'federated-e2e[azure]'",
    )
