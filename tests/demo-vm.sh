#!/bin/bash
# make demo-vm: from a bare machine to a disk read inside a guest, over
# descriptors that ioasidd handed to an unprivileged QEMU. Installs what it
# needs, builds, boots a machine with an emulated IOMMU and a real kernel, and
# shows tests/vm/main-job.sh in it.
#
# The first time the kernel of that machine is built, which takes about ten
# minutes on two cores; it is kept in ${IOASIDD_CACHE:-/var/cache/ioasidd-test}.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/show.bash
. tests/show.bash

folder=$(mktemp -d "${TMPDIR:-/tmp}/ioasidd-demo.XXXXXX")
quiet_log=$folder/log
follower=
finish() {
	[ -z "$follower" ] || kill "$follower" 2>/dev/null || true
	rm -rf "$folder"
}
trap finish EXIT

quiet "install what building and the test machine need" \
	packaging/prerequisites.sh build test vm
quiet "build ioasidd, ioasidctl and libioasid" make -s -j"$(nproc)" all tests
quiet "have the kernel of the test machine" tests/vm/kernel
echo "--- boot a machine with an emulated IOMMU (${IOMMU:-vtd-scalable}), and in it:"

# What is shown is written inside the machine; follow it as it comes.
mkdir "$folder/run"
(
	until log=$(compgen -G "$folder/run/*/results/*.log"); do sleep 0.2; done
	exec tail -n +1 -f "$log"
) &
follower=$!

TMPDIR=$folder/run tests/vm/boot --keep tests/vm/main-job.sh >"$folder/tap" 2>&1 || {
	cat "$folder/tap"
	exit 1
}
sleep 1
