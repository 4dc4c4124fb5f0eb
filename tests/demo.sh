#!/bin/bash
# make demo: the main job on a simulated server, in a minute and on any machine.
# Installs what building needs, builds, starts ioasidd-sim, and shows what an
# administrator and a VMM do, each step with what it means. Each step is checked;
# the first that does not hold ends it.
#
# The same on a real kernel, with a disk and a guest: make demo-vm.
#
# Environment: BUILD (build), MACHINE (packaging/machines/vtd-server.json)
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/show.bash
. tests/show.bash

build=${BUILD:-build}
machine=${MACHINE:-packaging/machines/vtd-server.json}
# The accelerator of that machine: a device with a DMA engine that the
# simulation has the registers of.
device=0000:e5:00.0
uid=65534
state=$(mktemp -d "${TMPDIR:-/tmp}/ioasidd-demo.XXXXXX")
daemon=
quiet_log=$state/log
export IOASIDD_SOCKET=$state/ioasidd.sock
PATH=$PWD/$build:$PATH

finish() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	ioasidd-sim --state-dir "$state" --poke power-off >/dev/null 2>&1
	rm -rf "$state"
}
trap finish EXIT

fail() {
	printf 'FAILED: %s\n' "$*"
	tail -n 30 "$state/log"
	exit 1
}

start_daemon() {
	ioasidd-sim --machine "$machine" --foreground --state-dir "$state" \
		--socket "$IOASIDD_SOCKET" >>"$state/log" 2>&1 &
	daemon=$!
	wait_for 20 ioasidctl version || fail "ioasidd-sim does not answer"
}

# newest_lease: the lease that was made last
newest_lease() { ioasidctl --json lease list | grep -o 'leases/[0-9a-z]*' | head -n 1; }
lease_is() { ioasidctl --json lease show "$lease" | grep -q "\"state\": *\"$1\""; }
driver_of() { ioasidctl --json device show "$device" | sed -n 's/^ *"driver": *"\(.*\)".*/\1/p' | head -n 1; }

quiet "install what building needs" packaging/prerequisites.sh build
quiet "build ioasidd, ioasidctl and libioasid" make -s -j"$(nproc)" BUILD="$build" \
	all "$build/tests/progs/edu-dma" "$build/tests/progs/reclaim-holder"
# Another uid is to run them, and may not see where this tree is.
cp "$build/tests/progs/edu-dma" "$build/tests/progs/reclaim-holder" "$state" || fail "copy"
chmod 755 "$state"

step "ioasidd-sim starts on a simulated server; some of what there is"
start_daemon
printf '$ ioasidctl devices\n'
ioasidctl devices | head -n 12
echo "... and more"
former=$(driver_of)

step "a device leaves its host driver for VFIO, with its whole group; a probe finds out what it can do"
show ioasidctl prepare "$device" || fail "prepare"
show ioasidctl device show "$device"

step "an orchestrator sees the same over REST (gRPC is on the same socket): what can be leased"
rest() { curl -sS --fail-with-body --unix-socket "$state/api.sock" "$@"; }
echo '$ curl --unix-socket api.sock "http://ioasidd/v1/devices?state=READY"'
rest -o "$state/ready" "http://ioasidd/v1/devices?state=READY" || fail "$(cat "$state/ready")"
grep -o '"name":"devices/[^"]*","revision":"[0-9]*","etag":"[^"]*","state":"[A-Z]*"' "$state/ready" ||
	fail "no device is ready"

step "a lease is addressed to uid $uid, who needs no privilege to claim it"
show ioasidctl lease create --uid $uid "$device" || fail "lease create"
lease=$(newest_lease)

step "a program of that uid fetches the descriptors, maps memory and has the device carry it"
echo "\$ edu-dma $lease"
setpriv --reuid $uid --regid $uid --clear-groups --no-new-privs \
	"$state/edu-dma" "$lease" || fail "edu-dma"

step "it has ended: ioasidd took the device back, reset it and checked it, before anybody else gets it"
wait_for 20 lease_is ENDED || fail "$lease is not ended"
show ioasidctl lease show "$lease"

step "do the windows that a guest needs fit the device? those of a POWER guest do not, and it says why"
show ioasidctl window plan --device "$device" size=2G,start=0 size=64G || fail "window plan"
show ioasidctl window plan --device "$device" size=2G,start=0 size=1T,start=0x800000000000000 &&
	fail "what is beyond the aperture was given"

step "a lease that ioasidd keeps: its space is made now, promises its window, and outlives its holder"
show ioasidctl lease create --mode hold --uid $uid --space 'window size=2G,start=0' "$device" ||
	fail "lease create --mode hold"
lease=$(newest_lease)
show ioasidctl space list || fail "space list"
show ioasidctl lease release "$lease" || fail "lease release"

step "a VMM is launched with the descriptors in its hands"
echo "\$ ioasidctl run --device $device --uid $uid -- VMM {iommufd} {device0}"
ioasidctl run --device "$device" --uid $uid --gid $uid --vmm none -- \
	"$state/reclaim-holder" '{iommufd}' '{device0}' bind id >"$state/vmm" 2>&1 </dev/null &
vmm=$!
wait_for 20 grep -q "^done" "$state/vmm" || { cat "$state/vmm"; fail "the VMM"; }
cat "$state/vmm"
lease=$(newest_lease)

step "ioasidd is killed and started again: the VMM does not notice, the lease is as it was"
{
	kill -9 "$daemon"
	wait "$daemon"
} 2>/dev/null
start_daemon
lease_is HELD || fail "$lease is not held"
kill -0 $vmm || fail "the VMM has ended"
echo "$lease is HELD by process $vmm"

step "the VMM crashes: its device comes back by itself"
{
	kill -9 $vmm
	wait $vmm
} 2>/dev/null
wait_for 20 lease_is ENDED || fail "$lease is not ended"
show ioasidctl lease show "$lease"

step "the device goes back to its driver"
show ioasidctl restore "$device" || fail "restore"
[ "$(driver_of)" = "$former" ] || fail "it is with driver '$(driver_of)', not '$former'"

kill "$daemon"
wait "$daemon" || fail "ioasidd-sim did not end well"
daemon=
cat <<END

== shown, on a simulated machine: a device went to VFIO and back, seen over REST
   as well; two programs without privilege had its descriptors, one moved memory
   through it; neither ioasidd's death nor theirs lost it; I/O windows were placed,
   or refused with what is in the way. On a real kernel:
   make demo-vm.
END
