#!/bin/bash
# Who may do what on the bus: root everything, members of the group read, others nothing.
#
# Limit: 60 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# Runs bpfctl as $1; it must fail, with a hint.
expect_refused() {
    local user=$1 output status=0
    shift
    output=$(as "$user" bpfctl "$@" 2>&1) || status=$?
    ((status != 0)) || die "$user may: ${output:0:200}"
    ((status == 1)) || die "the exit status is $status: $output"
    grep -q -E '^hint: ' <<<"$output" || die "there is no hint: $output"
    echo "$output" | head -n 3
}

check_a_member_reads() {
    local marker
    ensure_recording
    marker=$(new_marker)
    /bin/true "$marker"
    as member bpfctl events --json "name = true and arg = $marker" >"/tmp/$marker" || die 'it is refused'
    equal 'how many were found' "$(wc -l <"/tmp/$marker")" 1
    as member bpfctl status >/dev/null || die 'status is refused'
}

check_a_member_changes_nothing() {
    local id
    id=$(some_rule)
    [[ -n $id ]] || die 'there is no rule'
    expect_refused member rules disable "$id"
    equal 'the rule' "$(is_enabled "$id")" true
}

check_others_get_nothing() {
    expect_refused outsider events
    expect_refused outsider health
    expect_refused outsider rules disable 'level:low'
}

check_the_refusal_on_the_bus_has_a_name() {
    local output
    if output=$(as outsider busctl --system call "$bus_name" /org/bpfrecorder/Recorder1 \
        "$bus_name.Processes" Get s 1 2>&1); then
        die "it is answered: ${output:0:200}"
    fi
    # busctl prints the text; the name of the error is in its longer form.
    output=$(as outsider dbus-send --system --print-reply --dest="$bus_name" /org/bpfrecorder/Recorder1 \
        "$bus_name.Processes.Get" string:1 2>&1) && die 'it is answered'
    [[ $output == *AccessDenied* ]] || die "it is another error: $output"
}

check_others_cannot_take_the_name() {
    local output
    request_name() {
        as "$1" busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
            RequestName su "$bus_name" 4 2>&1
    }
    output=$(request_name outsider) && die "the bus lets an outsider: $output"
    grep -q -i 'access denied\|not allowed to own' <<<"$output" || die "it fails for another reason: $output"
    output=$(request_name member) && die "the bus lets a member: $output"
    # Its own user may, but the name is taken (3), and it does not want to wait (4): so the
    # question was the right one.
    equal "what the bus says to the recorder's user" "$(request_name bpf-recorder)" 'u 3'
}

check_what_is_broadcast_has_no_command_line() {
    local marker user
    marker=$(new_marker)
    upload_rule 0f7d9a52-5b0b-4c8e-9d41-9d6a3b7f1c01 medium "$marker"
    for user in root outsider; do
        as "$user" timeout 45 dbus-monitor --system "type='signal',sender='$bus_name'" >"/tmp/$marker.$user" 2>&1 &
    done
    # Each is told its own name when it is connected.
    for user in root outsider; do
        wait_for 15 grep -q . "/tmp/$marker.$user" || die "the monitor of $user does not begin"
    done
    sleep 1
    /bin/true "secret-$marker"
    # That it can be seen at all must be shown, or not to see it would prove nothing.
    wait_for 15 grep -q 'member=Raised' "/tmp/$marker.root" || die 'nothing is broadcast when a rule fires'
    sleep 1
    for user in root outsider; do
        [[ $(grep -c "secret-$marker" "/tmp/$marker.$user") == 0 ]] || die "$user sees the command line"
    done
    echo "an outsider sees $(grep -c 'member=Raised' "/tmp/$marker.outsider") signal(s) with ids"
}

check_root_controls() {
    local id
    id=$(some_rule)
    quietly bpfctl rules disable "$id"
    equal 'the rule, disabled' "$(is_enabled "$id")" false
    quietly bpfctl rules enable "$id"
    equal 'the rule, enabled' "$(is_enabled "$id")" true
}
