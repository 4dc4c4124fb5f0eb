#!/bin/bash
# The main job, step by step, in the test machine: `make demo-vm` boots it for this.
#
# From a disk with the host's driver to a disk that a guest's own driver reads,
# over descriptors that ioasidd handed to an unprivileged QEMU; then the QEMU is
# killed, and the disk comes back. Each step is checked, and the first that does
# not hold ends it.
set -u
# shellcheck source=tests/show.bash
. "$(dirname "$0")/../show.bash"

state=$(mktemp -d)
out=$state/l2.out
uid=65534
export IOASIDD_SOCKET=$state/ioasidd.sock

fail() {
	printf 'FAILED: %s\n' "$*"
	tail -n 30 "$state/ioasidd.log"
	exit 1
}

start_daemon() {
	ioasidd --foreground --log-level debug --state-dir "$state" --socket "$IOASIDD_SOCKET" \
		>>"$state/ioasidd.log" 2>&1 &
	daemon=$!
	wait_for 80 ioasidctl version || fail "ioasidd does not answer"
}

lease_state() { ioasidctl --json lease show "$lease" | sed -n 's/^ *"state": *"\([A-Z]*\)".*/\1/p' | head -n 1; }
is_state() { [ "$(lease_state)" = "$1" ]; }

step "ioasidd starts. It owns the devices of this host; this is what there is"
start_daemon
show ioasidctl devices

step "the disk $NVME0 goes from its host driver to VFIO, is probed, and is ready"
show ioasidctl prepare "$NVME0" || fail "prepare"

step "QEMU starts as uid $uid without any capability, with descriptors from ioasidd"
echo "\$ ioasidctl run --device $NVME0 --uid $uid --memlock 1G --vmm qemu -- qemu-system-x86_64 ..."
chmod 755 "$state"
L2_APPEND=ioasid.loop=1 ioasidctl run --device "$NVME0" --uid $uid --gid $uid --memlock 1G --vmm qemu -- \
	/opt/ioasidd/tests/vm/l2-qemu >"$out" 2>&1 </dev/null &
vmm=$!
wait_for 360 grep -q "L2: marker" "$out" || {
	cat "$out"
	fail "the guest has not read the disk"
}

step "the guest's own nvme driver has read the first line of the disk, by DMA through the IOMMU"
grep "L2: marker" "$out"
grep -qF "$NVME0_MARKER" "$out" || fail "it is not the line that is on the disk"

step "what the VMM is, in the kernel's words: no capability, no privilege to gain"
show grep -E '^(Name|Uid|Gid|CapEff|CapBnd|NoNewPrivs)' /proc/$vmm/status
lease=$(ioasidctl --json lease list | grep -o 'leases/[0-9a-z]*' | head -n 1)
show ioasidctl lease show "$lease"

step "ioasidd is killed and started again: the guest does not notice, the lease is as it was"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start_daemon
is_state HELD || fail "the lease is $(lease_state), not HELD"
kill -0 $vmm || fail "the VMM has ended"
echo "the lease is HELD by process $vmm"

step "the VMM is killed: its device is taken back, reset and checked"
kill -9 $vmm
wait $vmm 2>/dev/null
wait_for 240 is_state ENDED || fail "the lease is $(lease_state), not ENDED"
show ioasidctl lease show "$lease"

step "the disk goes back to the host's driver, which reads the same line"
show ioasidctl restore "$NVME0" || fail "restore"
disk=/sys/bus/pci/devices/$NVME0/nvme
node_there() { compgen -G "$disk/nvme*/nvme*n1" >/dev/null && [ -b "/dev/$(node_name)" ]; }
node_name() { basename "$(compgen -G "$disk/nvme*/nvme*n1" | head -n 1)"; }
wait_for 120 node_there || fail "the host has no disk"
head -n 1 "/dev/$(node_name)" | tr -d '\0'

kill "$daemon"
wait "$daemon" || fail "ioasidd did not end well"
cat <<END

== shown: a stock QEMU without privilege drove a disk through the IOMMU over
   descriptors that ioasidd handed to it; ioasidd's death did not touch it; its
   own death gave the disk back, re-registered, reset and healthy.
END
