#!/bin/bash
# What the recorder says to the journal, and that people can find it there.
#
# Limit: 60 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

started=e6ab7ff6cfab4d2c88b1cd1a7c4cf05a
alert=b2c1f4de0a9841c2a3b7c5d6e8f90a1b
rule=5f1b6c0a-3f5e-4a55-8a53-0d6a4be19c77

# Restarts the service; what follows is about one that was just started.
restart_and_mark() {
    ensure_recording
    since=$(now)
    systemctl restart "$unit"
    await_recording
}

check_the_start_has_a_priority_and_a_message_id() {
    local since entry
    restart_and_mark
    entry=$(journal_since "$since" --output json "MESSAGE_ID=$started")
    [[ -n $entry ]] || die 'there is no such entry'
    # Notice (5) or information (6).
    [[ $(jq -r .PRIORITY <<<"$entry") == [56] ]] || die "its priority is $(jq -r .PRIORITY <<<"$entry")"
    [[ $(jq -r .SYSLOG_IDENTIFIER <<<"$entry") == bpf-recorder* ]] || die "it is by $(jq -r .SYSLOG_IDENTIFIER <<<"$entry")"
    equal 'what has no priority' "$(journal_since "$since" --output json | jq -r 'select(.PRIORITY == null) | .MESSAGE')" ''
}

check_a_clean_start_warns_of_nothing() {
    local since
    restart_and_mark
    # What is found at all, for nothing would also be what a mistake here finds.
    [[ -n $(journal_since "$since" --priority info --output cat) ]] || die 'it says nothing at all'
    equal 'what it warns of' "$(journal_since "$since" --priority warning --output cat)" ''
}

# Prints the entries of alerts that have the word $1 in some field.
alert_entries() {
    journal_since "$since" --output json "MESSAGE_ID=$alert" |
        jq -c --arg word "$1" 'select([.[] | strings | contains($word)] | any)'
}

has_alert_entry() {
    [[ -n $(alert_entries "$1") ]]
}

check_an_alert_of_a_high_level_is_reported() {
    local since marker entry
    ensure_recording
    marker=$(new_marker)
    upload_rule "$rule" high "$marker"
    since=$(now)
    # With what must not get to a terminal, nor look like a line of its own.
    /bin/true "$marker" $'first\nsecond\e[31m'
    wait_for 20 has_alert_entry "$marker" || die 'there is no entry'
    entry=$(alert_entries "$marker" | head -n 1)
    equal 'the rule' "$(jq -r .RULE_ID <<<"$entry")" "$rule"
    (($(jq -r .PRIORITY <<<"$entry") <= 4)) || die "its priority is $(jq -r .PRIORITY <<<"$entry")"
    # A message that is not text is an array of numbers.
    equal 'the kind of the command line' "$(jq -r '.PROCESS_COMMAND_LINE | type' <<<"$entry")" string
    [[ $(jq -r .PROCESS_COMMAND_LINE <<<"$entry") == *"$marker"*first*second* ]] ||
        die "the command line is $(jq -r .PROCESS_COMMAND_LINE <<<"$entry")"
    equal 'fields with control characters' "$(jq -r 'to_entries[] | select(.key | test("^(MESSAGE|RULE_|PROCESS_)"))
        | select(.value | strings | explode | any(. < 32 or . == 127)) | .key' <<<"$entry")" ''
}

check_an_alert_of_a_low_level_is_not() {
    local since low high
    low=$(new_marker)
    high=$(new_marker)
    upload_rule 5f1b6c0a-3f5e-4a55-8a53-0d6a4be19c78 low "$low"
    upload_rule "$rule" high "$high"
    since=$(now)
    /bin/true "$low"
    /bin/true "$high"
    # The later one is there, so the earlier one does not come any more.
    wait_for 20 has_alert_entry "$high" || die 'there is no entry of the high one'
    [[ $(bpfctl alerts --json | grep -c "$low") -ge 1 ]] || die 'the rule of the low one did not fire'
    if has_alert_entry "$low"; then die 'it is in the journal'; fi
}

check_the_catalogue_explains() {
    local id
    for id in "$started" "$alert"; do
        journalctl --list-catalog "$id" >/dev/null 2>&1 || die "it has nothing about $id"
        # Lines of explanation are set off by these.
        journalctl --unit "$unit" --catalog --no-pager "MESSAGE_ID=$id" | grep -q '^░░ .' ||
            die "journalctl -x does not explain $id"
    done
}
