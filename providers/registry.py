"""Find providers and testers by entry point, each loaded when it is asked for: a broken one never disturbs another.

An entry point of the group ``federated_e2e.providers`` names a ``ProviderType`` (providers/contracts.py); one of the
group ``federated_e2e.machines`` names a maker of machines, of which kubeadm makes a provider; one of ``federated_e2e.testers`` names a class of which
a tester is made (e2e/lifecycle/testers.py).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NoReturn, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from providers.contracts import Provider, ProviderType
from providers.wording import meant, nearest, visible
from upload.errors import UsageError

PROVIDERS: Final = "federated_e2e.providers"
MACHINES: Final = "federated_e2e.machines"
TESTERS: Final = "federated_e2e.testers"
_OURS: Final = "federated-e2e"


class UnknownPlugin(UsageError):
    """A name that no installed distribution provides. ``near``: the name that was probably meant, or empty."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        self.near = nearest(name, known)
        self.known = known
        listed = ", ".join(known) or "none"
        hint = "e2e providers" if kind == "provider" else "e2e check"
        super().__init__(f"unknown {kind} '{visible(name)}'{meant(self.near)} (installed: {listed})", hint=hint)


class BrokenPlugin(UsageError):
    """An installed plugin that cannot be used; the message names entry point, distribution and cause."""

    def __init__(self, entry: EntryPoint, cause: str) -> None:
        name = entry.dist.name if entry.dist else ""
        origin = f"distribution {name} {entry.dist.version}" if entry.dist else "an unknown distribution"
        super().__init__(
            f"the plugin '{entry.name} = {entry.value}' ({entry.group}) of {origin} is broken: {visible(cause, 300)}",
            hint=f"pip uninstall {name}" if name else "",
        )


def provider_names() -> tuple[str, ...]:
    """Return the names of the installed providers, sorted. Loads none of them."""
    return tuple(sorted({*plugin_names(PROVIDERS), *plugin_names(MACHINES)}))


def plugin_names(group: str) -> tuple[str, ...]:
    """Return the names in an entry-point group, sorted. Loads none of them."""
    return tuple(sorted({entry.name for entry in _entries(group, tuple(sys.path))}))


def provider_type(name: str) -> ProviderType:
    """Return the provider of that name.

    Raises: UnknownPlugin; BrokenPlugin if it does not import, is no ProviderType, or two distributions claim the name.
    """
    return cast("ProviderType", _load(_entry(name), tuple(sys.path)))


def make_provider(name: str, settings: dict[str, Any]) -> Provider:
    """Return the provider of that name with its settings, as ``JobConfig.provider`` holds them."""
    made = provider_type(name)
    return made(check_settings(name, settings))


def check_settings(name: str, settings: dict[str, Any]) -> BaseModel:
    """Return the provider's validated settings. Raises pydantic's ValidationError, or BrokenPlugin for any other error."""
    return _checked(_entry(name), provider_type(name).Settings, settings)


class NoSettings(BaseModel):
    """The settings of a tester that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def tester_settings(name: str) -> type[BaseModel]:
    """Return the model of the keys that a tester adds to ``suite:``. Raises UnknownPlugin, BrokenPlugin."""
    model: type[BaseModel] = getattr(_load(_tester_entry(name), tuple(sys.path)), "Settings", NoSettings)
    return model


def make_tester(name: str, settings: Mapping[str, Any]) -> Any:
    """Return the tester of that name, made of its keys, if it has any. Raises as ``tester_settings`` and ``check_settings`` do."""
    entry = _tester_entry(name)
    made: Any = _load(entry, tuple(sys.path))
    valid = _checked(entry, tester_settings(name), settings)
    try:
        return made(valid) if hasattr(made, "Settings") else made()
    except Exception as error:
        raise BrokenPlugin(entry, _said(error)) from error


def _checked(entry: EntryPoint, model: type[BaseModel], settings: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(settings)
    except ValidationError:
        raise
    except Exception as error:
        raise BrokenPlugin(entry, f"its Settings raise {_said(error)}") from error


def _entry(name: str) -> EntryPoint:
    path = tuple(sys.path)
    found = [entry for entry in (*_entries(PROVIDERS, path), *_entries(MACHINES, path)) if entry.name == name]
    if not found:
        raise UnknownPlugin("provider", name, provider_names())
    return _only(found)


def _tester_entry(name: str) -> EntryPoint:
    found = [entry for entry in _entries(TESTERS, tuple(sys.path)) if entry.name == name]
    if not found:
        raise UnknownPlugin("tester", name, plugin_names(TESTERS))
    return _only(found)


def _only(found: list[EntryPoint]) -> EntryPoint:
    if len(found) > 1:
        claimed = " and ".join(sorted(f"{e.value} of {e.dist.name if e.dist else '?'}" for e in found))
        stranger = next((e for e in found if e.dist and e.dist.name != _OURS), found[0])
        raise BrokenPlugin(stranger, f"the name is taken twice, by {claimed}")
    return found[0]


@lru_cache(maxsize=8)
def _entries(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # reading every distribution's metadata takes tens of milliseconds: once for each sys.path
    return tuple(entry_points(group=group))


@lru_cache(maxsize=64)
def _load(entry: EntryPoint, _path: tuple[str, ...]) -> object:
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:
        raise BrokenPlugin(entry, _said(error)) from error
    if entry.group == MACHINES:
        from providers.kubeadm.provider import provider_of

        try:
            loaded = provider_of(loaded)
        except AttributeError as error:
            raise BrokenPlugin(entry, _said(error)) from error
    _require_settings(entry, loaded)
    if entry.group != TESTERS:
        _require_provider_type(entry, loaded)
    return loaded


def _require_settings(entry: EntryPoint, loaded: Any) -> None:
    settings = getattr(loaded, "Settings", NoSettings if entry.group == TESTERS else None)
    if not callable(loaded) or not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        _broken(entry, "it has no Settings that is a pydantic model")
    if settings.model_config.get("extra") != "forbid":
        _broken(entry, "its Settings accept unknown keys; model_config needs extra='forbid'")


def _require_provider_type(entry: EntryPoint, loaded: Any) -> None:
    if not isinstance(getattr(loaded, "features", None), frozenset):
        _broken(entry, "it has no features that is a frozenset")
    if not isinstance(getattr(loaded, "owns_cluster", None), bool):
        _broken(entry, "it has no owns_cluster that is true or false")


def _broken(entry: EntryPoint, cause: str) -> NoReturn:
    raise BrokenPlugin(entry, cause)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
