"""The script that connects a node's pods is rendered whole."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from providers.kubeadm.pod_script import End, PodNetwork, script

TUNNELS = """\
#!/bin/sh
# Connects the pods of this node with those of others. By federated-e2e, which takes it back when its run ends.
set -eu
[ ! -e /proc/sys/net/ipv4/ip_forward ] || echo 1 > /proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
for='10.66.0.11 10.244.0.0'
if [ "$(cat /sys/class/net/e2e-pods/ifalias 2>/dev/null)" != "$for" ]; then
    ip link delete e2e-pods 2>/dev/null || true
    ip link add e2e-pods address 02:d1:a9:31:03:20 type vxlan id 3630 dstport 14789 local 10.66.0.11 nolearning
    ip link set e2e-pods alias "$for"
fi
ip -batch - <<'END'
link set e2e-pods mtu 1450 up
address replace 10.244.0.0/32 dev e2e-pods
neighbour replace 10.244.1.0 lladdr 02:07:72:36:9f:04 dev e2e-pods nud permanent
route replace 10.244.1.0/24 via 10.244.1.0 dev e2e-pods onlink proto 226
neighbour replace 10.244.2.0 lladdr 02:1c:98:17:53:7e dev e2e-pods nud permanent
route replace 10.244.2.0/24 via 10.244.2.0 dev e2e-pods onlink proto 226
END
bridge -batch - <<'END'
fdb replace 02:07:72:36:9f:04 dev e2e-pods dst 10.66.0.12 self permanent
fdb replace 02:1c:98:17:53:7e dev e2e-pods dst 10.66.0.13 self permanent
END
ip -4 route show proto 226 | while read -r cidr _; do
    case ' 10.244.1.0/24 10.244.2.0/24 ' in
        *" $cidr "*) ;;
        *) ip -4 route delete "$cidr" proto 226 ;;
    esac
done
iptables-restore -w --noflush <<'END'
*nat
:E2E-PODS - [0:0]
-A E2E-PODS -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
*filter
:E2E-PODS - [0:0]
-A E2E-PODS -s 10.244.0.0/16 -j ACCEPT
-A E2E-PODS -d 10.244.0.0/16 -j ACCEPT
COMMIT
END
iptables -w -t nat -C POSTROUTING -j E2E-PODS 2>/dev/null || iptables -w -t nat -A POSTROUTING -j E2E-PODS
iptables -w -t filter -C FORWARD -j E2E-PODS 2>/dev/null || iptables -w -t filter -A FORWARD -j E2E-PODS
"""
ROUTES = """\
#!/bin/sh
# Connects the pods of this node with those of others. By federated-e2e, which takes it back when its run ends.
set -eu
[ ! -e /proc/sys/net/ipv6/conf/all/forwarding ] || echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
[ ! -e /proc/sys/net/bridge/bridge-nf-call-ip6tables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
ip -batch - <<'END'
route replace fd00:10:1::/64 via fd00::12 proto 226
END
ip -6 route show proto 226 | while read -r cidr _; do
    case ' fd00:10:1::/64 ' in
        *" $cidr "*) ;;
        *) ip -6 route delete "$cidr" proto 226 ;;
    esac
done
ip6tables-restore -w --noflush <<'END'
*nat
:E2E-PODS - [0:0]
-A E2E-PODS -s fd00:10::/32 ! -d fd00:10::/32 -j MASQUERADE
COMMIT
*filter
:E2E-PODS - [0:0]
-A E2E-PODS -s fd00:10::/32 -j ACCEPT
-A E2E-PODS -d fd00:10::/32 -j ACCEPT
COMMIT
END
ip6tables -w -t nat -C POSTROUTING -j E2E-PODS 2>/dev/null || ip6tables -w -t nat -A POSTROUTING -j E2E-PODS
ip6tables -w -t filter -C FORWARD -j E2E-PODS 2>/dev/null || ip6tables -w -t filter -A FORWARD -j E2E-PODS
"""
TUNNELS_OF_IPV6 = """\
for='fd00::11 fd00:10::'
if [ "$(cat /sys/class/net/e2e-pods/ifalias 2>/dev/null)" != "$for" ]; then
    ip link delete e2e-pods 2>/dev/null || true
    ip link add e2e-pods address 02:7b:73:26:4f:aa type vxlan id 3630 dstport 14789 local fd00::11 nolearning
    ip link set e2e-pods alias "$for"
fi
ip -batch - <<'END'
link set e2e-pods mtu 1430 up
address replace fd00:10::/128 dev e2e-pods nodad
neighbour replace fd00:10:1:: lladdr 02:09:08:89:72:a3 dev e2e-pods nud permanent
route replace fd00:10:1::/64 via fd00:10:1:: dev e2e-pods onlink proto 226
END
bridge -batch - <<'END'
fdb replace 02:09:08:89:72:a3 dev e2e-pods dst fd00::12 self permanent
END
"""


def end(address: str, cidr: str) -> End:
    return End(ip_address(address), ip_network(cidr))


FOURS = [end(f"10.66.0.1{n + 1}", f"10.244.{n}.0/24") for n in range(3)]
SIXES = [end("fd00::11", "fd00:10::/64"), end("fd00::12", "fd00:10:1::/64")]


def test_tunnels_to_every_other_node() -> None:
    pods = PodNetwork("vxlan", ip_network("10.244.0.0/16"), 1450)

    assert script(pods, FOURS[0], FOURS[1:]) == TUNNELS


def test_routes_to_every_other_node() -> None:
    pods = PodNetwork("routes", ip_network("fd00:10::/32"), 1500)

    assert script(pods, SIXES[0], SIXES[1:]) == ROUTES


def test_tunnels_of_ipv6() -> None:
    pods = PodNetwork("vxlan", ip_network("fd00:10::/32"), 1430)

    assert TUNNELS_OF_IPV6 in script(pods, SIXES[0], SIXES[1:])


@pytest.mark.parametrize("network", ["vxlan", "routes"])
def test_a_node_alone_has_no_way_to_others(network: str) -> None:
    pods = PodNetwork(network, ip_network("10.244.0.0/16"), 1500)

    assert "route replace" not in script(pods, FOURS[0], [])


def test_every_node_works_out_the_same_hardware_address_and_no_two_have_one() -> None:
    made = {end(f"10.66.{n}.11", "10.244.0.0/24").hardware for n in range(200)}

    assert len(made) == 200
    assert {int(hardware[:2], 16) & 3 for hardware in made} == {2}, "local ones of one machine"
