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
_ANSWERS = """end=$(($(date +%s) + $3))
until timeout 1 bash -c ": < /dev/tcp/$1/$2" 2>/dev/null; do
    [ "$(date +%s)" -lt "$end" ] || break
    sleep 0.2
done
[ "$(date +%s)" -lt "$end" ] || {
    tail -qn 15 /var/log/pods/kube-system_kube-proxy-*/kube-proxy/*.log >&2 2>/dev/null || true
    echo "the API server does not answer at $1:$2, where kube-proxy has it served" >&2
    exit 1
}"""
ANSWER_S = 300  # a machine may have to pull the image of kube-proxy first


def wait(site: Site) -> None:
    """Return when the first address of the services answers on every machine.

    Raises: StepError with the end of kube-proxy's log on that machine.
    """
    address = str(ipaddress.ip_network(site.plan.service_cidr)[1])

    def on(marker: Marker) -> None:
        site.run(marker, WHAT, "sh", "-c", _ANSWERS, "answers", address, str(PORT), str(ANSWER_S))

    site.each(on, WHAT)
