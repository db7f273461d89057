"""One address for several control planes: haproxy on a machine of the job, which hands connections on as they are.

TLS is between clients and API servers. A control plane is asked ``/readyz``, as only that tells one that lost etcd or is
about to end; connections without a request would besides fill its log with broken handshakes. Its certificate is not
verified: the cluster's authority comes to be only behind this address, and who lies to the check wins nothing, since every
client verifies for itself. 401 is the answer of one that takes no anonymous requests: it is there, more cannot be known.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.hosts.marker import Marker
from providers.kubeadm.plan import API_PORT, host_port
from providers.kubeadm.site import Site, member
from upload.errors import StepError

WHAT = "Endpoint of the control planes"
PORT = 8443  # the API server itself has 6443, on all addresses of its machine
PROGRAM = "haproxy"  # and the package that it comes with
UNIT = "federated-e2e-endpoint"
UNIT_FILE = f"/etc/systemd/system/{UNIT}.service"
CONFIG = "/etc/federated-e2e/haproxy.cfg"
_IN_USE = f"/run/{UNIT}/haproxy.cfg"  # a copy: what haproxy was started or reloaded with
_LOG_LINES = 15


def serve(site: Site) -> None:
    """Serve the endpoint of the cluster on its first machine, unless it has one. Those that are still to join are asked, too."""
    if site.plan.balanced:
        members = (member(marker.node) for marker in site.control_planes)
        serve_endpoint(site.first, {m.name: host_port(m.address, API_PORT) for m in members})


def widen(site: Site) -> None:
    """Have every control plane, now that all have joined, stand behind the address that the maker of machines gave."""
    if site.widen:
        site.widen([marker.node.name for marker in site.control_planes])


def serve_endpoint(marker: Marker, servers: Mapping[str, str], *, port: int = PORT) -> None:
    """Serve control planes at a port of a machine. Called again with others, it goes over to them; connections stay.

    A haproxy that is somebody's stays as it is: this one has a unit and a configuration of its own.
    ``servers``: name of a control plane → ``address:port`` of its API server, an IPv6 address in brackets.
    Raises: StepError, with the way around where haproxy cannot be installed, or the end of its log.
    """
    program = _program(marker)
    marker.update_file(CONFIG, config(servers, port=port).encode())
    marker.command(WHAT, program, "-c", "-q", "-f", CONFIG)
    marker.update_file(UNIT_FILE, unit_text(program).encode())
    try:
        marker.enable_unit(UNIT)
    except StepError as exc:
        argv = ("journalctl", "--no-pager", "--output", "cat", "--lines", str(_LOG_LINES), "--unit", UNIT)
        log = marker.command(WHAT, *argv)
        said = next((line for line in log.splitlines() if "[ALERT]" in line), str(exc))
        raise StepError(WHAT, said.strip(), node=marker.node.name, output_tail=log) from exc
    marker.command(WHAT, "sh", "-c", f"cmp -s {CONFIG} {_IN_USE} || systemctl reload {UNIT}")


def config(servers: Mapping[str, str], *, port: int) -> str:
    """Return haproxy's configuration, which 2.4 and later read. Source: its configuration manual, sections 3 to 5."""
    bind = f":::{port} v4v6" if any(address.startswith("[") for address in servers.values()) else f"*:{port}"
    lines = [f"    server {name} {address}" for name, address in servers.items()]
    return "\n".join([_CONFIG.format(bind=bind), *lines, ""])


def unit_text(program: str) -> str:
    """Return the unit that runs haproxy, as nobody in particular. ``-Ws`` tells systemd when it listens."""
    return f"""[Unit]
Description=One address for all control planes, by federated-e2e
Wants=network-online.target
After=network-online.target
Before=kubelet.service

[Service]
Type=notify
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
RuntimeDirectory={UNIT}
ExecStartPre=cp {CONFIG} {_IN_USE}
ExecStart={program} -Ws -f {_IN_USE}
ExecReload={program} -c -q -f {CONFIG}
ExecReload=cp {CONFIG} {_IN_USE}
ExecReload=kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


# The log is of the backend alone: who comes and goes is told, not each connection. A client that is silent for long is
# watching or follows a log. Connections to one that is lost are ended, for clients would wait for it.
_CONFIG = """\
# By federated-e2e, which takes it back when its run ends.
global
    log stdout format short daemon
    hard-stop-after 5m

defaults
    mode tcp
    option redispatch 1
    timeout connect 5s
    timeout check 10s
    timeout client 30s
    timeout server 30s
    timeout tunnel 4h

frontend api
    bind {bind}
    default_backend control-planes

backend control-planes
    log global
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr host kubernetes
    http-check expect status 200,401
    default-server check check-ssl verify none inter 3s fastinter 1s downinter 1s fall 3 rise 1 on-marked-down shutdown-sessions"""


def _program(marker: Marker) -> str:
    """Return the path of haproxy, installed from the machine's own packages where it is missing."""
    where = ("sh", "-c", f"command -v {PROGRAM} || true")
    if not marker.command(WHAT, *where).strip():
        try:
            marker.install_packages([PROGRAM])
        except StepError as exc:
            raise StepError(
                WHAT,
                f"{PROGRAM} cannot be installed: {exc}",
                node=marker.node.name,
                output_tail=exc.output_tail,
                hint="set provider.control_plane_endpoint to a balancer of yours, or install haproxy on the machine",
            ) from exc
    return marker.command(WHAT, *where).strip()
