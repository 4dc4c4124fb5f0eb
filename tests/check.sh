#!/bin/bash
# Builds and tests: what `make check` and its relatives run. Every test writes TAP;
# the last line counts them all.
#
#	tests/check.sh fast	unit and daemon tests of the usual build
#	tests/check.sh check	prerequisites, five builds, unit and daemon tests of
#				each, a sample of the faults, the machines with
#				a real kernel
#	tests/check.sh machines	every case on every IOMMU that can run it; prints the
#				matrix of what was shown where
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

# suite FOLDER LIMIT TESTS...: in pytest, against the real programs of a build; to
# end within so many seconds
suite() {
	local tap folder=$1 limit=$2
	shift 2
	tap=$(tap_file)
	BUILD=$folder IOASID_TAP=$tap PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
		PYTHONPATH=tests/vm/guest setarch -R timeout "$limit" \
		/usr/bin/python3 -m pytest -q -p tap -p no:cacheprovider \
		${quick:+-m "not slow"} "$@" ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - $* with $folder did not end" >>"$tap"
}

# daemon FOLDER: the real daemon over its real socket
daemon() {
	say "daemon tests of $1"
	suite "$1" 900 tests/daemon
}

# faults FOLDER: every operation with its calls failing; a line for each says
# how many points were failed. IOASID_LONG=1: all of them.
faults() {
	say "fault sweep of $1${IOASID_LONG:+, all of it}"
	suite "$1" 7200 tests/faults
}

# api FOLDER: JSON compared with what Google's reader and writer say; what
# ioasid-api makes of HTTP, of good will and of bad
api() {
	say "api tests of $1"
	suite "$1" 1800 tests/api
}

# sandbox FOLDER: what ioasid-api has given up; with FAULTS it also tries
sandbox() {
	say "sandbox of $1"
	suite "$1" 300 tests/api/test_sandbox.py
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

# conformance FOLDER DESCRIPTION FACTS TESTS...: the suite on a simulated machine;
# what it has found out goes to a file
conformance() {
	say "conformance of the simulation of $2, $1"
	IOASID_MACHINE=$(realpath "$2") IOASID_FACTS=$3 \
		suite "$1" 600 "${@:4}"
}

# conforms FOLDER IOMMU [TESTS...]: the suite on the real kernel and on the
# simulation of the same machine, as it was captured there; each difference is a
# failure
conforms() {
	local known=packaging/machines/testbed.json tap tests=("${@:3}")
	[ ${#tests[@]} -gt 0 ] || tests=(tests/conformance)
	machine "$1" "$2" --results "$out/real" "${tests[@]}"
	tests/conformance/complete.py "$out/real/$2/machine.json" "$known" >"$out/$2.json"
	conformance "$1" "$out/$2.json" "$out/$2.facts.json" "${tests[@]}"
	say "the simulation is as the kernel, $2"
	tap=$(tap_file)
	tests/conformance/compare.py "$out/real/$2/facts.json" "$out/$2.facts.json" >"$tap" ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - the two runs with $2 could not be compared" >>"$tap"
	grep -A9 '^not ok' "$tap"
	tail -n 1 "$tap"
}

# backends FOLDER IOMMU: the suite on one machine with iommufd and with VFIO type1;
# each difference has to be in the suite's list, with its reason
backends() {
	local tap
	machine "$1" "$2" --results "$out/iommufd" tests/conformance
	machine "$1" "$2" --results "$out/type1" --env IOASID_BACKEND=type1 tests/conformance
	say "type1 answers as iommufd, $2"
	tap=$(tap_file)
	tests/conformance/backends.py "$out"/{iommufd,type1}/"$2/facts.json" >"$tap" ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - the two backends with $2 could not be compared" >>"$tap"
	grep -A9 '^not ok' "$tap"
	tail -n 1 "$tap"
}

# mutants FOLDER ARGUMENT...: rules of the simulation switched off, one after the
# other; each has to be noticed by the suite
mutants() {
	local folder=$1 tap
	shift
	say "mutants of the simulation: ${*:-all}"
	tap=$(tap_file)
	tests/conformance/mutants.py --build "$folder" "$@" >"$tap" ||
		grep -q '^not ok' "$tap" ||
		echo "not ok - the mutants were not all tried" >>"$tap"
	grep -v '^ok' "$tap"
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

# kernel WORDS [ARGUMENT...]: have a kernel of the test machines; ours takes long
# the first time
kernel() {
	local name=$1
	shift
	say "$name"
	if tests/vm/kernel "$@" 2>"$out/kernel.log"; then
		result ok "$name is there"
	else
		tail -n 20 "$out/kernel.log"
		result "not ok" "$name is there"
		return 1
	fi
}

OURS="the test kernel with every option it needs"

ASAN="SANITIZE=address,undefined OPT=-O1"
TSAN="SANITIZE=thread OPT=-O1"

# What is worth a boot of every machine, and of the sanitizers' builds.
anywhere=(tests/vm/cases/test_machine.py tests/vm/cases/test_inventory.py)
# What Debian's own kernel can run, which has no iommufd.
mapfile -t type1 < <(
	compgen -G "tests/vm/cases/test_*type1.py"
	compgen -G "tests/vm/cases/test_nodes.py")

strict=(--env ASAN_OPTIONS=abort_on_error=1)
# A lease takes three times as long under a sanitizer.
sanitized=("${strict[@]}" --env IOASID_LEASES=30 --pytest-arg=-m --pytest-arg=sanitize
	tests/vm/cases)

# beside STORY STORY: both at once; each waits more than it works
beside() {
	"$1" &
	"$2"
	wait
}

daemon_build() { daemon build; }
quick_tests() {
	unit build
	api build
	conformance build packaging/machines/testbed.json "$out/facts.json" tests/conformance
}

fast() {
	local quick=yes

	needs build test
	build build && beside quick_tests daemon_build
	summary "left to make check: tests that are marked slow, other compilers and sanitizers, the machines"
}

plain_builds() {
	build build && unit build && api build && daemon build
	build build-clang CC=clang OPT=-O0 && unit build-clang
	build build-faults FAULTS=1 && unit build-faults && sandbox build-faults &&
		faults build-faults &&
		mutants build-faults --sample
}

watched_builds() {
	# shellcheck disable=SC2086
	build build-asan $ASAN && unit build-asan && api build-asan && daemon build-asan
	# shellcheck disable=SC2086
	build build-tsan $TSAN && unit build-tsan && daemon build-tsan
}

# Every case once; beside it what takes about as long together. A machine has one
# CPU.
plain_machines() {
	machine build vtd-scalable tests/vm/cases
	conforms build vtd-scalable
	conforms build vtd-legacy
	conforms build virtio
}

other_machines() {
	machine build-asan vtd-scalable "${sanitized[@]}"
	machine build-tsan vtd-scalable "${sanitized[@]}"
	machine build vtd-legacy "${anywhere[@]}"
	machine build virtio "${anywhere[@]}"
	machine build none "${anywhere[@]}"
	machine build vtd-legacy --kernel-of debian "${anywhere[@]}" "${type1[@]}"
	# All of the suite there: make check-machines.
	conforms build none tests/conformance/test_{no_iommu,windows,hold}.py
}

check() {
	needs build test vm
	kernel "$OURS"
	kernel "Debian's own kernel" --debian
	beside watched_builds plain_builds
	beside other_machines plain_machines
	summary "left to make check-long: 10,000 messages as JSON, grpc-go and a client made of openapi.json, most points of the fault sweep, most mutants, 1,000 leases and 50 of a disk, hundreds of hold leases, kills at every step of everything, all cases with sanitizers; to make check-machines: all cases on other IOMMUs, SMMUv3, POWER, and the conformance suite on AMD-Vi, without an IOMMU and on type1"
}

# matrix: what was shown on which machine. It is kept in build/matrix, from where
# `make matrix` writes it into README.md.
matrix() {
	local file

	say "what was shown on which machine"
	tests/vm/matrix "$out/results" || result "not ok" "the matrix has no cell that failed"
	rm -rf build/matrix
	for file in "$out"/results/*/cells.jsonl; do
		install -D -m 644 "$file" "build/matrix/${file#"$out/results/"}"
	done
	echo "make matrix writes this into README.md"
}

# Where results for the matrix go.
kept=(--results "$out/results")

# all_cases IOMMU...: every case on them
all_cases() {
	local iommu

	for iommu; do
		machine build "$iommu" "${kept[@]}" tests/vm/cases
	done
}

most_machines() { all_cases vtd-scalable vtd-legacy virtio none; }

# Other kernels, other processors, another QEMU; what is compared.
other_hosts() {
	all_cases amd
	machine build-aarch64-linux-gnu smmuv3 "${kept[@]}" "${anywhere[@]}" "${type1[@]}"
	machine build-aarch64-linux-gnu smmuv3 --kernel-of ours "${kept[@]}" tests/vm/cases
	machine build-powerpc64le-linux-gnu spapr "${kept[@]}" tests/vm/cases/test_spapr.py
	machine build vtd-legacy --kernel-of debian "${kept[@]}" "${anywhere[@]}" "${type1[@]}"
	conforms build none
	conforms build amd
	backends build vtd-scalable
}

machines() {
	needs build test vm arm power amd cross
	kernel "$OURS"
	kernel "the same for aarch64" arm64
	build build && build build-aarch64-linux-gnu CROSS=aarch64-linux-gnu &&
		build build-powerpc64le-linux-gnu CROSS=powerpc64le-linux-gnu &&
		beside other_hosts most_machines
	matrix
	summary "left to make check: other compilers and sanitizers; to make check-long: soaks and sweeps"
}

long_sweeps() {
	IOASID_LONG=1 faults build-faults
	mutants build-faults
	IOASID_LONG=1 api build
}

long_machines() {
	local long=(vtd-scalable --time-limit 7200 tests/vm/cases)

	machine build "${long[@]}" --env IOASID_LONG=1
	machine build-asan "${long[@]}" "${strict[@]}"
	machine build-tsan "${long[@]}" "${strict[@]}"
}

long() {
	needs build test vm long
	kernel "$OURS"
	# shellcheck disable=SC2086
	build build && build build-faults FAULTS=1 && build build-asan $ASAN &&
		build build-tsan $TSAN && beside long_sweeps long_machines
	summary "left to make check-machines: all cases on other IOMMUs"
}

case $mode in
fast | check | machines | long) "$mode" ;;
*)
	echo "check.sh: '$mode' is none of fast, check, machines, long" >&2
	exit 2
	;;
esac
