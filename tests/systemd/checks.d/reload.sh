#!/bin/bash
# Changed settings come into force without a restart, and bad ones do not.
#
# Limit: 60 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

log_level() {
    systemctl service-log-level "$unit"
}

# Puts the lines "$@" in place of the configuration, until the check ends.
configure() {
    [[ -e $state/config.toml ]] || cp -p "$config" "$state/config.toml"
    # In place, so that owner and mode stay.
    at_exit "cat $state/config.toml >$config; systemctl reload $unit"
    printf '%s\n' "$@" >"$config"
}

# Its reloading begins when it has the signal, which "systemctl reload" does not wait for.
await_active() {
    is_active() { [[ $(property ActiveState) == active ]]; }
    wait_for 20 is_active || die "the service is $(property ActiveState)"
}

check_a_changed_log_level_comes_into_force() {
    local before
    ensure_recording
    before=$(main_pid)
    equal 'the level before' "$(log_level)" info
    configure 'log = "debug"'
    systemctl reload "$unit" || die 'reload fails'
    await_active
    equal 'the main process' "$(main_pid)" "$before"
    is_debug() { [[ $(log_level) == debug ]]; }
    wait_for 10 is_debug || die "the level is $(log_level)"
    is_recording || die 'it does not record any more'
}

check_a_bad_setting_is_refused_and_the_old_one_stays() {
    local before since
    ensure_recording
    before=$(main_pid)
    since=$(now)
    configure '# A comment' 'log = "loud"'
    # Whether systemctl tells of it depends on the version; the journal does in any case.
    systemctl reload "$unit" || true
    said_where() {
        journal_since "$since" --output cat --priority err | grep -E '(line 2|toml:2)' | grep -q '\<log\>'
    }
    wait_for 15 said_where || die "the journal does not name line and key: $(journal_since "$since" --output cat | tail -n 3 | tr '\n' ' ')"
    await_active
    equal 'the main process' "$(main_pid)" "$before"
    equal 'the level' "$(log_level)" info
    is_recording || die 'it does not record any more'
}

check_a_bad_configuration_is_found_before_it_is_used() {
    local output status=0
    quietly bpf-recorderd check-config
    cp "$config" /tmp/bad.toml
    printf '\nlog = "loud"\n' >>/tmp/bad.toml
    output=$(bpf-recorderd check-config --config /tmp/bad.toml 2>&1) || status=$?
    equal 'its exit status' "$status" 1
    grep -q -E "(line |toml:)$(wc -l </tmp/bad.toml)\>" <<<"$output" || die "it does not name the line: $output"
    grep -q '\<log\>' <<<"$output" || die "it does not name the key: $output"
}

check_a_bad_configuration_does_not_start() {
    configure 'log = "loud"'
    if timeout 40 systemctl restart "$unit"; then die 'it starts'; fi
    cat "$state/config.toml" >"$config"
    systemctl reset-failed "$unit"
    systemctl start "$unit" || die 'it does not start with a good one'
}

check_the_log_level_is_set_from_outside() {
    ensure_recording
    systemctl service-log-level "$unit" debug || die 'it cannot be set'
    equal 'the level' "$(log_level)" debug
    systemctl service-log-level "$unit" info
    equal 'the level' "$(log_level)" info
    if as outsider busctl --system set-property "$bus_name" /org/freedesktop/LogControl1 \
        org.freedesktop.LogControl1 LogLevel s debug 2>/dev/null; then
        die 'an outsider may set it'
    fi
}
