"""What goes into a test machine: kernel, initramfs, products, tests, disks."""

import io
import lzma
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from machines import PREREQUISITES, Broken, Machine, program

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
GUEST = "/opt/ioasidd"
# Everything that grows in a build folder and is nobody's product.
NO_PRODUCT = re.compile(r".*\.(o|d|a|gch|gcno|gcda|pyc|tmp)$|__pycache__$|obj$")


def check_prerequisites(machine: Machine) -> None:
    """A missing program is a failure with its remedy, never a skip."""
    for tool in ("cpio", "mke2fs", "modprobe", "setpriv"):
        program(tool)
    machine.qemu.version()


def root_of(machine: Machine) -> Path:
    """The root file system it runs on: the host's own, or one of its own kind.

    It has what the first steps need.
    """
    if machine.arch.name == os.uname().machine:
        root = Path("/")
    else:
        root = cached(TOP / "packaging/sysroot", machine.arch.triplet)
    busybox = root / "bin/busybox"
    if not busybox.exists() or b"/ld-linux" in busybox.read_bytes():
        raise Broken(f"no static {busybox}: {PREREQUISITES} vm")
    if root == Path("/") and \
            subprocess.run(["/usr/bin/python3", "-c", "import pytest"],
                           capture_output=True, check=False).returncode:
        raise Broken(f"/usr/bin/python3 has no pytest: {PREREQUISITES} vm")
    return root


def cached(maker: Path, *arguments: str) -> Path:
    """What such a program has in the cache, or puts there now."""
    done = subprocess.run([maker, *arguments], text=True,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Broken(f"{maker.relative_to(TOP)} failed (the reason is above)")
    return Path(done.stdout.strip())


class Kernel:
    """A kernel image, and the modules that it needs if it is not ours."""

    def __init__(self, machine: Machine, origin: str,
                 image: Path | None = None) -> None:
        self.origin = origin
        self.image = image or cached(
            HERE / "kernel", *(["--debian"] if origin == "debian" else []),
            machine.arch.debian)
        # Debian's lies among its modules.
        self.folder = self.image.resolve().parent
        self.has_modules = (self.folder / "modules.dep").exists()

    def modules(self, names: tuple[str, ...]) -> list[Path]:
        """The files of those modules, each after what it depends on."""
        files: list[Path] = []
        if not self.has_modules:
            return files
        # FOLDER/lib/modules/RELEASE
        lookup = [program("modprobe"), "-d", str(self.folder.parents[2]), "-S",
                  self.folder.name, "--show-depends"]
        for name in names:
            done = subprocess.run([*lookup, name], capture_output=True,
                                  text=True, check=False)
            if done.returncode:
                raise Broken(f"{self.folder} has no '{name}': {done.stderr}")
            files += [Path(line.split()[1]) for line in
                      done.stdout.splitlines() if line.startswith("insmod")]
        return list(dict.fromkeys(files))


def make_initramfs(path: Path, init: Path, busybox: Path,
                   modules: list[Path]) -> None:
    """busybox, one /init, and modules in the order in which they go in."""
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "bin").mkdir()
        shutil.copy(busybox, root / "bin/busybox")
        shutil.copy(init, root / "init")
        (root / "modules").mkdir()
        for number, module in enumerate(modules):
            data = module.read_bytes()
            if module.suffix == ".xz":
                data = lzma.decompress(data)
            name = module.name.removesuffix(".xz")
            (root / f"modules/{number:02}-{name}").write_bytes(data)
        names = "".join(f"{f.relative_to(root)}\0"
                        for f in sorted(root.rglob("*")))
        with open(path, "wb") as out:
            subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc",
                            "-R", "0:0"], cwd=root, input=names.encode(),
                           stdout=out, check=True)


def add_file(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """A copy of the file as it is now, readable by all, owned by root.

    Read in one go: somebody may be building in that folder.
    """
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = int(time.time())
    info.mode = 0o755 if mode & 0o100 else 0o644
    tar.addfile(info, io.BytesIO(data))


def add_tree(tar: tarfile.TarFile, top: Path, name: str,
             leave: tuple[Path, ...] = ()) -> None:
    """A folder with its files and links, without by-products and those."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)
    for path in sorted(top.iterdir()):
        inner = f"{name}/{path.name}"
        if NO_PRODUCT.match(path.name) or path in leave:
            continue
        if path.is_symlink():
            link = tarfile.TarInfo(inner)
            link.type, link.linkname = tarfile.SYMTYPE, os.readlink(path)
            tar.addfile(link)
        elif path.is_dir():
            add_tree(tar, path, inner, leave)
        elif path.is_file():
            add_file(tar, path, inner)


def unwanted(build: Path, tests: list[str]) -> tuple[Path, ...]:
    """The unit tests of a build, unless one is asked for: with a sanitizer they
    alone are most of what there is room for."""
    units = build / "tests/unit"
    for test in tests:
        asked = Path(test.partition("::")[0]).resolve()
        if asked.is_relative_to(units.resolve()) or \
                units.resolve().is_relative_to(asked):
            return ()
    return (units,)


def make_stage(run: Path, build: Path, kernel: Kernel, env: dict[str, str],
               tests: list[str]) -> None:
    """stage.tar: all that is installed into the machine."""
    with open(run / "testbed.env", "w", encoding="utf-8") as out:
        for key, value in env.items():
            print(f"{key}={shlex.quote(value)}", file=out)
    with tarfile.open(run / "stage.tar", "w") as tar:
        add_tree(tar, TOP / "tests", "tests")
        if (TOP / "schema").is_dir():
            add_tree(tar, TOP / "schema", "schema")
        if build.is_dir():
            add_tree(tar, build, "build", unwanted(build, tests))
        add_file(tar, kernel.image, "l2/kernel")
        add_file(tar, run / "l2-initrd", "l2/initrd")
        add_file(tar, run / "testbed.env", "testbed.env")


def guest_path(test: str, build: Path) -> tuple[Path, str]:
    """A test's path on this host, and with its ::name in the machine."""
    name, colons, rest = test.partition("::")
    path = Path(name)
    if not path.exists() and (TOP / name).exists():
        path = TOP / name
    if not path.exists():
        raise Broken(f"no test '{name}'")
    path = path.resolve()
    for top, there in ((build.resolve(), "build"), (TOP / "tests", "tests")):
        if path.is_relative_to(top):
            name = f"{GUEST}/{there}/{path.relative_to(top)}"
            return path, f"{name}{colons}{rest}"
    raise Broken(f"'{name}' is neither below tests/ nor below {build}: "
                 "only these are copied into the machine")


def make_list(run: Path, tests: list[str], build: Path,
              pytest_args: list[str]) -> dict[str, str]:
    """The list that guest/run works through; returns unit id -> words.

    All that pytest runs is one unit: it starts once.
    """
    python: list[str] = []
    programs: list[str] = []
    for test in tests:
        path, there = guest_path(test, build)
        below_build = there.startswith(f"{GUEST}/build/")
        if path.is_dir() and below_build:
            programs += [f"{there}/{file.name}" for file in
                         sorted(path.iterdir())
                         if file.is_file() and os.access(file, os.X_OK)]
        elif path.is_dir() or path.suffix == ".py":
            python.append(there)
        else:
            programs.append(there)
    units: dict[str, str] = {}
    with open(run / "tests", "w", encoding="utf-8") as out:
        for number, program in enumerate(programs):
            units[f"{number:03}"] = program.removeprefix(GUEST + "/")
            print(f"{number:03} exec {shlex.quote(program)}", file=out)
        if python:
            units["pytest"] = " ".join(name.removeprefix(GUEST + "/")
                                       for name in python)
            print("pytest pytest", shlex.join(python + pytest_args), file=out)
    if not units:
        raise Broken(f"no test in {' '.join(tests)}")
    return units


def make_disks(run: Path, marker: str) -> None:
    """nvme0: a marker in the first sector; nvme1: an ext4 file system."""
    with open(run / "nvme0.img", "wb") as out:
        out.write(marker.encode() + b"\n")
        out.truncate(16 << 20)
    with open(run / "nvme1.img", "wb") as out:
        out.truncate(16 << 20)
    subprocess.run([program("mke2fs"), "-q", "-F", "-t", "ext4", "-L", "ioasid",
                    run / "nvme1.img"], check=True)
