#!/bin/bash
# The other package, as far as a Debian can tell: rpm itself unpacks it, runs its scripts
# and removes it. What its scripts leave to Fedora's systemd-update-helper, which Debian
# does not have, is not done here: presets, and the stop and restart of the service.
#
# Limit: 120 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# What it needs is there, but rpm does not know of it.
rpm_here() {
    quietly rpm --nodeps "$@"
}

check_it_takes_the_place_of_the_other_package() {
    quietly dpkg --purge "$package"
    [[ ! -e $config ]] || die "there is still $config"
    rpm_here --install /run/feed/package.rpm
    getent passwd bpf-recorder >/dev/null || die 'there is no user'
    [[ -d /etc/bpf-recorder/rules && -d /etc/bpf-recorder/config.d ]] || die 'its directories are not there'
    rpm --verify --nodeps "$package" || die 'what is there is not what was packed'
}

check_nothing_is_started_by_itself() {
    systemctl daemon-reload
    equal 'the service' "$(systemctl is-active "$unit")" inactive
    equal 'its state at boot' "$(systemctl is-enabled "$unit")" disabled
    [[ ! -e $data ]] || die 'there are data before it was started'
}

check_it_records() {
    local marker
    few_rules
    await_recording
    marker=$(new_marker)
    /bin/true "$marker"
    wait_for 20 was_recorded "$marker" || die 'what ran was not recorded'
    echo "$marker" >"$state/rpm-marker"
}

check_an_upgrade_keeps_settings_and_data() {
    echo '# ours' >>"$config"
    rpm_here --upgrade --replacepkgs /run/feed/package.rpm
    equal 'the last line of the settings' "$(tail -n 1 "$config")" '# ours'
    systemctl restart "$unit"
    await_recording
    was_recorded "$(<"$state/rpm-marker")" || die 'what was recorded is gone'
}

check_removing_it_keeps_the_data_and_nothing_else() {
    local left
    systemctl stop "$unit"
    rm -rf "$dropins"
    rpm_here --erase "$package"
    systemctl daemon-reload
    [[ -s $data/recorder.db ]] || die 'the database is gone'
    [[ -e $config.rpmsave ]] || die 'settings that were changed were not saved'
    rm -f "$config.rpmsave"
    left=$(find /etc /usr -xdev \( -iname '*bpf-recorder*' -o -iname '*bpfrecorder*' -o -iname 'bpfctl*' \) | tr '\n' ' ')
    # It holds what was saved.
    equal 'what is left on the disk' "$left" '/etc/bpf-recorder '
    equal 'what is left of the settings' "$(find /etc/bpf-recorder -mindepth 1 | tr '\n' ' ')" ''
}
