# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts here share: a directory of their own, which they are in, with data in it. To be
# sourced. What they leave running ends with them, and its sockets.
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

LOCAL=1	# its CID

# make_data SIZE: a file "data" of so many bytes that do not repeat.
make_data() {
	head -c "$1" /dev/urandom >data
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
