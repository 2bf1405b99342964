#!/bin/bash
# Nothing is missed while the service is restarted, in whatever way: events wait in the
# kernel, and what holds them there is kept by the service manager meanwhile.
#
# Limit: 150 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

check_restarts_miss_nothing() {
    restart_some() {
        local i
        for i in 1 2 3; do
            systemctl restart "$unit" || die "restart $i fails: $(property Result)"
        done
    }
    expect_nothing_missed restart_some
}

check_a_new_version_misses_nothing() {
    local before
    before=$(main_pid)
    install_again() {
        quietly dpkg --install /run/feed/package.deb
    }
    expect_nothing_missed install_again
    [[ $(main_pid) != "$before" ]] || die 'the old program is still running'
    equal 'its state at boot' "$(systemctl is-enabled "$unit")" enabled
}

# Waits until the service has another main process than $1.
has_other_main_pid() {
    [[ $(main_pid) != "$1" && $(main_pid) != 0 ]]
}

check_killing_all_its_processes_misses_nothing() {
    kill_all() {
        local before
        before=$(main_pid)
        systemctl kill --signal KILL "$unit"
        wait_for 30 has_other_main_pid "$before" || die 'it is not started again'
    }
    expect_nothing_missed kill_all
}

check_killing_the_main_process_misses_nothing() {
    kill_main() {
        local before
        before=$(main_pid)
        kill -KILL "$before"
        wait_for 30 has_other_main_pid "$before" || die 'it is not started again'
    }
    expect_nothing_missed kill_main
}

check_killing_the_recorder_misses_nothing() {
    kill_recorder() {
        local before sensor
        before=$(recorder_pid)
        sensor=$(main_pid)
        kill -KILL "$before"
        has_other_recorder() { [[ $(recorder_pid) != "$before" ]]; }
        wait_for 30 has_other_recorder || die 'there is no other one'
        equal 'the main process' "$(main_pid)" "$sensor"
    }
    expect_nothing_missed kill_recorder
}

check_what_is_stopped_ends_in_good_order() {
    ensure_recording
    systemctl stop "$unit"
    equal 'how it ended' "$(property Result)" success
    equal 'the service' "$(systemctl is-active "$unit")" inactive
    [[ ! -s $data/recorder.db-wal ]] || die 'the database has a log beside it'
    # Somebody stopped it on purpose.
    if bpfctl status >/dev/null 2>&1; then die 'a question starts it again'; fi
    equal 'the service after a question' "$(systemctl is-active "$unit")" inactive
    systemctl start "$unit"
    await_recording
}
