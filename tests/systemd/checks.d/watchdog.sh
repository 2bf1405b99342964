#!/bin/bash
# A recorder that hangs is killed by the service manager and started again, and what
# happened meanwhile is recorded.
#
# Limit: 150 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# Waits until the service has been restarted since it had $1 restarts.
has_more_restarts() {
    (($(property NRestarts) > $1))
}

# Stops, as for ever, the process whose number the command "$@" prints.
expect_watchdog_to_mend() {
    local since
    ensure_recording
    drop_in watchdog WatchdogSec=5
    systemctl restart "$unit"
    await_recording
    # A watchdog that barks at a recorder that is well would also pass what follows.
    sleep 8
    equal 'restarts of one that is well' "$(property NRestarts)" 0
    since=$(now)
    hang() {
        local pid before
        pid=$("$@")
        before=$(property NRestarts)
        kill -STOP "$pid"
        wait_for 60 has_more_restarts "$before" || die "nobody starts it again: $(property ActiveState)"
    }
    expect_nothing_missed hang "$@"
    journal_since "$since" --output cat | grep -q -i 'watchdog timeout' || die 'it was not the watchdog'
    equal 'processes that stand still' "$(pgrep --count --runstates T --uid bpf-recorder || true)" 0
    drop_out watchdog
}

check_a_recorder_that_hangs_is_replaced() {
    expect_watchdog_to_mend recorder_pid
}

check_a_sensor_that_hangs_is_replaced() {
    expect_watchdog_to_mend main_pid
}

check_the_watchdog_is_as_shipped_again() {
    drop_out watchdog
    systemctl restart "$unit"
    await_recording
    (($(systemctl show --property WatchdogUSec --value "$unit" | sed 's/^1min$/60/; s/s$//') >= 10)) ||
        die "it is $(property WatchdogUSec)"
}
