#!/bin/bash
# The service as it starts, with no configuration but what the package brings.
#
# Limit: 240 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

check_it_starts() {
    local start
    # A debug build in an emulated machine on a busy one is not what the limit is for.
    drop_in patience TimeoutStartSec=200
    start=$EPOCHREALTIME
    timeout 200 systemctl --quiet enable --now "$unit" || die "systemctl says no: $(property Result)"
    echo "active after $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
    equal 'the service' "$(systemctl is-active "$unit")" active
    equal 'its state at boot' "$(systemctl is-enabled "$unit")" enabled
    equal 'the number of failed units' "$(systemctl --failed --no-legend | wc -l)" 0
}

check_it_tells_the_service_manager_its_status() {
    [[ $(property Type) == notify* ]] || die "the type is $(property Type)"
    [[ -n $(property StatusText) ]] || die 'there is no status text'
    echo "status: $(property StatusText)"
}

check_the_recorder_owns_the_name() {
    local status pid
    status=$(busctl --system status "$bus_name") || die 'the name has no owner'
    pid=$(sed -n 's/^PID=//p' <<<"$status")
    equal 'its user' "$(sed -n 's/^EUID=//p' <<<"$status")" "$(id -u bpf-recorder)"
    equal 'its process' "$pid" "$(recorder_pid)"
    [[ $(cat "/proc/$pid/cgroup") == *"/$unit" ]] || die "process $pid is not of the service"
}

check_the_data_are_its_own() {
    equal "$data" "$(stat --format '%a %U %G' "$data")" '700 bpf-recorder bpf-recorder'
    equal 'what others may read there' "$(find "$data" -type f -perm /077)" ''
    [[ -s $data/recorder.db ]] || die 'there is no database'
}

check_the_first_process_is_recorded() {
    local marker
    marker=$(new_marker)
    /bin/true "$marker"
    wait_for 10 was_recorded "$marker" || die 'it is not among the events'
    # For the check after the reboot.
    echo "$marker" >"$state/first-marker"
}

# The names of the capabilities that are set in line $2 of process $1, as numbers.
capabilities() {
    local bits bit found=()
    bits=$((16#$(sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status")))
    for ((bit = 0; bit < 64; bit++)); do
        ((bits >> bit & 1)) && found+=("$bit")
    done
    echo "${found[*]}"
}

check_its_processes_have_few_rights() {
    local pid recorder kinds=()
    recorder=$(recorder_pid)
    while read -r pid; do
        equal "NoNewPrivs of $pid" "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "/proc/$pid/status")" 1
        equal "the user of $pid" "$(stat --format %U "/proc/$pid")" bpf-recorder
        if [[ $pid == "$recorder" ]]; then
            equal "what the recorder may" "$(capabilities "$pid" CapPrm)$(capabilities "$pid" CapEff)$(capabilities "$pid" CapAmb)" ''
            kinds+=(recorder)
        elif [[ $pid == "$(main_pid)" ]]; then
            # BPF (39), PERFMON (38), DAC_READ_SEARCH (2), SYS_PTRACE (19), SETPCAP (8), and
            # what older kernels ask for: SYS_ADMIN (21), SYS_RESOURCE (24), SYS_NICE (23).
            expect_among "$(capabilities "$pid" CapPrm)" 2 8 19 21 23 24 38 39
            kinds+=(sensor)
        else
            expect_among "$(capabilities "$pid" CapPrm)" 2 19
            kinds+=(broker)
        fi
        expect_among "$(capabilities "$pid" CapBnd)" 2 8 19 21 23 24 38 39
    done <"/sys/fs/cgroup$(property ControlGroup)/cgroup.procs"
    equal 'what the service consists of' "$(printf '%s\n' "${kinds[@]}" | sort -u | tr '\n' ' ')" 'broker recorder sensor '
}

# Whether each of the words $1 is one of the others.
expect_among() {
    local word words=$1
    shift
    for word in $words; do
        [[ " $* " == *" $word "* ]] || die "process has capability $word"
    done
}

check_it_knows_nothing_worse_than_information() {
    # What is found at all, for nothing would also be what a mistake here finds.
    [[ -n $(journal_since @0 --priority info --output cat) ]] || die 'it says nothing at all'
    equal 'what it warns of' "$(journal_since @0 --priority warning --output cat)" ''
    equal 'what bpfctl warns of' "$(health '.warnings[]')" ''
}

check_it_starts_again_with_fewer_rules() {
    few_rules
    await_recording
    (($(health .capture.rules) < 20)) || die "there are $(health .capture.rules): what follows would take long"
}
