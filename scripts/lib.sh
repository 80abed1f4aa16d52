# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share: where things are, how to fail, and a private apt. To be sourced.

# An ordinary user's has neither, and half of what is needed here lies there.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck disable=SC2034 # used by those who source this
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${GLASS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/glass-vsock}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# need COMMAND...: everything that `make deps` would have installed.
need() {
	local command
	for command; do
		command -v "$command" >/dev/null || die "$command is not installed: run 'make deps'"
	done
}

# switches NAME...: settle the variables that are on with 1, and off with 0 or nothing; off, they are empty.
switches() {
	local name
	for name; do
		case ${!name:-} in
		1) ;;
		'' | 0) declare -g "$name=" ;;
		*) die "$name=${!name}: give 1, or 0 for no" ;;
		esac
	done
}

# await_line FILE PATTERN PID: wait until a line of FILE matches, which that process writes.
await_line() {
	local lines tail
	: >>"$1" # the process may not have come to make it
	exec {lines}< <(exec tail -n +1 -f --pid="$3" "$1")
	tail=$!
	timeout 30 grep -q -m 1 -- "$2" <&"$lines" || die "waited in vain for '$2' in $1: $(tail -n 3 "$1")"
	kill "$tail" 2>/dev/null || true
	exec {lines}<&-
}

# The file of a lock is never removed: a lock on a removed file would lock nobody out.
lock() {
	mkdir -p "$(dirname "$1")"
	exec {lock_fd}>"$1"
	flock "$lock_fd"
}

# scratch_in DIR: a directory there, as $work, that goes when this script ends, however it ends.
scratch_in() {
	mkdir -p "$1"
	work=$(mktemp -d "$1/.work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# Sources of this system, from either format: RELEASE URI FILE:ENTRY, those known to be Debian's first.
system_sources() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI) $(SOURCESENTRY) $(COMPONENT)' \
		'Created-By: Packages' |
		awk '$5 == "main" { print ($1 != "Debian"), $2, $3, $4 }' | sort -s -n -k 1,1 | cut -d ' ' -f 2-
}

# The keyring that an entry (FILE:NUMBER) of the system's sources names, else Debian's.
keyring_of() {
	local file=${1%:*} number=${1##*:} keyring
	case $file in
	*.sources) keyring=$(awk -v RS= -v n="$number" 'NR == n' "$file" | sed -n 's/^Signed-By: *\(\/\)/\1/p') ;;
	*) keyring=$(sed -n "${number}p" "$file" | sed -n 's/.*signed-by=\(\/[^] ]*\).*/\1/p') ;;
	esac
	echo "${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}

# source_line SUITE: a line of sources.list for it, from the mirror that this system itself uses.
source_line() {
	local suite=$1 like uri entry codename
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	case $suite in
	*-security) like=$codename-security ;;
	*) like=$codename ;;
	esac
	read -r uri entry < <(system_sources | awk -v like="$like" '$1 == like { print $2, $3; exit }') ||
		die "apt has no source for $like, so no mirror for $suite is known: add one to /etc/apt"
	echo "deb [signed-by=$(keyring_of "$entry")] $uri $suite main"
}

# private_apt DIR SUITE...: an apt of its own in DIR, reached through $APT_CONFIG; the system's is not touched.
private_apt() {
	local dir=$1 suite
	shift
	mkdir -p "$dir"/{lists,cache}/partial
	for suite; do source_line "$suite"; done >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-CONF
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir/cache";
		Acquire::Languages "none";
		APT::Sandbox::User "";
	CONF
	export APT_CONFIG=$dir/apt.conf
	apt-get -q=2 -o APT::Update::Error-Mode=any update >&2 || die "apt-get update failed: is the mirror in /etc/apt reachable?"
}

# unpack DIR PACKAGE...: download and unpack into DIR; nothing is installed, no script is run.
unpack() {
	local into=$1 debs=$1.debs deb
	shift
	mkdir "$debs"
	(cd "$debs" && apt-get -q=2 download "$@" >&2) || die "cannot download $*"
	for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$into"; done
	rm -r "$debs"
}
