# Prints what a host is like, sorted, one fact a line, for comparing it before a cluster and after it was taken back.
# Left out, and documented in docs/how-to/use-your-machines.md: logs, what containerd keeps for itself, caches of apt
# and systemd, and times.
set -u
say() {
    name=$1
    shift
    "$@" 2>/dev/null | sed "s/^/$name /"
}
packages() { dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n'; }
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/tmp \
        -o -path /var/lib/containerd -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/systemd \
        -o -path /var/lib/dpkg -o -path /root/.ssh \) -prune -o -printf '%y %m %u %p %l\n' | sort
}
contents() { find /etc /usr/local -xdev -type f -exec sha256sum {} + | sort -k 2; }
rules() { # not the empty tables that asking for rules makes
    for t in iptables ip6tables; do
        "$t-save" | sed -e '/^[#*]/d' -e '/^COMMIT/d' -e 's/ \[[0-9:]*\]//' -e '/^:[A-Z]* ACCEPT$/d' -e "s/^/$t /"
    done
}
tables() { nft list tables | grep -v -E ' (filter|nat|mangle|raw|security)$' | sort; } # the others are iptables's
links() { ip -o link | sed -e 's/^[0-9]*: //' -e 's/ mtu .*//' -e 's/@.*//' | sort; }
routes() { { ip route; ip rule; ip -6 route; ip -6 rule; } | sort; }
mounts() { cut -d ' ' -f 2,3 /proc/mounts | sort; }
processes() { ps -eo comm= | grep -v -e '^kworker' -e '^ps$' -e '^sort$' -e '^sh$' -e '^sed$' -e '^grep$' -e '^sshd' -e sftp -e '^(sd-pam)' | sort -u; }
units() { systemctl list-unit-files --no-legend --state enabled | sort; }
sysctls() { # of the network, which each host has its own of; others that a kubelet sets are the whole machine's
    sysctl -a --ignore | grep '^net\.' | grep -v -e '^net\.netfilter\.nf_conntrack_count'
}
chosen() { apt-mark showmanual; }
pods() { ctr namespaces ls -q; for what in containers images tasks snapshots; do ctr -n k8s.io $what ls; done; }
say package packages
say file files
say content contents
say rule rules
say link links
say route routes
say mount mounts
say process processes
say unit units
say sysctl sysctls
say chosen chosen
say nft tables
say pod pods
true
