"""What makes one host differ from the next: a tar that is laid over the image at its first boot."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from ipaddress import IPv4Address

ADMIN_ID = 1000  # of the user admin in the image


@dataclass(frozen=True, slots=True)
class Seed:
    """Facts of one host. ``authorized``: the public key that may log in; ``host_key``: the host's private key."""

    host: str
    address: IPv4Address
    prefix_length: int
    gateway: IPv4Address
    authorized: str
    host_key: bytes

    def tar(self) -> bytes:
        """Return an uncompressed tar: files with owners and modes, and the folders that need a mode of their own."""
        login = f"{self.authorized}\n".encode()
        hosts = f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{self.address} {self.host}\n"
        address = f"LAB_ADDRESS={self.address}/{self.prefix_length}\nLAB_GATEWAY={self.gateway}\n"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            _add(tar, "etc/hostname", f"{self.host}\n".encode())
            _add(tar, "etc/hosts", hosts.encode())
            _add(
                tar, "etc/resolv.conf", f"nameserver {self.gateway}\n".encode()
            )  # CoreDNS forwards to it; it need not answer
            _add(tar, "etc/lab/address", address.encode())
            _add(tar, "etc/ssh/ssh_host_ed25519_key", self.host_key, mode=0o600)
            for home, owner in (("root", 0), ("home/admin", ADMIN_ID)):
                _add(tar, f"{home}/.ssh", None, mode=0o700, owner=owner)
                _add(tar, f"{home}/.ssh/authorized_keys", login, mode=0o600, owner=owner)
        return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes | None, *, mode: int = 0o644, owner: int = 0) -> None:
    """Add a file, or a folder where there is no content."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    member.mode, member.uid, member.gid = mode, owner, owner
    member.size = len(content or b"")
    tar.addfile(member, io.BytesIO(content or b""))
