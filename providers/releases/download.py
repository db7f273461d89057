"""Download a file of a release, verify it against its published SHA-256, take programs out of it."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj

from providers.fanout import Limit
from providers.releases.layouts import Asset
from providers.releases.sources import Progress, without_password
from providers.releases.wire import Wire
from upload.errors import ProviderError

LARGEST_BYTES = 1 << 30


class WrongChecksum(ProviderError):
    """What came is not what was published. No other source is tried: somebody should look."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """How to fetch: over which wire, until when, whom to tell. ``program``: what it is called there."""

    program: str
    wire: Wire
    limit: Limit
    tell: Callable[[Progress], None]


def fetch(assets: Mapping[str, Asset], expected: str, into: Path, how: Fetch) -> dict[str, Path]:
    """Return programs in the folder ``into``. ``assets``: program → where it is, all of one file, verified by ``expected``.

    A cut or a stall is tried again. Raises: WrongChecksum, other ProviderErrors, DeadlineExceeded, OSError of the disk.
    """
    asset = next(iter(assets.values()))
    whole = into / f"{asset.listed}.download"
    found = how.wire.patiently(lambda: _stream(asset.url, whole, how), how.limit.deadline)
    if found != expected:
        whole.unlink()
        raise WrongChecksum(
            f"{without_password(asset.url)} is not what was published: its SHA-256 is {found}, published is {expected}",
            hint="run it again; if it stays, tell whoever runs that server",
        )
    programs = {name: into / name for name in assets}
    for name, program in programs.items():
        if assets[name].member:
            _extract(whole, assets[name], program)
        else:
            whole.rename(program)
    whole.unlink(missing_ok=True)
    return programs


def _stream(url: str, whole: Path, how: Fetch) -> str:
    """Write what lies at ``url`` to a file and return its SHA-256."""
    told = hashlib.sha256()
    done = 0
    with how.wire.open(url, how.limit.deadline) as (total, blocks), whole.open("wb") as file:
        for block in blocks:
            how.limit.check()
            told.update(block)
            file.write(block)
            done += len(block)
            if done > LARGEST_BYTES:
                raise ProviderError(f"{without_password(url)}: more than {LARGEST_BYTES} bytes")
            how.tell(Progress(how.program, done, max(total, done), "bytes"))
    return told.hexdigest()


def _extract(archive: Path, asset: Asset, program: Path) -> None:
    unpack = _unzip if asset.url.endswith(".zip") else _untar
    try:
        unpack(archive, asset.member, program)
    except (KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile) as exc:
        raise ProviderError(f"{without_password(asset.url)}: {asset.member} cannot be taken out of it: {exc}") from exc


def _unzip(archive: Path, member: str, program: Path) -> None:
    with zipfile.ZipFile(archive) as opened, opened.open(member) as found, program.open("wb") as file:
        copyfileobj(found, file, 1 << 20)


def _untar(archive: Path, member: str, program: Path) -> None:
    with tarfile.open(archive, "r:gz") as opened:
        found = opened.extractfile(member)
        if found is None:
            raise KeyError(f"{member} is no file")
        with program.open("wb") as file:
            copyfileobj(found, file, 1 << 20)
