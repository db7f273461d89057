"""Finds the resource groups of runs by their marks alone, and removes them with all that is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from providers.contracts import Resource
from providers.lookout import Marked
from providers.machines.azure_api import AzureApi
from providers.machines.azure_resources import GROUP, group_filter
from providers.machines.beside import gather
from providers.machines.marks import RUN, Mark, labelled
from providers.process import pause
from upload.errors import ProviderError

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """A resource group that carries a mark."""

    name: str
    mark: Mark

    @property
    def marked(self) -> Marked:
        """The same as those who look after runs see it."""
        resource = Resource("azure resource group", self.name)
        return Marked(resource, self.mark.slug, self.mark.owner, self.mark.expires_s)


def find(api: AzureApi, mark: Mark | None) -> tuple[Found, ...]:
    """Return the resource groups that carry the mark of one run, or of any run: name and tags, both.

    Lists are late: a group that was just made is found by its name, and one that is gone is not believed to be there.
    """

    def look() -> set[str]:
        listed = {str(each["name"]) for each in api.groups(group_filter(mark))}
        return listed | {mark.name(GROUP)} if mark else listed

    names = gather(api, "looking for resource groups", {"all": look})["all"]
    shown = gather(api, "looking for resource groups", {name: partial(api.group, name) for name in sorted(names)})
    carried = {name: _mark(group) for name, group in shown.items() if group is not None}
    found = (Found(name, its) for name, its in carried.items() if its is not None)
    return tuple(each for each in found if mark is None or each.mark.slug == mark.slug)


def left_in(api: AzureApi, group: Found) -> tuple[Resource, ...]:
    """Return a resource group and what is in it."""
    things = gather(api, "listing", {group.name: partial(api.inside, group.name)})[group.name]
    return (
        group.marked.resource,
        *(Resource(f"azure {each.get('type', 'resource')}", str(each["name"])) for each in things),
    )


def remove(api: AzureApi, look: Callable[[], tuple[Found, ...]]) -> None:
    """Delete the resource groups that ``look`` finds until it finds none. What others put into one is never deleted.

    Raises: ProviderError with what the service says, or with the names of what is not ours; DeadlineExceeded.
    """
    while groups := look():
        gather(api, "deleting", {group.name: partial(_remove_one, api, group) for group in groups})
        if look():
            pause(api.deadline, _PAUSE_S)


def check_ours(mark: Mark, group: Mapping[str, Any]) -> None:
    """Raise ProviderError for a resource group of a name of ours that does not carry the run's mark."""
    carried = _mark(group)
    if carried is None or carried.slug != mark.slug:
        what = f"there is a resource group {group['name']} without this run's mark: it is left alone"
        raise ProviderError(what, hint=f"az group show --name {group['name']}")


def _remove_one(api: AzureApi, group: Found) -> None:
    foreign = [each for each in api.inside(group.name) if not _belongs(group.mark, each)]
    if foreign:
        names = ", ".join(f"{each['type']} {each['name']}" for each in foreign)
        what = f"resource group {group.name} is left alone, since it holds what has no mark of this run: {names}"
        raise ProviderError(
            what, hint=f"move that elsewhere by az resource move, or az group delete --name {group.name}"
        )
    api.delete_group(group.name)


def _mark(group: Mapping[str, Any]) -> Mark | None:
    """Return the mark that tags and name of a group hold both, or None where one of them is not ours."""
    mark = labelled(group.get("tags") or {})
    return mark if mark and mark.has_named(str(group.get("name", ""))) else None


def _belongs(mark: Mark, resource: Mapping[str, Any]) -> bool:
    """Say whether something in a group is of the run: by its tag, or by its name, as what Azure adds to a machine has it."""
    return (resource.get("tags") or {}).get(RUN) == mark.slug or mark.has_named(str(resource.get("name", "")))
