"""Providers are found by entry point; a broken one is named and disturbs no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from providers import registry
from providers.registry import BrokenPlugin, UnknownPlugin
from tests.support.plugins import PROVIDER, install_distribution

GROUP = registry.PROVIDERS


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on sys.path, as a site-packages of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_installed_providers_are_listed_without_loading_any(site: Path) -> None:
    install_distribution(site, "acme", group=GROUP, entries={"acme": "acme_x:P"}, modules={"acme_x": "1/0"})

    assert registry.provider_names() == ("acme", "azure", "existing", "gce", "local", "ubuntu")


def test_provider_of_another_distribution_is_made_from_its_settings(site: Path) -> None:
    install_distribution(
        site, "acme", group=GROUP, entries={"acme": "acme_good:Provider"}, modules={"acme_good": PROVIDER}
    )

    made = registry.make_provider("acme", {"region": "north", "size": 3})

    assert made.settings.model_dump() == {"size": 3, "region": "north", "tags": {}}  # type: ignore[attr-defined]
    assert registry.provider_type("acme") is registry.provider_type("acme")
    with pytest.raises(ValidationError):
        registry.check_settings("acme", {"regio": "north"})


@pytest.mark.parametrize("name", ["local", "existing", "ubuntu"])
def test_providers_of_this_project_hold_the_contract(name: str) -> None:
    made = registry.provider_type(name)

    assert made.Settings.model_config.get("extra") == "forbid"
    assert made.owns_cluster is (name != "existing")


def test_unknown_provider_names_the_nearest() -> None:
    with pytest.raises(UnknownPlugin) as caught:
        registry.provider_type("loca\x1b")

    assert (
        str(caught.value)
        == r"unknown provider 'loca\x1b', did you mean 'local'? (installed: azure, existing, gce, local, ubuntu)"
    )
    assert (caught.value.near, caught.value.hint) == ("local", "e2e providers")


BROKEN = {
    "missing module": ("acme_none:P", "", "ModuleNotFoundError: No module named 'acme_none'"),
    "missing class": ("acme_b:P", "", "AttributeError: module 'acme_b' has no attribute 'P'"),
    "raises at import": ("acme_b:P", "raise RuntimeError('no\\x1b[31m luck')", r"RuntimeError: no\x1b[31m luck"),
    "exits at import": ("acme_b:P", "raise SystemExit(3)", "SystemExit: 3"),
    "syntax error": ("acme_b:P", "def", "SyntaxError: invalid syntax (acme_b.py, line 1)"),
    "no settings": ("acme_b:P", "class P: pass", "it has no Settings that is a pydantic model"),
    "not callable": ("acme_b:P", "P = 3", "it has no Settings that is a pydantic model"),
    "open settings": (
        "acme_b:P",
        "import pydantic\nclass P:\n    Settings = pydantic.BaseModel",
        "its Settings accept unknown keys; model_config needs extra='forbid'",
    ),
    "no features": ("acme_b:Provider", f"{PROVIDER}\ndel Provider.features", "it has no features that is a frozenset"),
    "no ownership": (
        "acme_b:Provider",
        f"{PROVIDER}\ndel Provider.owns_cluster",
        "it has no owns_cluster that is true or false",
    ),
}


@pytest.mark.parametrize(("value", "source", "cause"), BROKEN.values(), ids=BROKEN)
def test_broken_plugin_names_entry_point_distribution_cause_and_remedy(
    site: Path, value: str, source: str, cause: str
) -> None:
    install_distribution(site, "acme", group=GROUP, entries={"acme": value}, modules={"acme_b": source})

    with pytest.raises(BrokenPlugin) as caught:
        registry.provider_type("acme")

    origin = f"the plugin 'acme = {value}' ({GROUP}) of distribution acme 1.0"
    assert (str(caught.value), caught.value.hint) == (f"{origin} is broken: {cause}", "pip uninstall acme")
    assert registry.provider_type("local").owns_cluster


def test_settings_that_raise_are_a_broken_plugin(site: Path) -> None:
    source = PROVIDER + (
        "\nfrom pydantic import model_validator\n"
        "class Bad(Settings):\n"
        "    @model_validator(mode='before')\n"
        "    def check(cls, values): return values['none']\n"
        "Provider.Settings = Bad\n"
    )
    install_distribution(site, "acme", group=GROUP, entries={"acme": "acme_s:Provider"}, modules={"acme_s": source})

    with pytest.raises(BrokenPlugin, match="its Settings raise KeyError: 'none'"):
        registry.check_settings("acme", {})


def test_name_that_two_distributions_claim_is_refused(site: Path) -> None:
    install_distribution(site, "acme", group=GROUP, entries={"local": "acme_t:Provider"}, modules={"acme_t": PROVIDER})

    with pytest.raises(BrokenPlugin) as caught:
        registry.provider_type("local")

    origin = f"the plugin 'local = acme_t:Provider' ({GROUP}) of distribution acme 1.0 is broken"
    claimed = "acme_t:Provider of acme and providers.local:LocalProvider of federated-e2e"
    assert str(caught.value) == f"{origin}: the name is taken twice, by {claimed}"
    assert caught.value.hint == "pip uninstall acme"
    assert "acme_t" not in sys.modules
    assert registry.provider_type("existing").owns_cluster is False
