"""The places one program may come from, in their order, and how it is taken from each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from providers.contracts import Deadline, Download
from providers.releases.cache import Cache, Found, Key
from providers.releases.download import Fetch, WrongChecksum, fetch
from providers.releases.layouts import Asset, directory_assets, published_sum, release_asset
from providers.releases.pinned import Pin, pin_for
from providers.releases.programs import Program
from providers.releases.sources import Hosts, Platform, Sources, without_password
from providers.releases.wire import Wire
from upload.errors import ProviderError

_PROCESSORS = {b"\x3e\x00": "amd64", b"\xb7\x00": "arm64"}  # of programs for Linux, which are little-endian


@dataclass(frozen=True, slots=True)
class Want:
    """One program of one release.

    ``version`` is its project's own. ``pin`` is what it can be built from, or the error that says why it cannot.
    ``directory`` is the https address of the user's own version, from which alone Kubernetes's programs then come.
    """

    program: Program
    version: str
    pin: Pin | ProviderError
    directory: str = ""

    def key(self, sources: Sources) -> Key:
        """Return the entry of the official release; it is also the name of this program's lock."""
        return Key(self.program.name, self.version, str(sources.platform))

    def built_key(self, sources: Sources, pin: Pin) -> Key:
        """Return the entry of what ``pin`` builds. Another pin, or other flags, is another entry."""
        return Key(self.program.name, self.version, str(sources.platform), f"go-{pin.digest}")


@dataclass(frozen=True, slots=True)
class Staged:
    """A verified program that waits in a staging folder, and the entry it shall become."""

    path: Path
    key: Key
    origin: str


class Refused(ProviderError):
    """No place had the program. ``reasons``: one line a place."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def want(program: Program, kubernetes: str, directory: str, sources: Sources) -> Want:
    """Return what is to be had under this name for a version of Kubernetes."""
    try:
        pin: Pin | ProviderError = pin_for(program, kubernetes, sources.pins)
    except ProviderError as error:
        pin = error
    if program.project == "kubernetes":
        if directory:
            pin = ProviderError(f"nothing but {without_password(directory)} is that version")
        return Want(program, kubernetes, pin, directory)
    if isinstance(
        pin, ProviderError
    ):  # which etcd, CoreDNS and kwok belong to a Kubernetes is known from the pins alone
        raise pin
    return Want(program, pin.version, pin)


def cached(wanted: Want, sources: Sources) -> Found | None:
    """Return the program from the cache. What lies in a directory of the user is known only after a look there."""
    if wanted.directory:
        return None
    cache = Cache(sources.cache)
    found = cache.find(wanted.key(sources))
    if found is None and isinstance(wanted.pin, Pin):
        found = cache.find(wanted.built_key(sources, wanted.pin))
    return found


def offers(wanted: Sequence[Want], sources: Sources) -> tuple[tuple[str, tuple[Mapping[str, Asset], ...]], ...]:
    """Return the places on the network for what is in ``one_file``, in order.

    Each is what it is called, and the choices there: program → where it lies.
    """
    if sources.offline:
        return ()
    if wanted[0].directory:
        assets = directory_assets(wanted[0].program, wanted[0].directory, sources.platform)
        return (("directory", tuple({wanted[0].program.name: asset} for asset in assets)),)
    places = [("official", sources.hosts)]
    if sources.mirror:
        places.append(("mirror", Hosts.mirror(sources.mirror)))
    return tuple(
        (name, ({w.program.name: release_asset(w.program, w.version, hosts, sources.platform) for w in wanted},))
        for name, hosts in places
    )


def one_file(wanted: Iterable[Want]) -> list[list[Want]]:
    """Return what is wanted in groups that come in one file each: the programs of a bundle, or a single one."""
    groups: dict[str, list[Want]] = {}
    for each in wanted:
        together = each.program.bundle and not each.directory
        groups.setdefault(each.program.bundle if together else each.program.name, []).append(each)
    return list(groups.values())


def download(wanted: Sequence[Want], into: Path, sources: Sources, how: Fetch) -> list[Staged | Found]:
    """Return verified programs, all of ``one_file``, from the first place that has them.

    Raises: Refused with every place's reason; WrongChecksum at once; DeadlineExceeded; OSError of the disk.
    """
    reasons = []
    if str(sources.platform) not in wanted[0].program.platforms:
        raise Refused((f"official: {wanted[0].program.name} is not published for {sources.platform}",))
    for place, choices in offers(wanted, sources):
        for assets in choices:
            try:
                return _from(assets, wanted, into, how=how, sources=sources)
            except WrongChecksum:
                raise
            except ProviderError as error:
                reasons.append(f"{place}: {error}")
    raise Refused(reasons or ("official: not asked, the network is off (--offline)",))


def published(wanted: Want, sources: Sources, wire: Wire, deadline: Deadline) -> Download | None:
    """Return where the first place publishes the program as it is; None when none does, or only in an archive."""
    for _, choices in offers([wanted], sources):
        for asset in (choice[wanted.program.name] for choice in choices):
            if asset.member or str(sources.platform) not in wanted.program.platforms:
                continue
            try:
                return Download(asset.url, published_sum(wire.document(asset.sum_url, deadline), asset.listed))
            except ProviderError:
                continue
    return None


def _from(
    assets: Mapping[str, Asset], wanted: Sequence[Want], into: Path, *, how: Fetch, sources: Sources
) -> list[Staged | Found]:
    asset = next(iter(assets.values()))
    document = how.wire.document(asset.sum_url, how.limit.deadline)
    try:
        expected = published_sum(document, asset.listed)
    except ProviderError as error:
        raise ProviderError(f"{without_password(asset.sum_url)}: {error}") from error
    keys = {each.program.name: each.key(sources) for each in wanted}
    if wanted[0].directory:  # an address whose content may change: the sum is the name
        keys = {name: replace(key, variant=f"sha256-{expected[:16]}") for name, key in keys.items()}
        if found := Cache(sources.cache).find(keys[wanted[0].program.name]):
            return [found]
    paths = fetch(assets, expected, into, how)
    if wanted[0].directory:
        require_platform(paths[wanted[0].program.name], sources.platform, without_password(asset.url))
    origin = f"{without_password(asset.url)} sha256:{expected}"
    return [Staged(path, keys[name], origin) for name, path in paths.items()]


def in_directory(program: Program, directory: Path, sources: Sources) -> Path:
    """Return the program where it lies in a folder of the user, whose checksum is looked at when there is one.

    Raises: ProviderError when it is not there, is not executable, or differs from its ``.sha256``.
    """
    places = [Path(asset.url) for asset in directory_assets(program, str(directory), sources.platform)]
    try:
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise ProviderError(
                f"{directory} has neither {' nor '.join(str(p.relative_to(directory)) for p in places)}"
            )
        _check_beside(found)
        require_platform(found, sources.platform, str(found))
    except OSError as exc:
        raise ProviderError(f"{exc.filename}: {exc.strerror}") from exc
    if not os.access(found, os.X_OK):
        raise ProviderError(f"{found} is not executable", hint=f"chmod +x {found}")
    return found


def require_platform(program: Path, platform: Platform, shown: str) -> None:
    """Raise ProviderError when a program is one of another processor: a flat directory cannot say whose it holds.

    Only what says so itself is refused. Source: elf(5), e_machine.
    """
    with program.open("rb") as file:
        head = file.read(20)
    arch = _PROCESSORS.get(head[18:20], "") if head.startswith(b"\x7fELF") else ""
    if arch and arch != platform.arch:
        raise ProviderError(f"{shown} is for {arch}, not for {platform}", hint=f"put it into bin/{platform}/ there")


def _check_beside(found: Path) -> None:
    beside = found.with_name(f"{found.name}.sha256")
    if not beside.is_file():
        return
    with found.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    expected = published_sum(beside.read_text(encoding="utf-8", errors="replace"), found.name)
    if actual != expected:
        raise WrongChecksum(f"{found} has the SHA-256 {actual}, {beside.name} says {expected}")
