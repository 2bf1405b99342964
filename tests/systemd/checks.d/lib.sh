#!/bin/bash
# What several files of checks use. For a shell with "set -eu".
#
# shellcheck disable=SC2034,SC2317 # used by those files; called by name

unit=bpf-recorder.service
package=bpf-recorder
bus_name=org.bpfrecorder.Recorder1
data=/var/lib/bpf-recorder
config=/etc/bpf-recorder/config.toml
# What has to last through a reboot, and is read by several checks.
state=/var/lib/checks
dropins=/etc/systemd/system/$unit.d

die() {
    printf '%s\n' "$@"
    exit 1
}

# Has the command "$*" run when the check ends, in whatever way, after those named before.
at_exit() {
    exit_commands+=${exit_commands:+; }$*
    # Silent, for the last that a check says is why it failed.
    # shellcheck disable=SC2064 # the value of now
    trap "set +e; { $exit_commands; } >/dev/null 2>&1" EXIT
}
exit_commands=''

# Compares what is ($2) with what should be ($3).
equal() {
    [[ $2 == "$3" ]] || die "$1 is \"$2\" and not \"$3\""
}

# Tries the command "$2..." until it succeeds, for $1 seconds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        # Looking takes a while itself where processes are emulated.
        sleep 0.7
    done
}

property() {
    systemctl show --property "$1" --value "$unit"
}

# A figure of the recorder, as a jq path into the health document. Gaps follow that.
health() {
    bpfctl health --json | jq -r -s ".[0] | $1"
}

is_recording() {
    [[ $(property ActiveState) == active && $(health .state) == recording ]]
}

# Runs a command whose output matters only if it fails.
quietly() {
    local output
    output=$("$@" 2>&1) || die "$output" "$* fails"
}

# Starts the service if an earlier check has left it in another state, so that one that
# fails does not bring down those that follow.
ensure_recording() {
    systemctl reset-failed "$unit" 2>/dev/null || true
    is_recording 2>/dev/null && return
    systemctl start "$unit" || true
    await_recording
}

# Waits until the service records, again perhaps, or tells what it does instead.
await_recording() {
    wait_for 45 is_recording ||
        die "the service does not record: $(property ActiveState), $(property Result); $(timeout 10 bpfctl status 2>&1 | head -n 1)"
}

main_pid() {
    property MainPID
}

recorder_pid() {
    health .capture.recorder_pid
}

# Runs "$2..." as user $1, with the groups that the group database gives them.
as() {
    local user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$@"
}

# A word that nothing else on the system says.
new_marker() {
    echo "marker-$RANDOM$RANDOM$RANDOM"
}

# Prints the id of some rule that is in force, and whether rule $1 is enabled.
some_rule() {
    bpfctl rules list --json | jq -r -s '[.[] | select(.is_enabled)][0].id // empty'
}

is_enabled() {
    bpfctl rules list --json | jq -r "select(.id == \"$1\") | .is_enabled"
}

# Writes the lines "$2..." as the drop-in file $1 of the service.
drop_in() {
    local name=$1
    shift
    mkdir -p "$dropins"
    printf '%s\n' '[Service]' "$@" >"$dropins/$name.conf"
    systemctl daemon-reload
}

drop_out() {
    rm -f "$dropins/$1.conf"
    systemctl daemon-reload
}

# Has the recorder see no more than a handful of the shipped rules from now on: to compile
# all of them takes ten seconds and more in an emulated machine.
few_rules() {
    local rules
    mkdir -p "$state/rules"
    mapfile -t rules < <(find /usr/share/bpf-recorder/rules -name '*.yml' | sort | sed -n 1,5p)
    cp "${rules[@]}" "$state/rules/"
    drop_in rules "BindReadOnlyPaths=$state/rules:/usr/share/bpf-recorder/rules"
    systemctl restart "$unit"
}

# How many records there are of an executed /bin/true with the argument $1.
count_marker() {
    bpfctl events --json --limit 0 "name = true and arg = $1" | wc -l
}

was_recorded() {
    [[ $(count_marker "$1") == 1 ]]
}

# Prints what the service said since the time $1; the further arguments select of that.
# Not with a cursor: systemd 252 finds nothing if the entry there is not selected too.
journal_since() {
    local time=$1
    shift
    journalctl --sync
    journalctl --unit "$unit" --since "$time" --no-pager "$@"
}

# Now, for the above.
now() {
    date +@%s.%6N
}

# Stores, until the check ends, a rule with the id $1 and the level $2 that fires on the
# word $3.
upload_rule() {
    cat >"/tmp/$3.yml" <<END
title: Test of the service $3
id: $1
status: test
level: $2
logsource:
    category: process_creation
    product: linux
detection:
    selection:
        CommandLine|contains: '$3'
        Image|endswith: /true
    condition: selection
END
    quietly bpfctl rules upload "/tmp/$3.yml"
    at_exit "bpfctl rules remove $1"
}

# ---- A process that starts another one all the time, each with the next number.

# Begins to execute /bin/true TAG-1, TAG-2 and so on, some tens a second, with next to no
# environment. It waits by reading from a pipe that nobody writes to, which takes no
# process of its own.
start_counter() {
    local tag=$1
    rm -f "/tmp/$tag".*
    mkfifo "/tmp/$tag.never"
    touch "/tmp/$tag.go"
    # shellcheck disable=SC2016 # for the other shell
    env -i bash -c '
        exec 3<>"/tmp/$0.never"
        n=0
        while [ -e "/tmp/$0.go" ]; do
            n=$((n + 1))
            /bin/true "$0-$n"
            read -r -t 0.05 -u 3
        done
        echo "$n" >"/tmp/$0.total"' "$tag" &
    at_exit "rm -f /tmp/$tag.go"
}

# Ends it, and prints how far it came.
stop_counter() {
    rm -f "/tmp/$1.go"
    wait_for 10 test -s "/tmp/$1.total" || die "the counter does not end"
    cat "/tmp/$1.total"
}

# Writes the numbers that were recorded to /tmp/TAG.recorded, as often as they were.
read_numbers() {
    bpfctl events --json --limit 0 "name = true and arg =~ \"^$1-[0-9]+\$\"" |
        jq -r '.process.args[1]' | sed "s/^$1-//" | sort -n >"/tmp/$1.recorded"
}

# Whether each number from 1 to $2 was recorded, and once.
expect_all_numbers() {
    local tag=$1 total=$2 lost twice
    read_numbers "$tag"
    lost=$(comm -23 <(seq "$total" | sort) <(sort -u "/tmp/$tag.recorded") | sort -n | tr '\n' ' ')
    twice=$(uniq -d "/tmp/$tag.recorded" | tr '\n' ' ')
    [[ -z $lost ]] || die "of $total numbers these are missing: ${lost:0:200}"
    [[ -z $twice ]] || die "of $total numbers these are there more than once: ${twice:0:200}"
    equal 'how many were recorded' "$(wc -l <"/tmp/$tag.recorded")" "$total"
}

# Counts while "$@" goes on, and some more, and tests that nothing is missing.
expect_nothing_missed() {
    local tag gaps total
    ensure_recording
    tag=$(new_marker)
    gaps=$(health .store.gaps)
    start_counter "$tag"
    sleep 1
    "$@"
    await_recording
    sleep 1
    total=$(stop_counter "$tag")
    ((total >= 20)) || die "no more than $total processes were started: that proves nothing"
    expect_all_numbers "$tag" "$total"
    equal 'the number of gaps' "$(health .store.gaps)" "$gaps"
    echo "$total processes meanwhile"
}
