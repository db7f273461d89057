"""Golden files, compared whole and written anew by ``pytest --update-golden``; property tests without a time. Loads the other plugins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a machine that is busy is no failure: properties are about values
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# here, because this file is loaded before any test can import it
pytest.register_assert_rewrite("providers.testing")

pytest_plugins = ["tests.support.expected_skips", "tests.support.report"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; review reads the diff")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compare bytes with ``golden/NAME`` beside the test; a missing file fails."""

    def compare(name: str, actual: bytes) -> None:
        path = Path(str(request.path)).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.write_bytes(actual)
        assert path.exists(), f"{path} is missing: run pytest --update-golden and look at what it wrote"
        assert actual.decode() == path.read_bytes().decode()

    return compare
