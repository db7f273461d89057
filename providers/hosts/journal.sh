# Changes a machine and remembers how to undo it. Called as: sh -s -- RUN VERB ARGS…, with journal.sh, kinds.sh,
# packages.sh, pods.sh and verbs.sh on stdin, one after the other; POSIX sh with coreutils and mawk.
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

drop_last() { # in place: a disk that is full must not keep us from undoing
    truncate -s "-$(tail -n 1 "$journal" | wc -c)" "$journal"
    sync "$journal"
}

keep() { # PATH: prints the name of a copy of what is there
    kept=$(mktemp -d "$home/former.XXXXXX")
    cp -a -x -T -- "$1" "$kept/file"
    sync -f "$kept/file" 2>/dev/null || sync
    echo "${kept##*/}"
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

