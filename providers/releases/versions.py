"""What ``kubernetes:`` of a config may say, and how it becomes one version before anything is created."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from providers.contracts import Deadline
from providers.releases.built import Built
from providers.releases.checkout import read_checkout
from providers.releases.forms import EXACT, MARKER, SOURCE, check_form, checkout_of, folder_of
from providers.releases.layouts import marker_url
from providers.releases.pinned import pinned_versions
from providers.releases.release import Release
from providers.releases.sources import PINNED, Hosts, Sources, without_password
from providers.releases.wire import Wire
from upload.errors import ProviderError


def resolve(kubernetes: str, *, sources: Sources, deadline: Deadline) -> Release | Built:
    """Return the release, or the programs to be built from a checkout, that ``kubernetes`` names.

    A marker that cannot be resolved is an error: an older version is never tested instead. Only ``pinned``, or a
    marker while ``sources.offline``, gives the pinned version, and ``Release.source`` says so.
    Raises: UsageError for a text of another form; ProviderError; DeadlineExceeded.
    """
    check_form(kubernetes)
    deadline.check()
    if kubernetes == "pinned":
        return Release(PINNED, "pinned", sources)
    if EXACT.fullmatch(kubernetes):
        return Release(kubernetes, "exact", sources)
    if marker := MARKER.fullmatch(kubernetes):
        return _marked(kubernetes, marker.group(1) or "", sources, deadline)
    if kubernetes.startswith("file:"):
        folder = folder_of(kubernetes)
        return Release(_version_of_folder(folder), "file (unverified)", sources, folder=folder)
    if kubernetes.startswith(SOURCE):
        tree = checkout_of(kubernetes)
        return Built(tree, read_checkout(tree, sources.env).version, sources)
    if sources.offline:
        raise ProviderError(f"{without_password(kubernetes)}: not asked, the network is off (--offline)")
    address = kubernetes.rstrip("/")
    return Release(_version_at(address, sources, deadline), without_password(address), sources, address=address)


def _marked(marker: str, minor: str, sources: Sources, deadline: Deadline) -> Release:
    if sources.offline:
        return Release(_offline(marker, minor, sources.pins), f"pinned (offline, asked for {marker})", sources)
    places = [("", sources.hosts)]
    if sources.mirror:
        places.append((" of the mirror", Hosts.mirror(sources.mirror)))
    reasons = []
    with closing(Wire(sources)) as wire:
        for name, hosts in places:
            url = marker_url(marker, hosts)
            try:
                said = wire.document(url, deadline).strip()
            except ProviderError as error:
                reasons.append(str(error))
                continue
            found = EXACT.fullmatch(said)
            if found and minor in ("", found.group(1)):
                return Release(said, f"{marker}{name}", sources)
            reasons.append(f"{without_password(url)}: answers {said[:60]!r}")
    raise ProviderError(
        f"{marker} cannot be resolved: {'; '.join(reasons)}",
        hint="check the network, export E2E_MIRROR=https://your.mirror, or name a version (or `pinned`) in the config",
    )


def _offline(marker: str, minor: str, pins: Path) -> str:
    """Return the pinned version, or the newest pin of the minor that the marker names."""
    if minor in ("", PINNED[1:].rpartition(".")[0]):
        return PINNED
    same = [version for version in pinned_versions(pins) if version[1:].rpartition(".")[0] == minor]
    if not same:
        raise ProviderError(
            f"{marker}: the network is off (--offline) and no {minor} is pinned; "
            f"pinned: {', '.join(pinned_versions(pins))}"
        )
    return same[-1]


def _version_of_folder(folder: Path) -> str:
    if not folder.is_dir():
        raise ProviderError(f"{folder} is no folder")
    said = folder.name
    if not EXACT.fullmatch(said):
        try:
            with (folder / "version").open(encoding="utf-8", errors="replace") as file:
                said = file.read(100).strip()
        except OSError as exc:
            raise ProviderError(f"{folder}/version cannot be read: {exc.strerror}", hint=_hint(str(folder))) from exc
    if not EXACT.fullmatch(said):
        raise ProviderError(f"{folder}/version says {said[:60]!r}", hint=_hint(str(folder)))
    return said


def _version_at(address: str, sources: Sources, deadline: Deadline) -> str:
    said = unquote(urlsplit(address).path.rpartition("/")[2])
    if EXACT.fullmatch(said):
        return said
    with closing(Wire(sources)) as wire:
        said = wire.document(f"{address}/version", deadline).strip()
    if not EXACT.fullmatch(said):
        shown = without_password(address)
        raise ProviderError(f"{shown}/version says {said[:60]!r}", hint=_hint(shown))
    return said


def _hint(directory: str) -> str:
    return f"name the directory after its version (…/v1.36.3), or write the version into {directory}/version"
