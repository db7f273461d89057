"""What haproxy reads is rendered whole."""

from __future__ import annotations

from providers.kubeadm.balancer import config, unit_text

CONFIG = """\
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
    bind *:8443
    default_backend control-planes

backend control-planes
    log global
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr host kubernetes
    http-check expect status 200,401
    default-server check check-ssl verify none inter 3s fastinter 1s downinter 1s fall 3 rise 1 on-marked-down shutdown-sessions
    server cp1 10.66.0.11:6443
    server cp2 10.66.0.12:6443
"""
UNIT = """\
[Unit]
Description=One address for all control planes, by federated-e2e
Wants=network-online.target
After=network-online.target
Before=kubelet.service

[Service]
Type=notify
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
RuntimeDirectory=federated-e2e-endpoint
ExecStartPre=cp /etc/federated-e2e/haproxy.cfg /run/federated-e2e-endpoint/haproxy.cfg
ExecStart=/usr/sbin/haproxy -Ws -f /run/federated-e2e-endpoint/haproxy.cfg
ExecReload=/usr/sbin/haproxy -c -q -f /etc/federated-e2e/haproxy.cfg
ExecReload=cp /etc/federated-e2e/haproxy.cfg /run/federated-e2e-endpoint/haproxy.cfg
ExecReload=kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


def test_every_control_plane_is_behind_the_one_address() -> None:
    assert config({"cp1": "10.66.0.11:6443", "cp2": "10.66.0.12:6443"}, port=8443) == CONFIG


def test_machines_of_ipv6_are_served_by_it() -> None:
    written = config({"cp1": "[fd00::11]:6443"}, port=443)

    assert "    bind :::443 v4v6\n" in written
    assert written.endswith("\n    server cp1 [fd00::11]:6443\n")


def test_haproxy_runs_beside_one_that_may_be_there() -> None:
    assert unit_text("/usr/sbin/haproxy") == UNIT
