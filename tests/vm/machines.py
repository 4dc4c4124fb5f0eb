"""What each test machine is: processor, IOMMU, devices, the kernel's options.

tests/vm/boot runs them. A machine is an entry of MACHINES: one more IOMMU of a
board is a class of a few lines below, one more board is an Arch and a Machine
of its own. Nothing here looks at the host beyond asking QEMU for its properties.
"""

import ctypes
import mmap
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PREREQUISITES = "packaging/prerequisites.sh"
# Says where a newer QEMU than this host's own is, if one has been prepared.
NEWER_QEMU = Path(__file__).resolve().parent / "newer-qemu"
QEMU_MIN = 9
# As Arch.modules, of the second level.
MODULES_L2 = ("nvme",)

# The devices have fixed addresses: one root port per slot from 8h on, each the
# only way to its bus; the firmware numbers the buses in that order. The pair is
# one device of two functions, which are one group.
FIRST_SLOT = 8
DEVICES = {
    "EDU0_PORT": "0000:00:08.0", "EDU0": "0000:01:00.0",
    "EDU1_PORT": "0000:00:09.0", "EDU1": "0000:02:00.0",
    "NVME0_PORT": "0000:00:0a.0", "NVME0": "0000:03:00.0",
    "NVME1_PORT": "0000:00:0b.0", "NVME1": "0000:04:00.0",
    "PAIR_PORT": "0000:00:0c.0",
    "PAIR0": "0000:05:00.0", "PAIR1": "0000:05:00.1",
    "NET0": "0000:00:06.0",
}
# A device on a conventional bus; its bridge is in the group. A virtio IOMMU
# does not know such a device, and the kernel then gives that IOMMU up.
BRIDGED = {
    "BRIDGE_PORT": "0000:00:0d.0", "BRIDGE": "0000:06:00.0",
    "BRIDGED0": "0000:07:01.0",
}
# The AMD IOMMU of QEMU 10 takes every device for one on bus 0: all sit there,
# without ports, and edu cannot be reset. (QEMU 11.1 has DEVICES.)
FLAT = {
    "EDU0": "0000:00:08.0", "EDU1": "0000:00:09.0",
    "NVME0": "0000:00:0a.0", "NVME1": "0000:00:0b.0",
    "PAIR0": "0000:00:0c.0", "PAIR1": "0000:00:0c.1",
    "NET0": "0000:00:06.0",
}
# 28 bits of DMA mask are edu's default; addresses above are cut off.
EDU = "edu,dma_mask=0xffffffffffffffff"
# Where interrupts are not remapped, BIND and SET_IOMMU are EPERM without this.
UNSAFE = ("iommufd.allow_unsafe_interrupts=1 "
          "vfio_iommu_type1.allow_unsafe_interrupts=1")


class Broken(Exception):
    """The machine cannot be started; the words name the remedy."""


def program(name: str, group: str = "vm") -> str:
    """Where a program is that only root may have in its path."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise Broken(f"'{name}' is not installed: {PREREQUISITES} {group}")
    return path


def host_tsc_khz() -> int:
    """Frequency of the host's TSC, which TCG shows to its guest; 0 if unknown.

    A guest that measures it at its start, while a busy host keeps the timer's
    ticks back, gets it wrong. It measures again later; where the two differ by
    more than 250 ppm its KVM takes L2's TSC for another than its own, and L2's
    timers come late or never.
    """
    if os.uname().machine != "x86_64":
        return 0
    # rdtsc; shl $32, %rdx; or %rdx, %rax; ret
    code = bytes.fromhex("0f3148c1e2204809d0c3")
    page = mmap.mmap(-1, mmap.PAGESIZE,
                     prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(
        ctypes.addressof(ctypes.c_char.from_buffer(page)))

    def both_clocks() -> tuple[int, int, int]:
        """The moment in both clocks, best of many: nothing came between."""
        readings = ((rdtsc(), time.monotonic_ns(), rdtsc())
                    for _ in range(500))
        return min(readings, key=lambda reading: reading[2] - reading[0])

    begin = both_clocks()
    time.sleep(0.3)
    end = both_clocks()
    return round((end[0] + end[2] - begin[0] - begin[2]) / 2 * 1e6 /
                 (end[1] - begin[1]))


@dataclass(frozen=True)
class Qemu:
    """A program that runs a machine."""

    path: str
    group: str      # of packaging/prerequisites.sh: what installs it

    def version(self) -> str:
        """Which it is; it has to be new enough."""
        words = subprocess.run([self.path, "--version"], text=True,
                               capture_output=True, check=True).stdout
        match = re.search(r"version ((\d+)[\d.]*)", words)
        if not match or int(match[2]) < QEMU_MIN:
            raise Broken(f"{words.splitlines()[0]} is older than {QEMU_MIN}: "
                         f"{PREREQUISITES} {self.group}")
        return match[1]

    def has_property(self, device: str, name: str) -> bool:
        """Does its device know that property?"""
        words = subprocess.run([self.path, "-device", f"{device},help"],
                               text=True, capture_output=True,
                               check=True).stdout
        return re.search(rf"^\s+{re.escape(name)}=", words, re.M) is not None


@dataclass(frozen=True)
class Arch:
    """A processor with its board: what is the same for each IOMMU of it."""

    name: str       # as uname -m says
    debian: str     # as Debian says
    triplet: str    # as compilers say; its products are in build-TRIPLET
    qemu: str
    group: str      # of packaging/prerequisites.sh: what installs that
    # Machine, accelerator, processor.
    board: tuple[str, ...]
    console: str    # as the kernel says
    # What our own kernel has built in, and Debian's as modules: what brings the
    # files, what drives the devices, what the tests are about.
    modules: tuple[str, ...]


class Machine:
    """One test machine. Subclasses say what it has beside its board."""

    arch: Arch
    # Whose kernels it runs, the usual one first.
    kernels: tuple[str, ...] = ("ours", "debian")
    # What is run on it if nothing is named, below tests/vm.
    cases: tuple[str, ...] = ("cases",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @cached_property
    def qemu(self) -> Qemu:
        """The QEMU that runs it, which has to be there."""
        return Qemu(program(self.arch.qemu, self.arch.group), self.arch.group)

    def iommu(self) -> list[str]:
        """QEMU's arguments for the IOMMU, which come first of all devices."""
        return []

    def told(self) -> str:
        """What the kernel needs to be told about that IOMMU."""
        return ""

    def board_told(self) -> str:
        """What the kernel needs to be told about the board."""
        return ""

    def devices(self) -> dict[str, str]:
        """Which devices the tests have, and where."""
        raise NotImplementedError

    def device_arguments(self, run: Path) -> list[str]:
        """The same as QEMU's arguments; the disks are in the run's folder."""
        raise NotImplementedError

    def at(self, slot: int) -> str:
        """Where QEMU puts a device of ours that is no test's: end of an option."""
        return f",addr={slot:#x}"

    def services(self, run: Path, root: Path) -> list[str]:
        """The root file system, the run's folder, and a network card."""
        return [
            "-fsdev", f"local,id=h,path={root},security_model=none,readonly=on,"
            "multidevs=remap",
            "-device", f"virtio-9p-pci,fsdev=h,mount_tag=hostroot{self.at(4)}",
            "-fsdev", f"local,id=r,path={run},security_model=none",
            "-device", f"virtio-9p-pci,fsdev=r,mount_tag=run{self.at(5)}",
            "-netdev", "user,id=n0,restrict=on", "-device",
            f"virtio-net-pci,netdev=n0,romfile={self.at(6)}",
        ]

    def terminal(self) -> list[str]:
        """A console hvc0 on this terminal, for a shell."""
        return ["-chardev", "stdio,id=c,mux=on,signal=off", "-mon", "chardev=c",
                "-device", f"virtio-serial-pci{self.at(7)}",
                "-device", "virtconsole,chardev=c"]

    def command(self, run: Path, root: Path, kernel: Path, more: str) -> list[str]:
        """QEMU with all of it; more: further words for the kernel."""
        words = [f"console={self.arch.console}", "quiet panic=-1 oops=panic",
                 self.board_told(), self.told(), more]
        return [
            # Dies with us, whatever becomes of us.
            "setpriv", "--pdeathsig", "KILL", self.qemu.path,
            "-name", "ioasidd-l1", *self.arch.board,
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(run / "initrd"),
            "-append", " ".join(word for word in words if word),
            *self.iommu(), "-serial", f"file:{run / 'console.log'}",
            *self.services(run, root), *self.device_arguments(run),
        ]


def disk(run: Path, number: int, where: str) -> list[str]:
    """An NVMe disk of the run's folder."""
    return ["-drive", f"file={run}/nvme{number}.img,if=none,id=d{number},"
            "format=raw,cache=unsafe", "-device",
            f"nvme,serial=ioasid{number},drive=d{number},{where}"]


class Ported(Machine):
    """Each device is behind a root port of its own."""

    def devices(self) -> dict[str, str]:
        return {**DEVICES, **BRIDGED}

    def device_arguments(self, run: Path) -> list[str]:
        command: list[str] = []
        for number in range(6):
            command += ["-device", f"pcie-root-port,id=rp{number},chassis="
                        f"{number + 1},addr={FIRST_SLOT + number:#x}"]
        for where in ("bus=rp0", "bus=rp1", "bus=rp4,addr=0.0,multifunction=on",
                      "bus=rp4,addr=0.1"):
            command += ["-device", f"{EDU},{where}"]
        if "BRIDGE" in self.devices():
            command += ["-device", "pcie-pci-bridge,id=bridge,bus=rp5",
                        "-device", f"{EDU},bus=bridge,addr=1"]
        return command + disk(run, 0, "bus=rp2") + disk(run, 1, "bus=rp3")


# --- x86 ------------------------------------------------------------------------

X86 = Arch(
    "x86_64", "amd64", "x86_64-linux-gnu", "qemu-system-x86_64", "vm",
    # A CPU with SVM: /dev/kvm works inside, for L2.
    ("-M", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi",
     "-cpu", "EPYC-v4"), "ttyS0",
    ("9pnet_virtio", "9p", "overlay", "virtio_iommu", "nvme", "virtio_net",
     "vfio_iommu_type1", "vfio_pci", "uio_pci_generic", "kvm_amd", "ext4"))


class Pc(Ported):
    """A PC."""

    arch = X86

    def board_told(self) -> str:
        """The kernel counts ticks of the timer for a moment, and panics if a busy
        host has kept them back: no_timer_check."""
        khz = host_tsc_khz()
        return "tsc=reliable no_timer_check" + \
            (f" tsc_early_khz={khz}" if khz else "")


class Vtd(Pc):
    """Intel's; QEMU 11.1 renamed the properties that 10 had with an x-."""

    def __init__(self, kind: str, scalable: bool) -> None:
        super().__init__(kind)
        self.scalable = scalable

    def iommu(self) -> list[str]:
        device = "intel-iommu,intremap=on,device-iotlb=on"
        if self.scalable:
            for new, old in (("scalable-mode", "x-scalable-mode"),
                             ("fsts", "x-flts")):
                known = self.qemu.has_property("intel-iommu", new)
                device += f",{new if known else old}=on"
        return ["-device", device]

    def told(self) -> str:
        return f"intel_iommu=on,{'sm_on' if self.scalable else 'sm_off'}"


class Amd(Pc):
    """AMD's: it translates, and knows buses, since QEMU 11.

    Where this host's QEMU is older, the newer one is taken that has been prepared.
    """

    @staticmethod
    def is_fit(qemu: Qemu) -> bool:
        """Does its AMD IOMMU translate DMA?"""
        return qemu.has_property("amd-iommu", "dma-remap")

    @cached_property
    def qemu(self) -> Qemu:
        """This host's own if it is fit, or else the newer one if that is there."""
        own = Qemu(program(self.arch.qemu, self.arch.group), "amd")
        newer = "" if self.is_fit(own) else subprocess.run(
            [NEWER_QEMU, "--cached"], text=True, stdout=subprocess.PIPE,
            check=False).stdout.strip()
        return Qemu(newer, "amd") if newer else own

    @cached_property
    def translates(self) -> bool:
        """Is it the machine that it should be?"""
        return self.is_fit(self.qemu)

    def iommu(self) -> list[str]:
        return ["-device", "amd-iommu,intremap=on,device-iotlb=on" +
                (",dma-remap=on" if self.translates else "")]

    def told(self) -> str:
        """The kernel switches the remapping off: it misses a southbridge where
        the emulation has the IO-APIC. QEMU 10 does not translate, hence pt; and
        the timers of its guest stop, unless that IO-APIC is left alone."""
        return UNSAFE + ("" if self.translates else " iommu=pt noapic")

    def devices(self) -> dict[str, str]:
        return super().devices() if self.translates else FLAT

    def device_arguments(self, run: Path) -> list[str]:
        if self.translates:
            return super().device_arguments(run)
        command: list[str] = []
        for where in ("addr=0x8", "addr=0x9", "addr=0xc.0,multifunction=on",
                      "addr=0xc.1"):
            command += ["-device", f"{EDU},{where}"]
        return command + disk(run, 0, "addr=0xa") + disk(run, 1, "addr=0xb")


class VirtioIommu(Pc):
    """virtio-iommu: no interrupt remapping, and no conventional bus."""

    def iommu(self) -> list[str]:
        return ["-device", "virtio-iommu-pci,addr=3"]

    def told(self) -> str:
        return UNSAFE

    def devices(self) -> dict[str, str]:
        return DEVICES


class NoIommu(Pc):
    """No IOMMU; VFIO's no-IOMMU mode, which Debian's kernel does not have."""

    kernels = ("ours",)

    def told(self) -> str:
        return "vfio.enable_unsafe_noiommu_mode=1"


# --- ARM ------------------------------------------------------------------------

ARM = Arch(
    "aarch64", "arm64", "aarch64-linux-gnu", "qemu-system-aarch64", "arm",
    # /dev/kvm works inside, for L2. The signatures of pointers are computed in a
    # cheaper way.
    ("-M", "virt,gic-version=3,iommu=smmuv3,virtualization=on", "-accel",
     "tcg,thread=multi", "-cpu", "max,pauth-impdef=on"), "ttyAMA0",
    ("9pnet_virtio", "9p", "overlay", "nvme", "virtio_net", "vfio_iommu_type1",
     "vfio_pci", "uio_pci_generic", "ext4"))


class Smmu(Ported):
    """QEMU's board for virtual machines, with an SMMUv3 of the board's own."""

    arch = ARM
    # Nothing is built for it, unless that is asked for.
    kernels = ("debian", "ours")


# --- POWER ----------------------------------------------------------------------

POWER = Arch(
    "ppc64le", "ppc64el", "powerpc64le-linux-gnu", "qemu-system-ppc64", "power",
    # TCG has no count cache flush. /dev/kvm works inside, for L2.
    ("-M", "pseries,cap-ccf-assist=off,cap-nested-hv=on", "-accel",
     "tcg,thread=multi", "-cpu", "power9", "-vga", "none"), "hvc0",
    # Without nvme: it asks the firmware for a window, is refused, and the disk has
    # none from then on.
    ("9pnet_virtio", "9p", "overlay", "vfio_iommu_spapr_tce", "vfio_pci",
     "kvm_hv"))


class Pseries(Machine):
    """pseries: each device behind a host bridge of its own, which is its group.

    EDU0 is behind a bridge, too, which can reset it; the disk resets itself, the
    others nothing.
    VICTIM0 is for what costs a device its windows until the next boot.
    """

    arch = POWER
    kernels = ("debian",)
    cases = ("cases/test_spapr.py",)
    edus = ("EDU0", "EDU1", "VICTIM0")

    def devices(self) -> dict[str, str]:
        edus = {name: f"{number:04x}:0{int(name == 'EDU0')}:00.0"
                for number, name in enumerate(self.edus, 1)}
        return {**edus, "NVME0": f"{len(edus) + 1:04x}:00:00.0"}

    def device_arguments(self, run: Path) -> list[str]:
        command: list[str] = []
        for number in range(1, len(self.edus) + 1):
            command += ["-device", f"spapr-pci-host-bridge,index={number},"
                        f"id=phb{number}"]
            bus = f"phb{number}.0"
            if self.edus[number - 1] == "EDU0":
                command += ["-device", f"pci-bridge,id=bridge{number},shpc=off,"
                            f"chassis_nr={number},bus={bus},addr=0"]
                bus = f"bridge{number}"
            command += ["-device", f"{EDU},bus={bus},addr=0"]
        number = len(self.edus) + 1
        return [*command, "-device", f"spapr-pci-host-bridge,index={number},"
                f"id=phb{number}", *disk(run, 0, f"bus=phb{number}.0,addr=0")]


MACHINES: dict[str, Machine] = {machine.kind: machine for machine in (
    Vtd("vtd-legacy", scalable=False),
    Vtd("vtd-scalable", scalable=True),
    Amd("amd"),
    VirtioIommu("virtio"),
    NoIommu("none"),
    Smmu("smmuv3"),
    Pseries("spapr"),
)}
