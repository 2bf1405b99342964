#!/bin/bash
# The web page as the package brings it: a socket, and a process that can do nothing but
# what a link lends it.
#
# Limit: 90 s for each check.
#
# shellcheck disable=SC2317 # called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

socket=bpf-recorder-web.socket
page=bpf-recorder-web.service

# Sends a request to the page at $address and prints the answer: http METHOD TARGET [HEADER…]
# [-- BODY]. Nothing else in the guest speaks HTTP.
address=127.0.0.1:8080
http() {
    local method=$1 target=$2 body='' header
    shift 2
    exec 9<>"/dev/tcp/${address%:*}/${address#*:}"
    {
        printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "$method" "$target" "$address"
        while (($#)) && [[ $1 != -- ]]; do
            header=$1
            printf '%s\r\n' "$header"
            shift
        done
        (($#)) && body=$2
        printf 'Content-Length: %s\r\n\r\n%s' "${#body}" "$body"
    } >&9
    timeout 60 cat <&9
    exec 9<&-
}

status_of() {
    sed -n '1s/^HTTP\/1.1 \([0-9]*\).*/\1/p' <<<"$1"
}

# Opens a session with the link that "$@" prints; $cookie is its header from then on.
log_in() {
    local link answer
    link=$("$@" 2>/dev/null) || die "there is no link for: $*"
    answer=$(http GET "${link#http://"$address"}")
    [[ $(status_of "$answer") == 200 ]] || die "the answer to a link: $answer"
    grep -q -i '^set-cookie: .*HttpOnly; SameSite=Strict' <<<"$answer" || die "the cookie: ${answer:0:400}"
    cookie=$(sed -n 's/^set-cookie: \([^;]*\).*/Cookie: \1/Ip' <<<"$answer")
}

check_the_socket_listens_with_the_recorder() {
    ensure_recording
    equal 'the socket' "$(systemctl is-active "$socket")" active
    equal 'an answer without a session' "$(status_of "$(http GET /processes)")" 401
    equal 'the page' "$(systemctl is-active "$page")" active
}

check_the_page_has_no_rights_of_its_own() {
    local pid line exposure
    http GET / >/dev/null
    pid=$(systemctl show --property MainPID --value "$page")
    for line in CapEff CapPrm CapBnd CapAmb; do
        equal "$line" "$(sed -n "s/^$line:[[:space:]]*//p" "/proc/$pid/status")" 0000000000000000
    done
    equal 'its user' "$(stat --format %U "/proc/$pid")" bpf-recorder-web
    line=$(systemd-analyze security --no-pager "$page" | tail -n 1)
    exposure=$(grep -o '[0-9]\+\.[0-9]\+' <<<"$line") || die "there is no figure: $line"
    echo "exposure $exposure"
    awk -v "exposure=$exposure" 'BEGIN { exit !(exposure <= 0.5) }' || die "more than 0.5: $line"
}

check_a_link_opens_the_page() {
    local cookie marker answer
    log_in bpfctl web
    marker=$(new_marker)
    /bin/true "$marker"
    answer=$(http GET "/processes?filter=arg+%3D+$marker" "$cookie")
    equal 'the page of processes' "$(status_of "$answer")" 200
    [[ $answer == *"$marker"* ]] || die "the process is not on it: $(tail -c 600 <<<"$answer")"
    answer=$(http GET "/api/v1/processes?filter=name+%3D+true+and+arg+%3D+$marker" "$cookie")
    [[ $answer == *"\"$marker\""* ]] || die "the process is not in the API: $answer"
}

check_a_members_session_reads_and_changes_nothing() {
    local cookie answer
    log_in as member bpfctl web
    equal 'the page of rules' "$(status_of "$(http GET /rules "$cookie")")" 200
    answer=$(http POST /api/v1/rules/enabled "$cookie" 'X-BPF-Recorder: 1' -- \
        '{"patterns":["level:low"],"enabled":false}')
    equal 'the answer to a change' "$(status_of "$answer")" 403
    [[ $answer == *'may not change rules'* ]] || die "$answer"
    if as outsider bpfctl web 2>/dev/null; then die 'others get a link'; fi
}

check_a_session_can_be_ended() {
    local cookie id
    log_in bpfctl web --read-only
    id=$(bpfctl web sessions --json | tail -n 1 | jq .id)
    as member bpfctl web revoke "$id" 2>/dev/null && die "another's session was ended"
    quietly bpfctl web revoke "$id"
    equal 'the answer after that' "$(status_of "$(http GET /api/v1/session "$cookie")")" 401
}

check_the_configuration_says_where_the_page_is() {
    at_exit rm -f /etc/bpf-recorder/config.d/web.toml
    at_exit systemctl daemon-reload
    mkdir -p /etc/bpf-recorder/config.d
    echo 'web-address = "127.0.0.1:9090"' >/etc/bpf-recorder/config.d/web.toml
    systemctl daemon-reload
    systemctl stop "$socket" "$page"
    systemctl restart "$unit"
    await_recording
    wait_for 20 systemctl --quiet is-active "$socket" || die 'there is no socket'
    address=127.0.0.1:9090
    log_in bpfctl web
    echo 'web-address = "none"' >/etc/bpf-recorder/config.d/web.toml
    systemctl stop "$socket" "$page"
    systemctl daemon-reload
    systemctl restart "$unit"
    await_recording
    equal 'the socket' "$(systemctl is-active "$socket")" inactive
    bpfctl web 2>&1 | grep -q 'switched off' || die "a link is given: $(bpfctl web 2>&1)"
}
