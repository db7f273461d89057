# ---- folders and files

make_folders() { # the folder of a path, and those above it
    set -- "$(dirname "$1")"
    [ -d "$1" ] && return
    make_folders "$1"
    record folder "$1" ""
    mkdir -m 755 "$1"
}

undo_folder() {
    [ ! -d "$1" ] || rmdir --ignore-fail-on-non-empty -- "$1"
}

change_file() { # PATH: what is there now is kept; who asks puts the new content
    recorded file "$1" && return
    if [ -e "$1" ] || [ -L "$1" ]; then
        [ ! -d "$1" ] || fail "$1 is a folder"
        former=$(keep "$1")
        record file "$1" "$former"
    else
        make_folders "$1"
        record file "$1" ""
    fi
}

undo_file() {
    if [ -z "$2" ]; then
        rm -f -- "$1"
    elif [ -e "$home/$2/file" ] || [ -L "$home/$2/file" ]; then # else a call that was cut put it back
        mkdir -p -- "$(dirname "$1")"
        mv -fT -- "$home/$2/file" "$1"
    fi
    case $1 in /etc/systemd/* | /lib/systemd/* | /usr/lib/systemd/*) systemctl daemon-reload ;; esac
}

change_tree() { # PATH ["kept"]: what comes below it goes with us; what is there already is kept where asked for, else refused
    path=$(readlink -m -- "$1")
    recorded tree "$path" && return
    if [ ! -e "$path" ]; then
        make_folders "$path"
        record tree "$path" ""
        [ ! -L "$1" ] || mkdir -m 755 "$path" # nobody makes a folder through a link
    elif [ ! -d "$path" ]; then
        fail "$path is there already and is no folder" 98
    elif [ -z "$(ls -A "$path")" ]; then
        record tree "$path" empty
    elif [ "${2-}" = kept ]; then
        former=$(keep "$path")
        record tree "$path" "$former"
    else
        fail "$path is there already and is not ours" 98
    fi
}

undo_tree() {
    if [ -d "$1" ]; then
        unmount_below "$1"
        find "$1" -xdev -mindepth 1 -delete
    fi
    case $2 in
        '') [ ! -d "$1" ] || rmdir -- "$1" ;;
        former.*) cp -a -T -- "$home/$2/file" "$1" ;; # the copy stays until the line is dropped: this may be cut
    esac
}

is_mounted() {
    awk -v p="$1" '$2 == p { f = 1 } END { exit !f }' /proc/self/mounts
}

unmount_below() { # PATH, without itself
    awk -v p="$1/" 'index($2, p) == 1 { print $2 }' /proc/self/mounts | tac | while read -r target; do
        target=$(printf '%b' "$target")
        umount -- "$target" 2>/dev/null || umount -l -- "$target"
    done
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

undo_mount() {
    is_mounted "$1" || return 0
    unmount_below "$1"
    umount -- "$1"
}

# ---- network

change_link() { # NAME: who asks makes it
    recorded link "$1" && return
    [ ! -e "/sys/class/net/$1" ] || fail "the link $1 is there already and is not ours" 98
    record link "$1" ""
}

undo_link() {
    [ ! -e "/sys/class/net/$1" ] || ip link del "$1"
}

links_like() { # PATTERN, extended: their names
    find /sys/class/net -mindepth 1 -printf '%f\n' | grep -Ex "$1" || true
}

change_links() { # PATTERN: programs that we do not know make some of such names
    recorded links "$1" && return
    there=$(links_like "$1" | tr '\n' ' ')
    [ -z "$there" ] || fail "links are there already and are not ours: $there" 98
    record links "$1" ""
}

undo_links() { # one may go with another, such as the other end of a wire
    for name in $(links_like "$1"); do
        ip link del "$name" 2>/dev/null || [ ! -e "/sys/class/net/$name" ] || fail "the link $name does not go"
    done
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

undo_route() {
    [ -z "$(route_to "$1")" ] || ip route del "$1"
}

change_chain() { # TABLE NAME: who asks makes it, and reaches it from others
    recorded chain "$1 $2" && return
    for tables in iptables ip6tables; do
        ! $tables -w -t "$1" -n -L "$2" >/dev/null 2>&1 || fail "the chain $2 is there already and is not ours" 98
    done
    record chain "$1 $2" ""
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

# ---- units of systemd

unit_was() { # NAME: what it is now, "enabled", "active" or both
    for state in enabled active; do
        ! systemctl "is-$state" --quiet "$1" 2>/dev/null || echo "$state"
    done | tr '\n' ' '
}

change_unit() { # NAME
    if ! recorded unit "$1"; then
        was=$(unit_was "$1")
        [ "$was" = "enabled active " ] || record unit "$1" "$was"
    fi
    systemctl enable --quiet --now "$1"
}

undo_unit() {
    systemctl cat "$1" >/dev/null 2>&1 || return 0
    case $2 in *enabled*) ;; *) systemctl disable --quiet "$1" ;; esac
    case $2 in *active*) ;; *) systemctl stop "$1" ;; esac
}

change_restart() { # UNIT: who asks restarts it now
    recorded restart "$1" || record restart "$1" ""
}

undo_restart() {
    systemctl try-restart "$1"
}

# ---- the kernel

sysctl_file() {
    echo "/proc/sys/$(echo "$1" | tr . /)"
}

change_sysctls() { # NAMES…: somebody will set them; those that this kernel lacks are left out
    for name in "$@"; do
        key=$(sysctl_file "$name")
        [ -e "$key" ] || continue
        recorded sysctl "$name" || record sysctl "$name" "$(tr '\t' ' ' < "$key")"
    done
}

change_sysctl() { # NAME VALUE
    key=$(sysctl_file "$1")
    [ -e "$key" ] || fail "there is no sysctl $1"
    change_sysctls "$1"
    echo "$2" > "$key"
}

undo_sysctl() { # one may be fixed: it did not change then
    key=$(sysctl_file "$1")
    [ ! -e "$key" ] || [ "$(tr '\t' ' ' < "$key")" = "$2" ] || echo "$2" > "$key"
}

change_module() { # NAME
    [ -d "/sys/module/$1" ] && return
    recorded module "$1" || record module "$1" ""
    modprobe "$1"
}

undo_module() {
    modprobe -r -q "$1" || true # somebody uses it by now
}

