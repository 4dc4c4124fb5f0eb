# SPDX-License-Identifier: Apache-2.0
"""What a run has: one daemon with its machine, and holders that cases share."""

from typing import Any

from ioasid import NOBODY, Native, device_name, wait

from holder import MIB, TOP, Context, Edu, Holder, ok
from world import BACKEND, TYPE1, World

# Devices on which no reset works, beside those behind bad IOMMUs.
NO_RESET = ("PAIR0", "PAIR1", "NET0")


class Machine:
    """The daemon with its machine, and the holders of this run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.daemon = world.daemon()
        self.daemon.start(*["--backend", BACKEND] * TYPE1)
        self.holders: list[Holder] = []
        self.shared: dict[tuple[str, ...], Holder] = {}

    def prepare(self, *names: str) -> None:
        """Make devices ready that are not."""
        for name in names:
            if self.daemon.device(name)["state"] != "READY":
                self.daemon.prepare(name, *["--allow-no-reset"] *
                                    (name in NO_RESET))

    def host(self, *names: str) -> None:
        """See that they are with their host drivers."""
        self.free(*names)
        for name in names:
            if self.daemon.device(name)["state"] != "HOST":
                self.daemon.restore(name)

    def holder(self, *names: str, uid: int = NOBODY,
               also: tuple[str, ...] = ()) -> Holder:
        """A new client with a lease of these devices, and another of those."""
        self.free(*names, *also)
        self.prepare(*names, *also)
        self.holders.append(Holder(self.daemon, uid))
        for devices in (names, also):
            if devices:
                self.holders[-1].claim(*devices)
        return self.holders[-1]

    def free(self, *names: str) -> None:
        """End shared holders that have one of the devices."""
        for key in [key for key in self.shared if set(key) & set(names)]:
            self.drop(self.shared.pop(key))

    def share(self, *names: str) -> Holder:
        """The holder that has them bound; made if there is none."""
        if names not in self.shared:
            holder = self.holder(*names)
            try:
                for device in holder.devices:
                    device.bound()
                    if isinstance(device, Edu):
                        device.awake()
            except BaseException:
                self.drop(holder)
                raise
            self.shared[names] = holder
        return self.shared[names]

    def drop(self, *holders: Holder) -> None:
        """End holders and their children; the devices are ready afterwards.

        What a case has left of a device that is worse than that is for it to
        mend; what it has left when it failed is tried to be mended here.
        """
        for holder in holders:
            holder.kill_all()
            self.holders.remove(holder)
        for name in {name for holder in holders for name in holder.names}:
            device = wait(lambda: self.settled(name), 20, f"{name} settles")
            if device["state"] in ("QUARANTINED", "STUCK"):
                self.daemon.ctl("device", "recover", self.daemon.bdf(name))

    def settled(self, name: str) -> dict[str, Any] | None:
        """A device that nobody has and nothing is done to."""
        device = self.daemon.device(name)
        return None if device["state"] in ("LEASED", "RECLAIMING") else device

    def drop_others(self) -> None:
        """End all holders that are not shared."""
        self.drop(*[holder for holder in self.holders
                    if holder not in self.shared.values()])

    def finish(self) -> None:
        """The end of the run; fails if the daemon has a fault."""
        for holder in self.holders:
            holder.kill_all()
        self.daemon.finish("conformance")


class Bench:
    """A shared holder, its context and its devices, for one case."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.context: Context = holder.context
        self.devices = holder.devices
        self.children: list[Any] = []

    def page(self, seed: int = 1, n: int = 1) -> int:
        """Pages of memory with a row of bytes."""
        return self.holder.memory(n * 4096, seed)

    def attached(self, *devices: Any) -> int:
        """A space with the first device on it, or with others."""
        space = self.context.space()
        for device in devices or self.devices[:1]:
            self.context.put(device, space)
        return space

    def ends(self, space: int) -> list[int]:
        """Last addresses that can be used, below what can not."""
        found = [last for _, last in self.context.ranges(space)
                 if last != TOP]
        assert found, "there is nothing that cannot be used"
        return found

    def clean(self) -> None:
        """As it was before the case."""
        for device in self.devices:
            self.context.take_off(device)
            if isinstance(device, Edu):
                device.awake()
        self.context.clean()


class Held:
    """A hold lease of both edu, and its holder."""

    def __init__(self, machine: Machine, conn: Native) -> None:
        self.machine, self.conn = machine, conn
        self.holder: Holder | None = None
        self.lease = ""

    def name(self, device: str) -> str:
        """Its resource name."""
        return device_name(self.machine.world.bdf(device))

    def offer(self, *spaces: dict[str, Any], **fields: Any) -> Any:
        """Make the lease."""
        self.machine.free("EDU0", "EDU1")
        self.machine.prepare("EDU0", "EDU1")
        made = self.conn.call(
            "Leases/CreateLease", "Lease", mode="HOLD", spaces=spaces,
            devices=[self.name("EDU0"), self.name("EDU1")],
            claimant={"uid": NOBODY}, memlock_bytes=64 * MIB, **fields)
        self.lease = made.name
        return made

    def claim(self) -> Holder:
        """A holder that takes it."""
        self.holder = Holder(self.machine.daemon)
        self.machine.holders.append(self.holder)
        self.holder.take(self.lease, "EDU0", "EDU1")
        # In a container they have none.
        ids = list(self.now().device_ids) or [0] * len(self.holder.devices)
        for device, number in zip(self.holder.devices, ids, strict=True):
            device.id = number
            device.awake()
        return self.holder

    def now(self) -> Any:
        """The lease as it is."""
        return self.conn.call("Leases/GetLease", "Lease", name=self.lease)

    def space(self, method: str, name: str, **fields: Any) -> Any:
        """Do something to a space."""
        return self.conn.call(f"Spaces/{method}", "Space", name=name,
                              **fields)

    def state(self) -> str:
        """OFFERED, ..."""
        return str(self.machine.daemon.lease(self.lease)["state"])

    def end(self) -> None:
        """It is over, and its devices are ready."""
        if self.holder:
            self.holder.kill_all()
        if self.lease:
            wait(lambda: self.state() in ("OFFERED", "ENDED"), 30, "its end")
            if self.state() == "OFFERED":
                self.conn.call("Leases/ReleaseLease", "Lease",
                               name=self.lease)
        self.conn.close()
