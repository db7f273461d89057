# Prints what a machine knows about a run, state first, then logs. Called as: sh -s -- RUN FILE_BYTES NODE_BYTES FILES
# Reads only. POSIX sh with coreutils, findutils and gzip, as every Debian and Ubuntu has them; the rest may be missing.
# A part is "== NAME", its last FILE_BYTES bytes with a blank before each line, a newline, "== end CODE BYTES": NAME in
# base64, CODE of the command or "skipped", BYTES the whole had; at the end "== more COUNT" of files beyond FILES.
# No link is followed to a file: a pod that may write to /var/log must not choose what we read.
set -eu
export LC_ALL=C
home=/var/lib/federated-e2e
run=$1
file_bytes=$2
left=$3
files_left=$4
more=0
state_s=20
log_s=90
margin_s=3600 # a machine made for the run boots before it is taken
soh=$(printf '\001')
exec 5>&1

begin() { # NAME
    files_left=$((files_left - 1))
    printf '== %s\n' "$(printf %s "$1" | base64 -w 0)"
}

skip() { # NAME BYTES
    begin "$1"
    printf '\n== end skipped %s\n' "$2"
}

part() { # NAME SECONDS COMMAND…: what it says, however long that is
    begin "$1"
    seconds=$2
    shift 2
    keep=$file_bytes
    [ "$keep" -le "$left" ] || keep=$left
    said=$({ { { timeout -k 2 "$seconds" "$@" 2>&1 || echo "code $?" >&3; } | tee /dev/fd/4 | wc -c >&3; } 4>&1 |
        tail -c "$keep" | sed 's/^/ /' >&5; } 3>&1)
    code=0
    case $said in
        'code '*)
            code=${said#code }
            code=${code%%[!0-9]*}
            ;;
    esac
    total=${said##*[!0-9]}
    end "$code" "$total"
}

end() { # CODE BYTES
    printf '\n== end %s %s\n' "$1" "$2"
    [ "$keep" -le "$2" ] || keep=$2
    left=$((left - keep))
}

plain() { # NAME SIZE PATH
    begin "$1"
    keep=$file_bytes
    [ "$keep" -le "$left" ] || keep=$left
    skipped=0
    [ "$2" -le "$keep" ] || skipped=$(($2 - keep))
    code=$({ { timeout -k 2 "$log_s" dd "if=$3" iflag=nofollow,nonblock,fullblock,skip_bytes,count_bytes bs=64k \
        "skip=$skipped" "count=$keep" status=none 2>&1 || echo "$?" >&3; } | sed 's/^/ /' >&5; } 3>&1)
    end "${code:-0}" "$2"
}

# what is rotated is unpacked here, so that everything is looked through for secrets
packed='dd "if=$1" iflag=nofollow,nonblock bs=64k status=none | gzip -dc'

found() { # NAME-PREFIX: "TIME SIZE PATH" lines on stdin, their newlines as \001
    while IFS= read -r line; do
        size=${line#* }
        path=${size#* }
        size=${size%% *}
        case $path in *"$soh"*)
            path=$(printf %s "$path" | tr '\001' '\n'; echo x)
            path=${path%x}
            ;;
        esac
        name=${path#"$1"}
        if [ "$files_left" -le 0 ]; then
            more=$((more + 1))
        elif [ "$left" -le 0 ]; then
            skip "$name" "$size"
        else
            case $name in
                *.gz) part "${name%.gz}" "$log_s" sh -c "$packed" sh "$path" < /dev/null ;;
                *) plain "$name" "$size" "$path" < /dev/null ;;
            esac
        fi
    done
}

look() { # NAME-PREFIX FIND-ARGS…: regular files written since the run took the machine, the newest first
    prefix=$1
    shift
    list=$(find "$@" -type f -newermt "@$since" -printf '%T@ %s %p\0' 2>/dev/null |
        tr '\0\n' '\n\001' | sort -rn) || true
    [ -n "$list" ] || return 0
    found "$prefix" <<END
$list
END
}

journal() { # NAME MATCHES…
    name=$1
    shift
    part "$name" "$log_s" journalctl --since "@$since" -o short-iso-precise --utc --no-hostname --no-pager "$@"
}

several='for line; do printf "\$ %s\n" "$line"; $line || echo "(it ended with code $?)"; echo; done'

state() { # NAME COMMAND-LINES…
    name=$1
    shift
    part "$name" "$state_s" sh -c "$several" sh "$@"
}

containers() {
    if command -v crictl >/dev/null; then # inspect and info would tell secrets
        state containers.txt 'crictl pods' 'crictl ps -a' 'crictl images'
    elif command -v ctr >/dev/null && [ -S /run/containerd/containerd.sock ]; then
        ctr='ctr --connect-timeout 5s -n k8s.io'
        state containers.txt "$ctr containers ls" "$ctr tasks ls" "$ctr images ls"
    else
        state containers.txt 'echo there is no container runtime'
    fi
}

machine() {
    for name in owner.json changes; do
        [ ! -f "$home/$name" ] || plain "$name" "$(stat -c %s "$home/$name")" "$home/$name"
    done
    state machine.txt 'uname -a' 'cat /etc/os-release' 'date -u' uptime
    state memory.txt 'cat /proc/meminfo' 'grep -r . /proc/pressure'
    state disk.txt 'df -lkT' 'df -li' 'cat /proc/mounts'
    state units.txt 'systemctl --no-pager --failed' 'systemctl --no-pager list-jobs' \
        'systemctl --no-pager show -p Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ActiveEnterTimestamp,InactiveEnterTimestamp kubelet containerd'
    state network.txt 'ip -d address' 'ip rule' 'ip route show table all' 'ip neighbour' 'bridge fdb' 'ss -Htulnp' \
        'cat /etc/resolv.conf' 'cat /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max'
    state packet-rules.txt iptables-save ip6tables-save 'nft list ruleset'
    # arguments may hold secrets: only those of programs that are given theirs in files
    state processes.txt 'ps -e -o pid,ppid,user,stat,nlwp,rss,etimes,times,wchan:20,comm --sort=-rss' \
        'ps -ww -o pid,args -C kubelet,containerd,kube-apiserver,kube-controller,kube-scheduler,kube-proxy,etcd,haproxy'
    state kubernetes-files.txt 'find /etc/kubernetes /etc/cni /opt/cni /var/lib/kubelet -maxdepth 2 -printf %M\t%u\t%s\t%p\n'
    containers
}

logs() {
    journal kubelet.log -u kubelet
    journal containerd.log -u containerd
    journal kernel.log _TRANSPORT=kernel
    part dmesg.log "$state_s" dmesg --time-format iso
    look /var/log/ /var/log -maxdepth 1 -name 'cloud-init*.log*'
    look /var/log/ /var/log/pods
    # without audit, auth (4) and authpriv (10): these write down whole command lines, as sudo does
    journal journal.log _TRANSPORT=kernel _TRANSPORT=driver _TRANSPORT=journal _TRANSPORT=stdout + \
        $(seq -f SYSLOG_FACILITY=%g 0 3) $(seq -f SYSLOG_FACILITY=%g 5 9) $(seq -f SYSLOG_FACILITY=%g 11 23)
    look /var/log/ /var/log -maxdepth 1 '(' -name 'syslog*' -o -name 'messages*' -o -name 'kern.log*' ')'
}

main() {
    holder=$(sed -n 's/^ "run": "\([^"]*\)",*$/\1/p' "$home/owner.json" 2>/dev/null) || true
    taken=$(sed -n 's/^ "claimed_s": \([0-9]\{1,12\}\),*$/\1/p' "$home/owner.json" 2>/dev/null) || true
    [ "$holder" = "$run" ] && [ "$taken" ] || { echo "the machine does not carry the mark of $run" >&2; exit 97; }
    since=$((taken - margin_s))
    machine
    logs
    printf '== more %s\n' "$more"
}

main < /dev/null
