#!/bin/bash
# What a reboot leaves: the service comes back by itself, with all that was recorded.
#
# Limit: 90 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

before_reboot() {
    ensure_recording
    health .boot_id >"$state/boot"
    health .store.gaps >"$state/gaps"
    health .store.records >"$state/records"
}

check_it_is_back_by_itself() {
    await_recording
    [[ $(health .boot_id) != "$(<"$state/boot")" ]] || die 'the boot is the same'
    equal 'how often it was restarted' "$(property NRestarts)" 0
    equal 'the number of failed units' "$(systemctl --failed --no-legend | wc -l)" 0
}

check_what_was_recorded_is_still_there() {
    equal 'records of the first process' "$(count_marker "$(<"$state/first-marker")")" 1
    (($(health .store.records) > $(<"$state/records"))) || die 'there are no more records than before'
    equal 'the number of gaps' "$(health .store.gaps)" "$(<"$state/gaps")"
}

# Records of pid 1, by the boot that begins their id.
check_the_processes_of_the_boot_are_recorded() {
    local boot
    boot=$(health .boot_id | tr -d - | cut -c 1-12)
    bpfctl events --json --limit 0 'pid = 1' | jq -r '.process.entity_id' | cut -d - -f 1 | sort -u >/tmp/boots
    grep -q -x "$boot" /tmp/boots || die 'the first process of this boot is not recorded'
    grep -q -x "$(tr -d - <"$state/boot" | cut -c 1-12)" /tmp/boots || die 'nor that of the boot before'
    # This very script was started after the recorder, by the service manager.
    bpfctl events --json --limit 0 'unit = checks.service and cmd ~ "/run/feed/checks"' |
        jq -r 'select(.recorder.source == "exec") | .process.entity_id' | grep -q "^$boot-" ||
        die 'what was started late in the boot was not seen to start'
}
