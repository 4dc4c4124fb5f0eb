# SPDX-License-Identifier: Apache-2.0
"""A holder that does what it is told with the descriptors of its lease.

It is a process of its own, that speaks to the simulated machine as
ioasidd/base/simfd.h has it, and to ioasidd on its own connection.
"""

import ctypes
import errno
import multiprocessing
import os
import signal
import socket
import struct

from ioasid.v1 import envelope_pb2, lease_pb2

from daemon import METHODS, NOBODY, Client, Refused, method

IOCTL, PREAD, PWRITE = 1, 2, 3
MAGIC = 0x494f5344
DESTROY, IOAS_ALLOC, IOAS_COPY, HWPT_ALLOC, IOAS_MAP_FILE = (
    0x3b00 + number for number in (0x80, 0x81, 0x83, 0x89, 0x8f))
PAGE = 4096
PR_SET_PDEATHSIG = 1
# VFIO: where a region of a PCI device is in its file.
BAR0, CONFIG = 0, 7 << 40


def call(fd, op, number, buffer, length):
    """A call on a descriptor of the machine: what it returned, or -errno."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, socket.socket(fileno=os.dup(fd)) as file:
        socket.send_fds(file, [struct.pack(
            "=IIQQQ", MAGIC, op, number, ctypes.addressof(buffer), length)],
            [theirs.fileno()])
        theirs.close()
        return struct.unpack("=q", ours.recv(16))[0]


def ioctl(fd, number, layout, *values):
    """An ioctl on a structure that begins with its size: as it came back."""
    size = struct.calcsize(layout)
    data = ctypes.create_string_buffer(
        struct.pack(layout, size, *values), size)
    result = call(fd, IOCTL, number, data, 0)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return struct.unpack(layout, data.raw)


class Work:
    """What a tenant can be told to do; in its process."""

    def __init__(self, path, lease):
        self.client = Client(path)
        self.fds = self.receive("Leases/ClaimLease", lease_pb2.ClaimLeaseRequest(
            name=lease))[1]
        self.memory = {}

    def receive(self, called, request):
        """A reply, and the descriptors that came with it."""
        self.client.send(called, request.SerializeToString())
        data, fds, _, _ = socket.recv_fds(self.client.sock, 1 << 19, 65)
        answer = envelope_pb2.Envelope.FromString(data)
        if answer.WhichOneof("body") == "error":
            raise Refused(answer.error)
        return METHODS[method(called)][1].FromString(
            answer.reply.payload), fds

    def ask(self, called, **fields):
        """What the daemon says: an error's id, or a reply's bytes and how many
        descriptors came; the first of them is read."""
        try:
            reply, fds = self.receive(called, METHODS[method(called)][0](
                **fields))
        except Refused as refused:
            return refused.error.id
        read = b""
        if fds and "Dirty" in called:
            read = os.pread(fds[0], 1 << 25, 0)
            try:
                os.pwrite(fds[0], b"x", 0)
                read = None
            except PermissionError:
                pass
        for fd in fds:
            os.close(fd)
        return reply.SerializeToString(), len(fds), read

    def make_table(self, device, parent, flags=0, kind=0, data=b""):
        """IOMMU_HWPT_ALLOC on our descriptor: the id."""
        memory = ctypes.create_string_buffer(data, max(len(data), 1))
        return ioctl(self.fds[0], HWPT_ALLOC, "=IIIIIIIIQII", flags, device,
                     parent, 0, 0, kind, len(data),
                     ctypes.addressof(memory) if data else 0, 0, 0)[4]

    def destroy(self, number):
        ioctl(self.fds[0], DESTROY, "=II", number)

    def make_space(self):
        """IOMMU_IOAS_ALLOC on our descriptor: the id."""
        return ioctl(self.fds[0], IOAS_ALLOC, "=III", 0, 0)[2]

    def map(self, space, iova, length):
        """Memory at an address of a space."""
        file = os.memfd_create("guest")
        os.ftruncate(file, length)
        # FIXED_IOVA, WRITEABLE, READABLE
        ioctl(self.fds[0], IOAS_MAP_FILE, "=IIIiQQQ", 7, space, file, 0,
              length, iova)
        self.memory[iova] = file

    def copy(self, space, iova, length, to):
        """What is mapped at an address of a space, at another too."""
        ioctl(self.fds[0], IOAS_COPY, "=IIIIQQQ", 7, space, space, length, to,
              iova)

    def enable(self, device):
        """Let the device answer, and begin transfers."""
        value = ctypes.create_string_buffer(struct.pack("=H", 6), 2)
        assert call(self.fds[1 + device], PWRITE, CONFIG + 4, value, 2) == 2

    def register(self, device, at, value):
        data = ctypes.create_string_buffer(struct.pack("=Q", value), 8)
        assert call(self.fds[1 + device], PWRITE, BAR0 + at, data, 8) == 8

    def store(self, device, iova):
        """Have the edu write a page of its buffer there."""
        for at, value in ((0x80, 0x40000), (0x88, iova), (0x90, PAGE),
                          (0x98, 3)):
            self.register(device, at, value)


class Tenant:
    """The process; each method of Work is one of this."""

    def __init__(self, path, lease, uid=NOBODY):
        self.pipe, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.pipe.close()
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                self.serve(theirs, Work(path, lease))
            finally:
                os._exit(1)
        theirs.close()
        assert self.pipe.recv() == "ready"

    @staticmethod
    def serve(pipe, work):
        """Do what is asked for, until nobody asks."""
        pipe.send("ready")
        while True:
            name, args, fields = pipe.recv()
            try:
                pipe.send(getattr(work, name)(*args, **fields))
            except OSError as failed:
                pipe.send(failed)

    def __getattr__(self, name):
        def do(*args, **fields):
            self.pipe.send((name, args, fields))
            answer = self.pipe.recv()
            if isinstance(answer, OSError):
                raise answer
            return answer
        return do

    def refused(self, name, *args):
        """The errno of what fails."""
        try:
            getattr(self, name)(*args)
        except OSError as failed:
            return errno.errorcode[failed.errno]
        return "ok"

    def kill(self):
        """It has ended, now or before."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        self.pipe.close()
