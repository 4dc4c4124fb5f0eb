# SPDX-License-Identifier: Apache-2.0
"""What a run has: one daemon with its machine, and holders that cases share."""

from typing import Any

from ioasid import NOBODY, wait

from holder import Context, Edu, Holder, ok
from world import World

# Devices on which no reset works, beside those behind bad IOMMUs.
NO_RESET = ("PAIR0", "PAIR1", "NET0")


class Machine:
    """The daemon with its machine, and the holders of this run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.daemon = world.daemon()
        self.daemon.start()
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
                    ok(device.bind())
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

    def attached(self, device: Any = None) -> int:
        """A space with the first device, or another, on it."""
        space = self.context.space()
        ok((device or self.devices[0]).attach(space))
        return space

    def clean(self) -> None:
        """As it was before the case."""
        for device in self.devices:
            ok(device.detach())
            if isinstance(device, Edu):
                device.awake()
        self.context.clean()
