# Prints what preflight wants to know of a machine, in one round trip: "== NAME", then the lines, each after a space.
# Reads only. POSIX sh with coreutils, as every Debian and Ubuntu has them.

say() {
    echo "== $1"
    shift
    "$@" 2>/dev/null | sed 's/^/ /'
}

entries() { # what lies in a folder, by full name; an empty folder is no trace of anything
    for folder in "$@"; do
        [ -d "$folder" ] && find -H "$folder" -mindepth 1 -maxdepth 1 | sort | head -n 20
    done
    true
}

has() { # MODULE
    [ -d "/sys/module/$1" ] || grep -qw "$1" /proc/filesystems /proc/modules && return
    case $1 in # one built in, where a container's /sys hides it
        br_netfilter) [ -e /proc/sys/net/bridge ] ;;
        nf_conntrack) [ -e /proc/sys/net/netfilter ] ;;
        vxlan) grep -qw vxlan_setup /proc/kallsyms ;;
        *) false ;;
    esac
}

modules() {
    for module in overlay br_netfilter vxlan nf_conntrack; do
        if has "$module"; then
            echo "$module loaded"
        elif modprobe -n -q "$module"; then
            echo "$module loadable"
        else
            echo "$module missing"
        fi
    done
}

sysctls() {
    for key in net/ipv4/ip_forward vm/overcommit_memory kernel/panic fs/inotify/max_user_instances; do
        [ -w "/proc/sys/$key" ] && state=writable || state=fixed
        echo "$key $state $(cat "/proc/sys/$key")"
    done
}

programs() {
    for program in apt-get dpkg systemctl ip ss modprobe; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

drop_ins() { # what else than its unit says how a kubelet is started
    for folder in /etc /run /usr/local/lib /usr/lib; do
        entries "$folder/systemd/system/kubelet.service.d"
    done
}

say clock date +%s.%N
say os cat /etc/os-release
say kernel uname -sr
say architecture uname -m
say init cat /proc/1/comm
say hostname cat /proc/sys/kernel/hostname
say machine-id cat /etc/machine-id
say cores nproc
say memory cat /proc/meminfo
say swaps cat /proc/swaps
say disk df -Pk /var/lib
say modules modules
say sysctls sysctls
say missing programs
say audit dpkg --audit
say ports ss -Hltnp
say datagrams ss -Hlun
say drop-ins drop_ins
say kubernetes entries /etc/kubernetes /var/lib/kubelet /var/lib/etcd /var/lib/rancher /var/snap/microk8s
say cni entries /etc/cni/net.d
say links ls /sys/class/net
say owner cat /var/lib/federated-e2e/owner.json
echo "== end"
