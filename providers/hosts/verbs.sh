# ---- verbs

undo_last() { # undoes the last change and prints what is left
    [ -s "$journal" ] || return 0
    [ -z "$(tail -c 1 "$journal")" ] || { drop_last; return 0; }
    line=$(tail -n 1 "$journal")
    kind=$(echo "$line" | cut -f 1)
    subject=$(echo "$line" | cut -f 2)
    former=$(echo "$line" | cut -f 3)
    case $kind in
        folder | file | tree | mount | link | links | route | chain | unit | restart | sysctl | module | packages | pods) ;;
        *) fail "the journal has a change that is unknown here: $kind" ;;
    esac
    echo "$kind $subject" >&2
    "undo_$kind" "$subject" "$former"
    drop_last
    case $former in former.*) rm -rf -- "${home:?}/${former:?}" ;; esac
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
