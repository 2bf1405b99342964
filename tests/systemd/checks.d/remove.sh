#!/bin/bash
# The package as it goes: removed it leaves the data, purged it leaves nothing.
#
# Limit: 90 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

check_removing_it_stops_the_service() {
    ensure_recording
    # Ours, and not the package's.
    rm -rf "$dropins"
    systemctl daemon-reload
    quietly dpkg --remove "$package"
    [[ $(systemctl is-active "$unit") != active ]] || die 'it is still active'
    equal 'its processes' "$(ps -u bpf-recorder -o pid= | wc -l)" 0
    if busctl --system status "$bus_name" >/dev/null 2>&1; then die 'somebody still owns the name'; fi
}

check_its_files_are_gone() {
    local file left=()
    while read -r file; do
        # Directories may be others' too; configuration stays until it is purged.
        [[ -d $file && ! -L $file || $file == /etc/* ]] && continue
        if [[ -e $file || -L $file ]]; then left+=("$file"); fi
    done <"$state/files"
    equal 'what is left' "${left[*]}" ''
    if systemctl cat "$unit" >/dev/null 2>&1; then die 'systemd still has the unit'; fi
    [[ ! -e /usr/share/bpf-recorder ]] || die 'the rules are still there'
}

check_the_data_are_kept() {
    [[ -s $data/recorder.db ]] || die 'the database is gone'
    [[ -e $config ]] || die 'the configuration is gone'
}

check_purging_it_removes_the_data() {
    quietly dpkg --purge "$package"
    [[ ! -e $data ]] || die "there is still $data: $(ls -A "$data")"
    [[ ! -e /etc/bpf-recorder ]] || die "there is still /etc/bpf-recorder: $(ls -A /etc/bpf-recorder)"
}

check_nothing_is_left_over() {
    local left
    left=$(find / -xdev \( -iname '*bpf-recorder*' -o -iname '*bpfrecorder*' -o -iname 'bpfctl*' \) \
        -not -path "$state/*" -not -path '/tmp/*' -not -path '/var/tmp/systemd-private-*' -print | tr '\n' ' ')
    equal 'what is left on the disk' "$left" ''
    left=$(find /run -iname '*bpf-recorder*' -not -path '/run/systemd/*' -not -path '/run/feed/*' -print | tr '\n' ' ')
    equal 'what is left in /run' "$left" ''
    [[ -z $(find /sys/fs/bpf -mindepth 1 -iname '*recorder*' 2>/dev/null) ]] || die 'something is pinned in the kernel'
    equal 'what dpkg has to complain' "$(dpkg --audit)" ''
    equal 'the number of failed units' "$(systemctl --failed --no-legend | wc -l)" 0
}

check_it_can_be_installed_anew() {
    quietly dpkg --install /run/feed/package.deb
    equal 'its state at boot' "$(systemctl is-enabled "$unit")" disabled
    equal 'the service' "$(systemctl is-active "$unit")" inactive
    [[ ! -e $data ]] || die 'there are data before it was started'
}
