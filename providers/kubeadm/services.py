"""Waits until every machine reaches the API server through its Service, which kube-proxy brings about.

Before pods get a network: CoreDNS that starts earlier waits half a minute for an answer to its first question.
"""

from __future__ import annotations

import ipaddress

from providers.hosts.marker import Marker
from providers.kubeadm.site import Site

WHAT = "Service network"
PORT = 443
# bash is on every Debian and Ubuntu; a packet that nobody took is not sent again in time
_ANSWERS = """until timeout 1 bash -c ": < /dev/tcp/$1/$2" 2>/dev/null; do sleep 0.2; done"""


def wait(site: Site) -> None:
    """Return when the first address of the services answers on every machine. Raises: DeadlineExceeded."""
    address = str(ipaddress.ip_network(site.plan.service_cidr)[1])

    def on(marker: Marker) -> None:
        site.run(marker, WHAT, "sh", "-c", _ANSWERS, "answers", address, str(PORT))

    site.each(on, WHAT)
