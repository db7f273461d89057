# ---- pods

pods_rules='KUBE-\|CNI-'

change_pods() { # whatever kubelet, CNI plugins and kube-proxy make from here on
    recorded pods k8s.io && return
    [ -z "$(pods_ids containers)$(pods_ids images)" ] || fail "containerd has containers or images of somebody's Kubernetes" 98
    for save in iptables-save ip6tables-save; do
        ! $save 2>/dev/null | grep -q "$pods_rules" || fail "there are packet rules of somebody's Kubernetes" 98
    done
    record pods k8s.io "$([ ! -d /run/netns ] || echo netns)"
}

pods_ids() { # tasks, containers or images
    [ -S /run/containerd/containerd.sock ] || return 0
    ctr -n k8s.io "$1" list -q
}

clear_pods() { # KIND WORDS…: of ctr; containerd itself removes some of them beside us
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ids=$(pods_ids "$1")
        [ -n "$ids" ] || return 0
        for id in $ids; do said=$(ctr -n k8s.io "$@" "$id" 2>&1) || true; done
        [ -z "$(pods_ids "$1")" ] || sleep 1
    done
    fail "containerd keeps $1: $said"
}

end_shims() { # the processes that held pods: a race with containerd leaves one now and then
    for cmdline in $(grep -lsz '^k8s\.io$' /proc/[0-9]*/cmdline); do
        case $(tr '\0' ' ' < "$cmdline" 2>/dev/null) in
            *containerd-shim*' -namespace k8s.io '*) pid=${cmdline#/proc/} && kill -s KILL "${pid%/cmdline}" ;;
        esac
    done
}

undo_pods() { # "k8s.io" FORMER: whether there was a folder of network namespaces
    if systemctl is-enabled --quiet containerd 2>/dev/null; then # one that stopped left its pods running
        systemctl start containerd
    fi
    clear_pods tasks rm -f
    end_shims
    clear_pods containers rm
    clear_pods images rm --sync
    [ ! -S /run/containerd/containerd.sock ] || ctr namespaces rm k8s.io >/dev/null 2>&1 || true # made again when needed
    for name in $(ip netns list | sed -n 's/^\(cni-[^ ]*\).*/\1/p'); do
        # the kernel takes a network apart some time after its name is gone, and our end of its wires with it
        for wire in $(ip -n "$name" -o link show type veth | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
            ip -n "$name" link del "$wire"
        done
        ip netns del "$name"
    done
    if [ -z "$2" ] && [ -d /run/netns ] && [ -z "$(ls -A /run/netns)" ]; then
        while is_mounted /run/netns; do umount /run/netns; done
        rmdir /run/netns
    fi
    for family in iptables ip6tables; do
        if $family-save 2>/dev/null | grep -q "$pods_rules"; then
            $family-save | grep -v "$pods_rules" | $family-restore -w
        fi
    done
    command -v nft >/dev/null || return 0
    nft list tables | sed -n 's/^table \(.* kube-proxy\)$/\1/p' | while read -r family name; do
        nft delete table "$family" "$name"
    done
}

