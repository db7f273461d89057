"""Finds the resource groups of runs by their marks alone, and removes them with all that is in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from providers.contracts import Resource
from providers.machines.azure_api import AzureApi
from providers.machines.azure_resources import GROUP, group_filter
from providers.machines.beside import gather
from providers.machines.marks import RUN, Mark, labelled
from providers.process import pause
from upload.errors import ProviderError

_PAUSE_S = 1.0


def find(api: AzureApi, mark: Mark) -> tuple[str, ...]:
    """Return the names of the resource groups that carry a run's mark: name and tags, both.

    Lists are late: a group that was just made is found by its name, and one that is gone is not believed to be there.
    """

    def look() -> set[str]:
        return {str(each["name"]) for each in api.groups(group_filter(mark))} | {mark.name(GROUP)}

    names = gather(api, "looking for resource groups", {"all": look})["all"]
    shown = gather(api, "looking for resource groups", {name: partial(api.group, name) for name in sorted(names)})
    return tuple(name for name, group in shown.items() if group is not None and _is_ours(mark, group))


def left_in(api: AzureApi, group: str) -> tuple[Resource, ...]:
    """Return a resource group and what is in it."""
    things = gather(api, "listing", {group: partial(api.inside, group)})[group]
    return (
        Resource("azure resource group", group),
        *(Resource(f"azure {each.get('type', 'resource')}", str(each["name"])) for each in things),
    )


def remove(api: AzureApi, mark: Mark) -> None:
    """Delete the resource groups of a run until there is none. What others put into one of them is never deleted.

    Raises: ProviderError with what the service says, or with the names of what is not ours; DeadlineExceeded.
    """
    while groups := find(api, mark):
        gather(api, "deleting", {group: partial(_remove_one, api, mark, group) for group in groups})
        if find(api, mark):
            pause(api.deadline, _PAUSE_S)


def check_ours(mark: Mark, group: Mapping[str, Any]) -> None:
    """Raise ProviderError for a resource group of a name of ours that does not carry the run's mark."""
    if not _is_ours(mark, group):
        what = f"there is a resource group {group['name']} without this run's mark: it is left alone"
        raise ProviderError(what, hint=f"az group show --name {group['name']}")


def _remove_one(api: AzureApi, mark: Mark, group: str) -> None:
    foreign = [each for each in api.inside(group) if not _belongs(mark, each)]
    if foreign:
        names = ", ".join(f"{each['type']} {each['name']}" for each in foreign)
        what = f"resource group {group} is left alone, since it holds what has no mark of this run: {names}"
        raise ProviderError(what, hint=f"move that elsewhere by az resource move, or az group delete --name {group}")
    api.delete_group(group)


def _is_ours(mark: Mark, group: Mapping[str, Any]) -> bool:
    carried = labelled(group.get("tags") or {})
    return carried is not None and carried.slug == mark.slug and mark.has_named(str(group.get("name", "")))


def _belongs(mark: Mark, resource: Mapping[str, Any]) -> bool:
    """Say whether something in a group is of the run: by its tag, or by its name, as what Azure adds to a machine has it."""
    return (resource.get("tags") or {}).get(RUN) == mark.slug or mark.has_named(str(resource.get("name", "")))
