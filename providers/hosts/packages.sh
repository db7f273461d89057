# ---- Debian packages

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

state_of() { # NAME: installed, config-files (removed, with its configuration left) and others; nothing for one never seen
    dpkg-query -W -f '${db:Status-Status}\n' -- "$1" 2>/dev/null | head -n 1
}

those() { # STATE NAMES…: of these, one a line
    state=$1
    shift
    for name in "$@"; do
        [ "$(state_of "$name")" != "$state" ] || echo "$name"
    done
}

change_packages() { # NAMES…
    mend_packages
    there=" $(those installed "$@" | tr '\n' ' ')"
    for name in "$@"; do # asked for again, one that came with others would count as somebody's choice
        shift
        case $there in *" $name "*) ;; *) set -- "$@" "$name" ;; esac
    done
    [ $# -gt 0 ] || return 0
    plan=$(apt --simulate install "$@") || { refresh && plan=$(apt --simulate install "$@"); }
    changed=$(echo "$plan" | awk '$1 == "Inst" && $3 ~ /^\[/ || $1 == "Remv" { print $2 }' | tr '\n' ' ')
    [ -z "$changed" ] || fail "it would change packages that are there: $changed" 98
    new=$(echo "$plan" | awk '$1 == "Inst" { print $2 }' | tr '\n' ' ')
    [ -n "$new" ] || return 0
    configured=$(those config-files $new | tr '\n' ' ')
    record packages "${new% }" "${configured% }"
    apt install "$@" || { refresh && apt install "$@"; }
}

undo_packages() { # NAMES CONFIGURED: those whose configuration was there before
    mend_packages
    removed=
    purged=
    for name in $1; do
        state=$(state_of "$name")
        case " $2 " in
            *" $name "*) [ "$state" = config-files ] || removed="$removed $name" ;;
            *) [ -z "$state" ] || [ "$state" = not-installed ] || purged="$purged $name" ;;
        esac
    done
    [ -n "$removed$purged" ] || return 0
    for name in $(apt --simulate purge $removed $purged | awk '$1 == "Purg" || $1 == "Remv" { print $2 }'); do
        case " $1 " in *" $name "*) ;; *) fail "$name was installed by somebody and needs what we installed:$removed$purged" 98 ;; esac
    done
    [ -z "$removed" ] || apt remove $removed
    [ -z "$purged" ] || apt purge $purged
}

