#!/bin/bash
# The bus goes away and comes back, as it does when an admin restarts it: nothing is
# missed, and the recorder is found on the new one without anybody's help.
#
# Limit: 150 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# Whether somebody on the bus, as it is now, has the recorder's name.
is_on_the_bus() {
    busctl --system status "$bus_name"
}

bus_pid() {
    systemctl show --property MainPID --value dbus.service
}

restart_the_bus() {
    local before
    before=$(bus_pid)
    [[ $before != 0 ]] || die 'there is no bus'
    systemctl restart dbus.service || die 'the bus is not started again'
    [[ $(bus_pid) != "$before" ]] || die 'it is still the old bus'
    wait_for 60 is_on_the_bus || die "the recorder is not on the new bus: $(property ActiveState)"
}

check_a_bus_that_is_restarted_costs_nothing() {
    expect_nothing_missed restart_the_bus
    # It may have been started again for that, but not over and over.
    equal 'the service' "$(property ActiveState)" active
    equal 'how it ended last' "$(property Result)" success
}

check_a_bus_that_is_killed_costs_nothing() {
    kill_the_bus() {
        local before
        before=$(bus_pid)
        [[ $before != 0 ]] || die 'there is no bus'
        kill -KILL "$before"
        # It may come back by itself, or with the next who wants it.
        is_another_bus() { [[ $(bus_pid) != 0 && $(bus_pid) != "$before" ]]; }
        wait_for 15 is_another_bus || systemctl start dbus.service || die 'the bus does not come back'
        wait_for 60 is_on_the_bus || die "the recorder is not on the new bus: $(property ActiveState)"
    }
    expect_nothing_missed kill_the_bus
}
