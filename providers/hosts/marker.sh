# Changes a machine and remembers how to undo it. Called as: sh -s -- RUN VERB ARGS…; POSIX sh with coreutils and mawk.
# owner.json says whose the machine is; "changes" is the journal: KIND, SUBJECT, FORMER, separated by tabs, one a line,
# on disk before the change is made. Undoing goes through it from its end. No argument has a tab or a newline in it.
set -eu
umask 022
home=/var/lib/federated-e2e
mark=$home/owner.json
journal=$home/changes
run=$1
verb=$2
shift 2

fail() {
    echo "$1" >&2
    exit "${2:-1}"
}

holder() {
    sed -n 's/^ "run": "\([^"]*\)",*$/\1/p' "$mark" 2>/dev/null || true
}

own() {
    [ "$(holder)" = "$run" ] || fail "the machine does not carry the mark of $run" 97
}

# ---- the journal

recorded() { # KIND SUBJECT
    [ -e "$journal" ] && awk -F '\t' -v k="$1" -v s="$2" '$1 == k && $2 == s { f = 1 } END { exit !f }' "$journal"
}

record() { # KIND SUBJECT FORMER
    # a line without its end was never acted upon
    [ ! -s "$journal" ] || [ -z "$(tail -c 1 "$journal")" ] || drop_last
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >> "$journal"
    sync "$journal"
}

drop_last() {
    sed '$d' "$journal" > "$journal.new"
    sync "$journal.new"
    mv "$journal.new" "$journal"
}

# ---- whose it is

claim() { # MARK: exclusive, since link(2) does not replace
    [ -d "$home" ] || mkdir -m 700 "$home" 2>/dev/null || [ -d "$home" ]
    half=$(mktemp "$home/.owner.XXXXXX")
    printf '%s' "$1" > "$half"
    sync "$half"
    ln "$half" "$mark" 2>/dev/null || true
    rm -f "$half"
    cat "$mark"
}

renew() { # MARK
    own
    printf '%s' "$1" > "$mark.new"
    sync "$mark.new"
    mv "$mark.new" "$mark"
}

release() {
    own
    [ ! -s "$journal" ] || fail "what was changed is not undone yet"
    find "$home" -mindepth 1 ! -path "$mark" -delete
    rm "$mark"
    rmdir "$home"
}

settle() { # ends what earlier calls of this run left running: a command outlives the connection it came by
    for signal in TERM TERM TERM TERM TERM KILL KILL KILL; do
        left=
        for environ in $(grep -lszx "FEDERATED_E2E_RUN=$run" /proc/[0-9]*/environ); do
            grep -qszx "FEDERATED_E2E_SESSION=$FEDERATED_E2E_SESSION" "$environ" && continue
            [ -e "$environ" ] || continue
            pid=${environ#/proc/}
            left="$left ${pid%/environ}"
        done
        [ -n "$left" ] || return 0
        kill -s "$signal" $left 2>/dev/null || true
        sleep 1
    done
    fail "processes of an earlier call do not end:$left"
}

# ---- changes

make_folders() { # the folder of a path, and those above it
    set -- "$(dirname "$1")"
    [ -d "$1" ] && return
    make_folders "$1"
    record folder "$1" ""
    mkdir -m 755 "$1"
}

change_file() { # PATH: what is there now is kept; who asks puts the new content
    recorded file "$1" && return
    if [ -e "$1" ] || [ -L "$1" ]; then
        [ ! -d "$1" ] || fail "$1 is a folder"
        kept=$(mktemp -d "$home/former.XXXXXX")
        cp -a -T -- "$1" "$kept/file"
        sync -f "$kept/file" 2>/dev/null || sync
        record file "$1" "${kept##*/}"
    else
        make_folders "$1"
        record file "$1" ""
    fi
}

change_tree() { # PATH: what comes below it goes with us
    recorded tree "$1" && return
    if [ ! -e "$1" ]; then
        make_folders "$1"
        record tree "$1" ""
    elif [ -d "$1" ] && [ -z "$(ls -A "$1")" ]; then
        record tree "$1" empty
    else
        fail "$1 is there already and is not ours" 98
    fi
}

change_link() { # NAME: who asks makes it
    recorded link "$1" && return
    [ ! -e "/sys/class/net/$1" ] || fail "the link $1 is there already and is not ours" 98
    record link "$1" ""
}

route_to() { # DESTINATION: what there is; ip does not see by itself that it is of IPv6
    case $1 in *:*) ip -6 route show exact "$1" ;; *) ip -4 route show exact "$1" ;; esac
}

change_route() { # DESTINATIONS…: who asks lays them
    for destination in "$@"; do
        recorded route "$destination" && continue
        [ -z "$(route_to "$destination")" ] || fail "the route to $destination is there already and is not ours" 98
        record route "$destination" ""
    done
}

change_chain() { # TABLE NAME: who asks makes it, and reaches it from others
    recorded chain "$1 $2" && return
    for tables in iptables ip6tables; do
        ! $tables -w -t "$1" -n -L "$2" >/dev/null 2>&1 || fail "the chain $2 is there already and is not ours" 98
    done
    record chain "$1 $2" ""
}

change_mount() { # PATH ARGS…: of mount, before the path
    path=$1
    shift
    if ! recorded mount "$path"; then
        ! is_mounted "$path" || fail "$path is a mount already and is not ours" 98
        make_folders "$path/x"
        record mount "$path" ""
    fi
    is_mounted "$path" || mount "$@" "$path"
}

change_unit() { # NAME
    if ! recorded unit "$1" && ! systemctl is-enabled --quiet "$1"; then
        record unit "$1" ""
    fi
    systemctl enable --quiet --now "$1"
}

change_sysctl() { # NAME VALUE
    key=/proc/sys/$(echo "$1" | tr . /)
    [ -e "$key" ] || fail "there is no sysctl $1"
    recorded sysctl "$1" || record sysctl "$1" "$(tr '\t' ' ' < "$key")"
    echo "$2" > "$key"
}

change_module() { # NAME
    [ -d "/sys/module/$1" ] && return
    recorded module "$1" || record module "$1" ""
    modprobe "$1"
}

change_restart() { # UNIT: who asks restarts it now
    recorded restart "$1" || record restart "$1" ""
}

apt() {
    # NEEDRESTART_SUSPEND: services of others are not restarted on our behalf
    NEEDRESTART_SUSPEND=1 DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

refresh() { # somebody's update may hold the lists; apt waits for dpkg's lock only
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        said=$(apt update 2>&1) && return
        case $said in *'Could not get lock'*) sleep 5 ;; *) break ;; esac
    done
    fail "$said"
}

mend_packages() { # what was cut in the middle, by us or by others
    [ -z "$(dpkg --audit)" ] || dpkg --configure -a
}

change_packages() { # NAMES…
    mend_packages
    set -- --no-upgrade "$@"
    plan=$(apt --simulate install "$@") || { refresh && plan=$(apt --simulate install "$@"); }
    changed=$(echo "$plan" | awk '$1 == "Inst" && $3 ~ /^\[/ || $1 == "Remv" { print $2 }' | tr '\n' ' ')
    [ -z "$changed" ] || fail "it would change packages that are there: $changed" 98
    new=$(echo "$plan" | awk '$1 == "Inst" { print $2 }' | tr '\n' ' ')
    [ -n "$new" ] || return 0
    record packages "${new% }" ""
    apt install "$@" || { refresh && apt install "$@"; }
}

change_pods() { # whatever kubelet, CNI plugins and kube-proxy make from here on
    recorded pods k8s.io && return
    [ -z "$(pods_ids containers)$(pods_ids images)" ] || fail "containerd has containers or images of somebody's Kubernetes" 98
    for save in iptables-save ip6tables-save; do
        ! $save 2>/dev/null | grep -q "$pods_rules" || fail "there are packet rules of somebody's Kubernetes" 98
    done
    record pods k8s.io "$([ ! -d /run/netns ] || echo netns)"
}

# ---- pods

pods_rules='KUBE-\|CNI-'

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

# ---- undoing

is_mounted() {
    awk -v p="$1" '$2 == p { f = 1 } END { exit !f }' /proc/self/mounts
}

unmount_below() { # PATH, without itself
    awk -v p="$1/" 'index($2, p) == 1 { print $2 }' /proc/self/mounts | tac | while read -r target; do
        target=$(printf '%b' "$target")
        umount -- "$target" 2>/dev/null || umount -l -- "$target"
    done
}

undo_folder() {
    [ ! -d "$1" ] || rmdir --ignore-fail-on-non-empty -- "$1"
}

undo_file() {
    if [ -n "$2" ]; then
        # the copy stays until the line is dropped: this may be cut, and done again
        mkdir -p -- "$(dirname "$1")"
        cp -a -T --remove-destination -- "$home/$2/file" "$1.e2e-former"
        mv -fT -- "$1.e2e-former" "$1"
    else
        rm -f -- "$1"
    fi
    case $1 in /etc/systemd/* | /lib/systemd/* | /usr/lib/systemd/*) systemctl daemon-reload ;; esac
}

undo_tree() {
    [ -d "$1" ] || return 0
    unmount_below "$1"
    find "$1" -xdev -mindepth 1 -delete
    [ "$2" = empty ] || rmdir -- "$1"
}

undo_link() {
    [ ! -e "/sys/class/net/$1" ] || ip link del "$1"
}

undo_route() {
    [ -z "$(route_to "$1")" ] || ip route del "$1"
}

undo_chain() { # "TABLE NAME"
    table=${1% *}
    name=${1#* }
    for tables in iptables ip6tables; do
        $tables -w -t "$table" -n -L "$name" >/dev/null 2>&1 || continue
        $tables -w -t "$table" -S | grep -e "-j $name\$" | sed 's/^-A/-D/' | while read -r rule; do
            $tables -w -t "$table" $rule
        done
        $tables -w -t "$table" -F "$name"
        $tables -w -t "$table" -X "$name"
    done
}

undo_mount() {
    is_mounted "$1" || return 0
    unmount_below "$1"
    umount -- "$1"
}

undo_unit() {
    systemctl cat "$1" >/dev/null 2>&1 || return 0
    systemctl disable --quiet --now "$1"
}

undo_restart() {
    systemctl try-restart "$1"
}

undo_sysctl() {
    key=/proc/sys/$(echo "$1" | tr . /)
    [ ! -e "$key" ] || echo "$2" > "$key"
}

undo_module() {
    modprobe -r -q "$1" || true # somebody uses it by now
}

undo_packages() {
    mend_packages
    there=
    for name in $1; do
        case $(dpkg-query -W -f '${db:Status-Status}' -- "$name" 2>/dev/null) in
            '' | not-installed) ;;
            *) there="$there $name" ;;
        esac
    done
    [ -n "$there" ] || return 0
    for name in $(apt --simulate purge $there | awk '$1 == "Purg" || $1 == "Remv" { print $2 }'); do
        case " $1 " in *" $name "*) ;; *) fail "$name was installed by somebody and needs what we installed: $there" 98 ;; esac
    done
    apt purge $there
}

undo_last() { # undoes the last change and prints what is left
    [ -s "$journal" ] || return 0
    [ -z "$(tail -c 1 "$journal")" ] || { drop_last; return 0; }
    line=$(tail -n 1 "$journal")
    kind=$(echo "$line" | cut -f 1)
    subject=$(echo "$line" | cut -f 2)
    former=$(echo "$line" | cut -f 3)
    case $kind in
        folder | file | tree | link | route | chain | mount | unit | restart | sysctl | module | packages | pods) ;;
        *) fail "the journal has a change that is unknown here: $kind" ;;
    esac
    echo "$kind $subject" >&2
    "undo_$kind" "$subject" "$former"
    drop_last
    case $kind$former in filef*) rm -rf -- "${home:?}/${former:?}" ;; esac
}

undo() {
    own
    while [ -s "$journal" ]; do
        undo_last
    done
}

changes() {
    own
    [ ! -e "$journal" ] || cat "$journal"
}

case $verb in
    claim | renew | release | settle | undo | changes) "$verb" "$@" < /dev/null ;;
    *) own; "change_$verb" "$@" < /dev/null >&2 ;;
esac
