# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts here share: a directory of their own, which they are in, with data in it. To be
# sourced. What they leave running ends with them, and its sockets.
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

HOST=2 OWN=3 LOCAL=1	# CIDs
PEER_CALL=7006	# of tests/interop/peer.h

# make_data SIZE: a file "data" of so many bytes that do not repeat.
make_data() {
	head -c "$1" /dev/urandom >data
}

# call_from_host PORT: have the host connect to a port of this guest; descriptor 9 sends, 8 receives.
call_from_host() {
	local port
	coproc call { exec socat - "VSOCK-CONNECT:$HOST:$PEER_CALL"; }
	# A coprocess's own are not passed on to jobs in the background.
	# shellcheck disable=SC2154 # bash assigns it
	exec 8<&"${call[0]}" 9>&"${call[1]}"
	printf -v port '\\x%02x\\x%02x\\0\\0' $(($1 & 255)) $(($1 >> 8))
	# shellcheck disable=SC2059 # the number's bytes
	printf "$port" >&9
}

hang_up() {
	# shellcheck disable=SC2154 # bash assigns it
	kill "$call_PID"
}

# shellcheck disable=SC2317 # the trap reaches it
end_jobs() {
	local pids
	mapfile -t pids < <(jobs -p)
	if [ ${#pids[@]} != 0 ]; then
		kill "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" 2>/dev/null || true
	fi
	rm -rf "$work"
}

scratch_in /tmp
trap end_jobs EXIT
cd "$work"
