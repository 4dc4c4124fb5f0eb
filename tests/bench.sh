#!/bin/bash
# Benchmarks: ioasidd against a named reference in the same run. No test: it
# fails only if something cannot be measured. About 3 minutes. What it needs
# beside a build is installed by packaging/prerequisites.sh bench; mappings on a
# real kernel, by libioasid and by QEMU, are left out where there is no test machine.
#
# usage: tests/bench.sh BUILD
#
# Environment:
#	MACHINE=1	the claim in the test machine too: 1 minute more, and ten
#			the first time, when it builds its kernel
#	BENCH_DIR	a folder on the disk to measure (the build folder's)
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}

mkdir -p "${BENCH_DIR:-$build}"
dir=$(mktemp -d "${BENCH_DIR:-$build}/bench.XXXXXX")
# Short, as the address of a socket has to be.
state=$(mktemp -d "${TMPDIR:-/tmp}/ioasidd-bench.XXXXXX")
trap 'rm -rf "$dir" "$state"' EXIT

# table PROGRAM ARGUMENT...: its table, without the marks for TAP
table() {
	local program=$1
	shift
	"$build/tests/bench/$program" "$@" | sed -n 's/^# //p'
	echo
}

# machine_there: can the test machine be started without building anything?
machine_there() {
	command -v qemu-system-x86_64 >/dev/null && tests/vm/kernel --cached >/dev/null 2>&1
}

# in_machine PROGRAM ARGUMENT-OF-BOOT...: likewise; what else the machine says if
# it fails
in_machine() {
	local out program=$1
	shift
	out=$(tests/vm/boot --smp 1 --build "$build" "$@" "$program") || {
		printf '%s\n' "$out"
		return 1
	}
	sed -n 's/^# //p' <<<"$out"
	echo
}

set -o pipefail
printf '%s, %d processors, load %s, Linux %s, disk: %s\n\n' "$(date +%F)" \
	"$(nproc)" "$(cut -d ' ' -f 1 /proc/loadavg)" "$(uname -r)" \
	"$(stat -f -c %T "$dir")"
table store "$dir"
mkdir "$state/socket" "$state/start"
table socket "$build/ioasidd" "$state/socket"
table start "$build/ioasidd" "$state/start"
mkdir "$state/many"
table many "$build/ioasidd-sim" packaging/machines/many-vfs.json \
	packaging/machines/testbed.json "$state/many"
mkdir "$state/map"
table map "$build/ioasidd-sim" packaging/machines/testbed.json "$state/map"
mkdir "$state/api"
table api "$build/ioasidd-sim" packaging/machines/testbed.json \
	"$build/tests/bench/grpc-reference" "$state/api"
if machine_there || [ "${MACHINE:-0}" != 0 ]; then
	in_machine "$build/tests/bench/map" | tee "$state/mapped"
	in_machine tests/bench/qemu-map --env \
		LIBIOASID_NS="$(awk '/ioasid_unmap, 4 KiB/ { print $6 }' "$state/mapped")"
else
	echo "left out: libioasid's mappings on a real kernel: this host has no test machine yet (packaging/prerequisites.sh vm; tests/vm/kernel, 10 minutes)"
fi
if [ "${MACHINE:-0}" != 0 ]; then
	in_machine "$build/tests/bench/claim"
else
	echo "left out: the claim of a device in the test machine (make bench MACHINE=1, 1 minute)"
fi
