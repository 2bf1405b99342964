#!/bin/bash
# The package as it is installed: what is there, whose it is, and that nothing has begun.
#
# Limit: 240 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

check_the_package_installs_without_the_network() {
    quietly apt-get -qq install --yes /run/feed/package.deb
    quietly apt-get check
    equal 'what dpkg has to complain' "$(dpkg --audit)" ''
    dpkg --listfiles "$package" | sort >"$state/files"
    # From now on this user belongs to those who may read.
    usermod --append --groups bpf-recorder member
}

check_nothing_is_started_by_itself() {
    equal 'the service' "$(systemctl is-active "$unit")" inactive
    equal 'its state at boot' "$(systemctl is-enabled "$unit")" disabled
    [[ -z $(pgrep -f bpf-recorderd) ]] || die "there is a recorder: $(pgrep -a -f bpf-recorderd)"
    # A question on the bus is no reason to start one either.
    if bpfctl status >/dev/null 2>&1; then die 'bpfctl found a recorder'; fi
    equal 'the service after a question' "$(systemctl is-active "$unit")" inactive
}

check_every_file_is_there() {
    local file
    while read -r file; do
        [[ -e $file || -L $file ]] || die "$file is missing"
    done <"$state/files"
    for file in bin/bpfctl share/man/man1/bpfctl.1.gz share/man/man8/bpf-recorderd.8.gz \
        share/man/man5/bpf-recorder.toml.5.gz share/bpf-recorder/rules; do
        grep -q -x "/usr/$file" "$state/files" || die "/usr/$file is not in the package"
    done
    dpkg --verify "$package" || die 'what is there is not what was packed'
}

check_files_belong_to_root_and_are_read_by_all() {
    local wrong
    # Most directories are others' too.
    wrong=$(while read -r file; do
        [[ -L $file || -d $file && $file != *bpf-recorder* ]] || echo "$file"
    done <"$state/files" | xargs -d '\n' stat --format '%U:%G %a %n' |
        grep -v -E '^root:root (644|755) ' || true)
    equal 'what is owned or permitted otherwise' "$wrong" ''
    as bpf-recorder test -r "$config" || die "its user cannot read $config"
}

check_user_and_group_exist() {
    local name _ uid gid home shell
    IFS=: read -r name _ uid gid _ home shell < <(getent passwd bpf-recorder) || die 'there is no user'
    equal 'its name' "$name" bpf-recorder
    ((uid > 0 && uid < 1000)) || die "$uid is not the number of a system user"
    [[ $shell == */nologin || $shell == /bin/false ]] || die "it can log in, with $shell"
    equal 'its home' "$home" "$data"
    equal 'its group' "$(getent group bpf-recorder | cut -d : -f 3)" "$gid"
    equal 'its groups' "$(id -Gn bpf-recorder)" bpf-recorder
}

check_sysusers_and_tmpfiles_find_nothing_left_to_do() {
    local before
    before=$(sha256sum /etc/passwd /etc/group)
    systemd-sysusers
    equal 'passwd and group' "$(sha256sum /etc/passwd /etc/group)" "$before"
    systemd-tmpfiles --create --prefix /etc --prefix /var/lib/bpf-recorder
    check_files_belong_to_root_and_are_read_by_all
}

check_the_preset_is_to_leave_it_off() {
    equal 'what list-unit-files says' \
        "$(systemctl list-unit-files --no-legend --plain "$unit" | awk '{ print $2, $3 }')" 'disabled disabled'
}

check_the_unit_verifies() {
    local output file files status=0
    mapfile -t files < <(grep -E '/systemd/system/[^/]*\.(service|socket)$' "$state/files")
    ((${#files[@]})) || die 'there is no unit'
    for file in "${files[@]}"; do
        # There is no "man" here to look the pages up with.
        output=$(systemd-analyze verify --man=no "$file" 2>&1) || status=$?
        equal "what is said of $file" "$(grep -F "${file##*/}" <<<"$output" || true)" ''
        equal "its exit status (${output:0:200})" "$status" 0
    done
}

check_the_unit_confines_itself() {
    local line exposure
    line=$(systemd-analyze security --no-pager "$unit" | tail -n 1)
    exposure=$(grep -o '[0-9]\+\.[0-9]\+' <<<"$line") || die "there is no figure: $line"
    echo "exposure $exposure"
    awk -v "exposure=$exposure" 'BEGIN { exit !(exposure <= 2.1) }' || die "more than 2.1: $line"
}

check_polkit_knows_the_actions() {
    local action
    for action in read-events manage-alerts manage-rules read-binaries control; do
        pkaction --action-id "org.bpfrecorder.recorder1.$action" >/dev/null || die "there is no $action"
    done
}
