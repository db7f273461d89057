"""Makes the first control plane, and fetches the kubeconfig through which all that follows is done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from providers._kubeconfig import keep_secrets
from providers._private import write_private
from providers._usable import unready, wait_until
from providers.hosts.marker import Marker
from providers.kubeadm.documents import init_documents
from providers.kubeadm.plan import CRI_SOCKET
from providers.kubeadm.programs import BIN
from providers.kubeadm.site import Site, member
from upload.errors import NodeUnreachable, ProviderError, StepError

WHAT = "kubeadm init"
ADMIN = "/etc/kubernetes/admin.conf"
# on a control plane; what it caches goes with the cluster
KUBECTL = (f"{BIN}/kubectl", "--kubeconfig", ADMIN, "--cache-dir", "/etc/kubernetes/.kubectl")
KUBELET_LINES = 15
REACH_S = 60.0
# a kubeadm that was killed cannot go on: what it made is undone, and it is done anew. Its document comes on stdin,
# through a pipe, since /dev/stdin may be a socket, and is never on disk.
_ONCE = """set -eu
folder=/etc/kubernetes
[ ! -e "$folder/.e2e-done" ] || exit 0
[ ! -e "$folder/.e2e-begun" ] || $0 reset --force --cri-socket "$1" < /dev/null >&2
shift
mkdir -p "$folder"
touch "$folder/.e2e-begun"
cat | "$0" "$@" --config /dev/stdin >&2
touch "$folder/.e2e-done"
"""
_IS_DONE = "[ ! -e /etc/kubernetes/.e2e-done ] || echo done"


def init(site: Site) -> None:
    """Make the first control plane unless it is there. Raises: StepError that holds the kubelet's last lines."""
    site.each(lambda marker: marker.enable_unit("kubelet"), "starting kubelet")
    documents = init_documents(site.plan, member(site.first.node), site.bootstrap)
    once(site, site.first, WHAT, documents, "init", "--skip-token-print", "--skip-certificate-key-print")


def once(site: Site, marker: Marker, what: str, documents: str, *words: str) -> None:
    """Run kubeadm on a machine unless it was done there; undo first what a killed one left.

    Raises: StepError with the ends of kubeadm's output and of the kubelet's log.
    """
    with with_kubelet_log(site, marker, what):
        site.run(marker, what, "sh", "-c", _ONCE, f"{BIN}/kubeadm", CRI_SOCKET, *words, stdin=documents.encode())


@contextmanager
def with_kubelet_log(site: Site, marker: Marker, what: str) -> Iterator[None]:
    """Raise a StepError of a machine with the end of its kubelet's log added to the end of the output."""
    try:
        yield
    except StepError as error:
        log = kubelet_log(site, marker)
        raise StepError(
            what,
            str(error).removeprefix(f"{what} on {marker.node.name}: "),
            node=marker.node.name,
            output_tail=f"{error.output_tail}\n--- kubelet on {marker.node.name}:\n{log}",
        ) from error


def is_done(site: Site, marker: Marker) -> bool:
    """Say whether kubeadm ran to its end on a machine."""
    return site.run(marker, WHAT, "sh", "-c", _IS_DONE).strip() == "done"


def kubelet_log(site: Site, marker: Marker) -> str:
    """Return the last lines of the kubelet's log, or why there are none."""
    argv = ("journalctl", "--no-pager", "--output", "cat", "--lines", str(KUBELET_LINES), "--unit", "kubelet")
    try:
        return site.run(marker, "Read the kubelet's log", *argv)
    except (StepError, NodeUnreachable) as error:
        return str(error)


def fetch_kubeconfig(site: Site) -> None:
    """Write the administrator's kubeconfig into the run's private folder; it names the address that we reach.

    Raises: StepError where nothing answers there: a jump host is for SSH only.
    """
    text = site.run(site.first, "Fetch the kubeconfig", "cat", ADMIN)
    try:
        document = yaml.safe_load(text)
        document["clusters"][0]["cluster"]["server"] = f"https://{site.server}"
    except (yaml.YAMLError, LookupError, TypeError) as exc:
        raise ProviderError(f"{ADMIN} on {site.first.node.name} is no kubeconfig") from exc
    write_private(site.kubeconfig, document)
    keep_secrets(site.kubeconfig, site.ctx.keep_secret)
    bounded = site.ctx.deadline.at_most(REACH_S, "reaching the API server")
    with site.api() as api:
        try:
            wait_until("Kubeconfig", lambda: unready(api), bounded)
        except StepError as error:
            what = f"the API server cannot be reached from here at {site.server}, which all that follows needs: {error}"
            raise StepError("Kubeconfig", what, hint=f"curl --insecure https://{site.server}/readyz") from error


def ca_hash(kubeconfig: dict[str, Any]) -> str:
    """Return ``sha256:`` and the digest of the authority's public key, by which a joining machine knows the cluster.

    Source: kubeadm, pkg/util/pubkeypin.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = base64.b64decode(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"])
    public = x509.load_pem_x509_certificate(pem).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"
