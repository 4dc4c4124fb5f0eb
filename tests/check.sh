#!/bin/bash
# Builds and tests: what `make check` and its relatives run. Every test writes TAP;
# the last line counts them all.
#
#	tests/check.sh fast	unit and daemon tests of the usual build
#	tests/check.sh check	prerequisites, four builds, unit and daemon tests of
#				each, the machines with a real kernel
#	tests/check.sh machines	every case on every IOMMU that can run it
#	tests/check.sh long	what check leaves out of soaks and sweeps
set -u
cd "$(dirname "$0")/.." || exit 1

mode=${1:?fast, check, machines or long}
out=$(mktemp -d "${TMPDIR:-/tmp}/ioasidd-check.XXXXXX")
jobs=$(nproc)

say() { printf '\n--- %s (%(%T)T)\n' "$*" -1; }

# result OK|"not ok" NAME: one line of TAP that is our own
result() { printf '%s - %s\n' "$1" "$2" >>"$out/own.tap"; echo "$1 - $2"; }

# tap_file: where the next program is to write
tap_file() { mktemp "$out/XXXXXX.tap"; }

# build FOLDER MAKE-ARGUMENT...: a build is a test that it has no warnings
build() {
	local folder=$1
	shift
	say "build $folder: $*"
	if make -s -j"$jobs" BUILD="$folder" "$@" all tests >"$out/$folder.log" 2>&1; then
		result ok "$folder builds without a warning ($*)"
	else
		tail -n 40 "$out/$folder.log"
		result "not ok" "$folder builds without a warning ($*)"
		return 1
	fi
}

# unit FOLDER: every unit test program of a build
unit() {
	local program tap
	say "unit tests of $1"
	for program in "$1"/tests/unit/test-*; do
		[ -x "$program" ] || continue
		tap=$(tap_file)
		# A program that dies before its plan is complete has failed.
		if ! CMOCKA_MESSAGE_OUTPUT=TAP setarch -R timeout 300 "$program" \
			>"$tap" 2>"$tap.err" && ! grep -v '# SKIP' "$tap" | grep -q '^not ok'; then
			echo "not ok - $program ended with a failure" >>"$tap"
		fi
		grep '^not ok' "$tap" && cat "$tap.err"
		sed -i -E "s|^((not )?ok) [0-9]+ (- )?|\1 - ${program#"$1"/tests/}: |" "$tap"
	done
}

# daemon FOLDER: the real daemon over its real socket, in pytest
daemon() {
	local tap
	say "daemon tests of $1"
	tap=$(tap_file)
	BUILD=$1 IOASID_TAP=$tap PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
		PYTHONPATH=tests/vm/guest setarch -R timeout 900 \
		/usr/bin/python3 -m pytest -q -p tap -p no:cacheprovider tests/daemon ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - the daemon tests of $1 did not end" >>"$tap"
}

# api FOLDER: JSON compared with what Google's reader and writer say
api() {
	local tap
	say "api tests of $1"
	tap=$(tap_file)
	BUILD=$1 IOASID_TAP=$tap PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
		PYTHONPATH=tests/vm/guest timeout 900 \
		/usr/bin/python3 -m pytest -q -p tap -p no:cacheprovider tests/api ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - the api tests of $1 did not end" >>"$tap"
}

# machine FOLDER IOMMU ARGUMENT...: tests in a machine with a real kernel
machine() {
	local folder=$1 iommu=$2 tap
	shift 2
	say "machine $iommu, $folder: $*"
	tap=$(tap_file)
	# Three to four times what a quiet host of two cores needs: each test has a
	# limit of its own.
	tests/vm/boot --iommu "$iommu" --build "$folder" --time-limit 2400 "$@" >"$tap" ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - machine $iommu with $folder did not run" >>"$tap"
	grep -E '^(ok|not ok)' "$tap"
	sed -n '/^not ok/,/^ok/p' "$tap" | grep '^#'
}

# summary NOT-RUN: what was left out, and the count; fails if a test failed
summary() {
	local passed failed skipped
	# cmocka says "not ok # SKIP", others "ok # SKIP".
	passed=$(cat "$out"/*.tap | grep -v '# SKIP' | grep -c '^ok' || true)
	skipped=$(cat "$out"/*.tap | grep -cE '^(not )?ok.*# SKIP' || true)
	failed=$(cat "$out"/*.tap | grep -v '# SKIP' | grep -c '^not ok' || true)
	if [ "$((failed + skipped))" -gt 0 ]; then
		echo
		cat "$out"/*.tap | grep -E '^not ok|# SKIP'
		echo "logs: $out"
	elif [ "$passed" -gt 0 ]; then
		rm -rf "$out"
	fi
	echo
	echo "$1"
	echo "$passed passed, $failed failed, $skipped skipped"
	# Without the test kernel's headers, say, the inner loop goes on; a check
	# that has skipped something has not shown it.
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ] &&
		{ [ "$skipped" = 0 ] || [ "$mode" = fast ]; }
}

# needs KIND...: what has to be installed; without it nothing can be shown
needs() {
	say "prerequisites: $*"
	packaging/prerequisites.sh "$@" >"$out/prerequisites.log" 2>&1 || {
		cat "$out/prerequisites.log"
		result "not ok" "prerequisites can be installed: $*"
		summary "nothing else was run"
		exit 1
	}
}

# kernel: have the test kernel, which takes long the first time
kernel() {
	say "test kernel"
	if tests/vm/kernel 2>"$out/kernel.log"; then
		result ok "the test kernel has every option it needs"
	else
		tail -n 20 "$out/kernel.log"
		result "not ok" "the test kernel has every option it needs"
		return 1
	fi
}

ASAN="SANITIZE=address,undefined OPT=-O1"
TSAN="SANITIZE=thread OPT=-O1"

# What is worth a boot of every machine, and of the sanitizers' builds.
anywhere=(tests/vm/cases/test_machine.py tests/vm/cases/test_inventory.py)
sanitized=(--env ASAN_OPTIONS=abort_on_error=1 --pytest-arg=-m --pytest-arg=sanitize
	tests/vm/cases)

fast() {
	needs build test
	build build && unit build && api build && daemon build
	summary "left to make check: other compilers and sanitizers, the machines"
}

check() {
	needs build test vm
	# The kernel is built while the rest is: it is one long job.
	kernel
	build build && unit build && api build && daemon build
	build build-clang CC=clang OPT=-O0 && unit build-clang
	# shellcheck disable=SC2086
	build build-asan $ASAN && unit build-asan && api build-asan && daemon build-asan
	# shellcheck disable=SC2086
	build build-tsan $TSAN && unit build-tsan && daemon build-tsan
	machine build vtd-scalable tests/vm/cases
	machine build vtd-legacy "${anywhere[@]}"
	machine build virtio "${anywhere[@]}"
	machine build none "${anywhere[@]}"
	machine build-asan vtd-scalable "${sanitized[@]}"
	machine build-tsan vtd-scalable "${sanitized[@]}"
	summary "left to make check-long: 10,000 messages as JSON, 1,000 leases and 50 of a disk, kills at every step of everything; to make check-machines: the other cases on other IOMMUs"
}

machines() {
	local iommu

	needs build test vm
	kernel
	build build && for iommu in vtd-scalable vtd-legacy virtio amd none; do
		machine build "$iommu" tests/vm/cases
	done
	summary "left to make check: other compilers and sanitizers; to make check-long: soaks and sweeps"
}

long() {
	needs build test vm
	kernel
	build build && IOASID_LONG=1 api build && machine build vtd-scalable --env IOASID_LONG=1 --time-limit 3600 tests/vm/cases
	summary "left out: nothing that there is"
}

case $mode in
fast | check | machines | long) "$mode" ;;
*)
	echo "check.sh: '$mode' is none of fast, check, machines, long" >&2
	exit 2
	;;
esac
