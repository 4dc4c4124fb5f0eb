# SPDX-License-Identifier: Apache-2.0
"""The main job, on the simulated machine: no IOMMU is needed for any of it.

The daemon is ioasidd-sim, the machine a process of its own. Programs are those
that run in the test machine with a real kernel, unchanged.
"""

import errno
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import BUILD
from daemon import ALARM, NOBODY
from machine import MACHINES, alive, wait

EDU, OTHER_EDU, NVME = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
LADDER = ["holders", "override", "unbind", "probe", "answer", "bind", "reset",
          "health"]


def acts(lease):
    """What was done to its devices, and that all of it went well."""
    assert {step["result"] for step in lease["reclaim"]} == {"ok"}, lease
    return [step["act"] for step in lease["reclaim"]]


def bdf_of(name):
    """devices/pci-0000-3b-00.0 as 0000:3b:00.0."""
    return name.removeprefix("devices/pci-").replace("-", ":")


def run_sim(machine, *more):
    """A start of ioasidd-sim that is expected to fail: what it said."""
    done = subprocess.run(machine.command(*more), capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert not ALARM.search(done.stderr), done.stderr
    return done.stderr


# --- what there is ---

def test_devices_are_those_of_the_description(sim):
    devices = {device["pci"]["bdf"]: device
               for device in sim.ctl("devices")["devices"]}
    assert devices[EDU]["state"] == "HOST"
    assert devices[NVME]["driver"] == "nvme"
    assert sim.ctl("version")["backend"] == "sim"
    groups = {group["name"]: group for group in sim.ctl("groups")["groups"]}
    assert len(groups["groups/pci-0000-05-00.0"]["devices"]) == 2


@pytest.mark.parametrize("name", sorted(
    path.stem for path in MACHINES.glob("*.json")))
def test_every_example_starts_and_lists(make_machine, name):
    machine = make_machine(name)
    machine.start()
    assert machine.ctl("devices")["devices"]


def test_4096_vfs_are_listed(make_machine):
    machine = make_machine("many-vfs")
    machine.start()
    devices = machine.ctl("devices", "--all")["devices"]
    vfs = [device for device in devices if device["pci"].get("physicalFunction")]
    assert len(vfs) == 4096


def test_prepared_device_tells_what_its_iommu_can_do(sim):
    sim.ctl("prepare", EDU)
    device = sim.device(EDU)
    assert (device["state"], device["driver"]) == ("READY", "vfio-pci")
    ranges = device["capabilities"]["iovaRanges"]
    # Below and above where interrupts are.
    assert len(ranges) == 2, ranges


def test_device_in_use_is_refused_with_its_users(make_machine):
    machine = make_machine("laptop")
    machine.start()
    refusal = machine.refused("prepare", "0000:02:00.0")
    assert refusal.id == "device.in-use"
    assert "/boot" in refusal.words and "dm-0" in refusal.words


# --- leases ---

def test_claimed_device_carries_what_is_mapped_and_nothing_else(sim):
    sim.ctl("prepare", EDU)
    lease, said = sim.carry(EDU)
    assert "carried 4096 bytes there and back" in said
    assert "what is not mapped is out of reach" in said
    assert acts(sim.wait_ended(lease)) == LADDER
    assert sim.device(EDU)["state"] == "READY"
    # And again, by somebody else.
    sim.carry(EDU)


def test_claim_says_that_it_is_simulated_and_is_as_it_should_be(sim):
    sim.ctl("prepare", EDU)
    lease = sim.ctl("lease", "create", "--uid", "0", EDU)["name"]
    with sim.connect() as client:
        number = client.next_id()
        client.send("Leases/ClaimLease", client_request(lease), number)
        reply, fds = receive_claim(client)
        assert reply.simulated and len(fds) == 2
        for fd in fds:
            os.close(fd)
    lease = sim.ctl("lease", "create", "--uid", str(NOBODY), OTHER_EDU) \
        if sim.ctl("prepare", OTHER_EDU) else None
    program = subprocess.Popen(
        [sim.prog("claim"), lease["name"]], env=sim.environment, user=NOBODY,
        group=NOBODY, extra_groups=[], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    line = program.stdout.readline()
    program.communicate("", timeout=60)
    # What takes CAP_SYS_RESOURCE is done, and the holder cannot do it.
    assert f"cloexec 2 mode 1 set {errno.EPERM} unbound 1 first 1" in line


def client_request(lease):
    """The payload of a claim."""
    from ioasid.v1 import lease_pb2
    return lease_pb2.ClaimLeaseRequest(name=lease).SerializeToString()


def receive_claim(client):
    """The reply of a claim, and its descriptors."""
    import socket

    from ioasid.v1 import envelope_pb2, lease_pb2
    data, fds, _, _ = socket.recv_fds(client.sock, 2 ** 19, 65)
    answer = envelope_pb2.Envelope.FromString(data)
    assert answer.WhichOneof("body") == "reply", answer
    return lease_pb2.ClaimLeaseResponse.FromString(answer.reply.payload), fds


def test_dead_holders_device_is_made_safe_rung_by_rung(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "bind", "id")
    assert "id: 010000ed" in holder.said()
    lease = sim.lease_of(holder.pid)
    holder.kill()
    ended = sim.wait_ended(lease)
    assert acts(ended) == LADDER
    assert ended["endReason"] == "holder ended"
    assert sim.device(EDU)["state"] == "READY"


def test_leases_come_and_go_without_a_trace(sim):
    sim.ctl("prepare", EDU)
    sim.ctl("prepare", OTHER_EDU)

    def held():
        """What a lease could leave in the daemon."""
        links = os.scandir(f"/proc/{sim.process.pid}/fd")
        return [name for name in (os.readlink(link.path) for link in links)
                if name.startswith(("socket:", "anon_inode:[pidfd]"))]
    before = len(held())
    cycle = sim.start_holder(sim.prog("cycle"), "50", str(NOBODY),
                             "devices/pci-0000-01-00.0",
                             "devices/pci-0000-02-00.0")
    assert cycle.process.wait(300) == 0, cycle.said()
    assert "100 leases" in cycle.said()
    wait(lambda: len(held()) <= before, "descriptors are closed")
    state = sim.poke("state")
    assert "file" not in state, state


def test_qemu_is_refused_with_words(sim):
    sim.ctl("prepare", EDU)
    done = subprocess.run(
        [sim.build / "ioasidctl", "run", "--device", EDU, "--uid",
         str(NOBODY), "--vmm", "qemu", "--", "/bin/true"],
        env=sim.environment, capture_output=True, text=True, timeout=60,
        check=False)
    assert done.returncode == 1
    assert "simulated machine" in done.stderr
    sim.wait_device(EDU, "READY")


# --- somebody has it still ---

def test_child_that_kept_the_device_is_named(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "bind", "fork", "id")
    child, = holder.children()
    holder.kill()
    device = sim.wait_device(EDU, "QUARANTINED")
    assert f"process {child}" in device["stateReason"]
    refusal = sim.refused("device", "recover", EDU)
    assert refusal.id == "device.held" and str(child) in refusal.words

    os.kill(child, signal.SIGKILL)
    wait(lambda: not alive(child), "the child has ended")
    sim.ctl("device", "recover", EDU)
    sim.carry(EDU)


@pytest.mark.slow
def test_parked_device_is_stuck_until_it_is_let_go(sim):
    sim.ctl("prepare", EDU)
    sim.ctl("prepare", OTHER_EDU)
    holder = sim.hold(EDU, "fork", "park", "wait", "drop", "wait")
    child, = holder.children()
    holder.kill()
    device = sim.wait_device(EDU, "STUCK")
    assert str(sim.pid_of_machine()) in device["stateReason"]
    assert sim.refused("device", "recover", EDU).id == "device.stuck"
    # The call that hangs holds up nobody else, and outlives the daemon.
    sim.carry(OTHER_EDU)
    sim.restart()
    assert sim.device(EDU)["state"] == "STUCK"

    os.kill(child, signal.SIGUSR1)
    wait(lambda: "drop: ok" in holder.said(), "the child has let go")

    def recovered():
        try:
            sim.ctl("device", "recover", EDU)
        except Exception as failed:  # the call is about to come back
            assert "device.stuck" in str(failed)
            return False
        return True
    wait(recovered, "the device is recovered")
    sim.carry(EDU)


# --- crashes ---

def test_lease_outlives_its_daemon(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "wait", "bind", "id", "wait")
    lease = sim.lease_of(holder.pid)
    machine = sim.pid_of_machine()
    sim.restart()
    assert sim.pid_of_machine() == machine
    assert sim.lease(lease)["state"] == "HELD"
    # The holder notices nothing.
    os.kill(holder.pid, signal.SIGUSR1)
    holder.wait_for("id: ")
    assert "bind: ok" in holder.said() and "id: 010000ed" in holder.said()
    holder.kill()
    assert acts(sim.wait_ended(lease)) == LADDER


def test_holder_that_dies_unwatched_is_reclaimed_at_the_next_start(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "bind")
    lease = sim.lease_of(holder.pid)
    sim.kill()
    holder.kill()
    sim.start()
    assert acts(sim.wait_ended(lease)) == LADDER
    sim.carry(EDU)


@pytest.mark.slow
def test_machine_without_anybody_ends_after_a_while(make_machine):
    machine = make_machine()
    machine.start("--machine-linger", "1")
    machine.ctl("prepare", EDU)
    holder = machine.hold(EDU)
    pid = machine.pid_of_machine()
    machine.kill()
    time.sleep(2)
    assert alive(pid), "somebody has a descriptor of it"
    holder.kill()
    wait(lambda: not alive(pid), "the machine ends")
    assert not (machine.state / "machine.sock").exists()
    # Another one is another boot.
    machine.start()
    assert machine.pid_of_machine() != pid
    machine.wait_device(EDU, "READY")


def test_power_cut_ends_the_daemon_and_its_holders_calls(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "wait", "bind")
    sim.poke("power-off")
    assert sim.process.wait(30) == 1
    sim.process = None
    assert "the simulated machine is no more" in sim.words()
    os.kill(holder.pid, signal.SIGUSR1)
    holder.wait_for("bind: ENODEV")
    sim.start()
    sim.wait_device(EDU, "READY")


def test_another_description_is_refused_with_the_remedy(sim):
    sim.kill()
    sim.machine = MACHINES / "laptop.json"
    said = run_sim(sim)
    assert "testbed.json" in said and "power-off" in said
    sim.machine = None
    sim.start()


def test_wrong_description_is_refused_with_its_line(make_machine, tmp_path):
    machine = make_machine()
    machine.machine = tmp_path / "wrong.json"
    machine.machine.write_text('{\n "schema": "ioasid.machine.v1",\n'
                               ' "devices": [{"bdf": "nonsense"}]\n}\n')
    said = run_sim(machine)
    assert re.search(r"wrong\.json:3: .*bdf", said), said
    machine.machine = None
    assert "--machine FILE" in run_sim(machine)


# --- hardware ---

def test_device_on_a_dead_bus_is_kept_until_it_answers(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "bind")
    sim.poke(f"dead {EDU} on")
    holder.kill()
    device = sim.wait_device(EDU, "QUARANTINED")
    assert "all ones" in device["stateReason"]
    assert sim.refused("device", "recover", EDU).id == "device.unhealthy"
    sim.poke(f"dead {EDU} off")
    sim.ctl("device", "recover", EDU)
    sim.carry(EDU)


def test_failing_reset_keeps_the_device(sim):
    sim.ctl("prepare", EDU)
    holder = sim.hold(EDU, "bind")
    sim.poke(f"reset-error {EDU} ETIMEDOUT")
    holder.kill()
    sim.wait_device(EDU, "QUARANTINED")
    sim.poke(f"reset-error {EDU} 0")
    sim.ctl("device", "recover", EDU)
    assert sim.device(EDU)["state"] == "READY"


def test_card_that_is_pulled_is_not_there_until_it_is_back(sim):
    sim.poke(f"remove {NVME}")

    def there():
        return NVME in str(sim.ctl("devices"))
    wait(lambda: not there(), "it is gone")
    sim.poke(f"add {NVME}")
    wait(there, "it is back")
    assert sim.device(NVME)["driver"] == "nvme"

    sim.ctl("prepare", NVME)
    sim.poke(f"remove {NVME}")
    sim.wait_device(NVME, "GONE")
    sim.poke(f"add {NVME}")
    wait(lambda: sim.device(NVME)["state"] != "GONE", "it is back")


def test_many_uevents_at_once_lose_nothing_for_good(make_machine):
    """More than the daemon's socket holds: it is told to read anew."""
    machine = make_machine("many-vfs")
    machine.start()
    devices = machine.ctl("devices", "--all")["devices"]
    pf = next(device["pci"]["physicalFunction"] for device in devices
              if device["pci"].get("physicalFunction"))
    machine.poke(f"numvfs {bdf_of(pf)} 0")

    def vfs():
        return sum(bool(device["pci"].get("physicalFunction")) for device in
                   machine.ctl("devices", "--all")["devices"]
                   if device["state"] != "GONE")
    wait(lambda: vfs() == 4096 - 256, "the daemon knows", 60)


def test_pokes_that_are_none_are_refused(sim):
    assert "remove" in sim.poke("help") and "power-off" in sim.poke("help")
    assert sim.poke("frobnicate", good=False)
    assert sim.poke("remove 0000:77:00.0", good=False)


# --- which program has what ---

def test_root_program_has_no_simulation_and_no_json():
    def words(*command):
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout

    def functions(file, *kinds):
        return set(re.findall(rf" [T{''.join(kinds)}] (\w+)$",
                              words("nm", file), re.M))
    # Those of hidden visibility are small letters once linked. Each program
    # has its own way to make a call.
    simulation = functions(BUILD / "obj/sim.a") - {
        "kernel_ioctl", "kernel_pread", "kernel_pwrite"} | {"simfd_ioctl"}
    assert len(simulation) > 50
    assert simulation <= functions(BUILD / "ioasidd-sim", "t")
    assert not simulation & functions(BUILD / "ioasidd", "t")
    assert "json" in words("readelf", "-d", BUILD / "ioasidd-sim")
    assert "json" not in words("readelf", "-d", BUILD / "ioasidd")
    # And the other one has nothing that touches the host's devices.
    assert "kernel_real_new" not in functions(BUILD / "ioasidd-sim", "t")


# --- who may ---

def test_whoever_runs_the_simulation_administers_it(make_machine):
    machine = make_machine()
    # The folders of pytest are root's alone.
    machine.state = machine.run / "state"
    os.chown(machine.run, NOBODY, NOBODY)
    copy = machine.prog("../../ioasidd-sim")
    shown = machine.run / "machine.json"
    shown.write_bytes(machine.machine.read_bytes())
    machine.machine, machine.program = shown, copy
    machine.uid = NOBODY
    machine.start()
    machine.ctl("prepare", EDU, uid=NOBODY)
    lease = machine.ctl("lease", "create", "--uid", str(NOBODY), "--memlock",
                        "1G", EDU, uid=NOBODY)["name"]
    holder = machine.start_holder(machine.prog("edu-dma"), lease, uid=NOBODY)
    assert holder.process.wait(60) == 0, holder.said()
    machine.wait_device(EDU, "READY")
