# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ioasid-api that does what a test tells it.

ioasidd starts it as it would start ioasid-api. It says what it is and has, and
from then on passes packets on in both directions, with their descriptors: so
the test itself speaks on the link.
"""

import contextlib
import json
import os
import shutil
import socket
import time

from ioasid.v1 import envelope_pb2, link_pb2

from daemon import METHODS, method

# What ioasidd runs. Its folder is in the place of FOLDER; no module but the
# standard library's, so that any uid can run it.
PROGRAM = r'''#!/usr/bin/python3 -I
import glob, json, os, select, socket, sys
ENVIRONMENT = dict(os.environ)
def stat(name):
    with open("/proc/self/" + name) as file:
        return file.read()
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[int(name)] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass  # the one that was used for listing
status = dict(line.split(":\t", 1) for line in stat("status").splitlines()
              if ":\t" in line)
link = socket.socket(fileno=3)
test = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
test.connect("FOLDER/puppet.sock")
test.send(json.dumps({
    "pid": os.getpid(), "status": status, "environment": ENVIRONMENT,
    "fds": fds, "arguments": sys.argv, "limits": stat("limits"),
    "folder": os.getcwd()}).encode())
poll = select.poll()
poll.register(link, select.POLLIN)
poll.register(test, select.POLLIN)
while True:
    for fd, _ in poll.poll():
        source, sink = (link, test) if fd == 3 else (test, link)
        source.setblocking(True)
        sink.setblocking(True)
        data, got, _, _ = socket.recv_fds(source, 300000, 16)
        if not data:
            os._exit(0)
        if got:
            socket.send_fds(sink, [data], got)
            for one in got:
                os.close(one)
        else:
            sink.send(data)
'''


class Puppet:
    """One life of the stand-in, and the test's end of it."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setsockopt(socket.SOL_SOCKET, 32, 2 ** 21)  # SO_SNDBUFFORCE
        self.facts = json.loads(self.sock.recv(1 << 16))
        self.pid = self.facts["pid"]
        self.last_id = 0

    def receive(self, timeout=20):
        """The next packet and its descriptors; (None, []) at the end."""
        self.sock.settimeout(timeout)
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 300000, 16)
        except ConnectionResetError:
            data, fds = b"", []
        return (link_pb2.LinkPacket.FromString(data) if data else None), fds

    def expect(self, kind):
        """The next packet, which is of this kind, and its descriptors."""
        packet, fds = self.receive()
        assert packet is not None, f"it has ended; {kind} was expected"
        assert packet.WhichOneof("body") == kind, packet
        return packet, fds

    def configure(self):
        """Take the config that comes first; name -> content."""
        packet, fds = self.expect("config")
        files = {}
        assert len(fds) == len(packet.config.files)
        for name, fd in zip(packet.config.files, fds):
            files[name] = fd
        self.send(configured=link_pb2.LinkConfigured())
        return files

    def send(self, connection=0, fds=(), **body):
        """A packet of what is said."""
        self.send_raw(link_pb2.LinkPacket(
            connection=connection, **body).SerializeToString(), fds)

    def send_raw(self, data, fds=()):
        """A packet as it is."""
        if fds:
            socket.send_fds(self.sock, [data], list(fds))
        else:
            self.sock.send(data)

    def opened(self):
        """Somebody has connected: the packet, and its socket."""
        packet, fds = self.expect("opened")
        assert len(fds) == 1
        return packet, socket.socket(fileno=fds[0])

    def ask(self, connection, called, /, number=None, **fields):
        """A request for a connection; its number."""
        self.last_id += 1
        number = self.last_id if number is None else number
        request = envelope_pb2.Request(
            method=method(called),
            payload=METHODS[method(called)][0](**fields).SerializeToString())
        self.send(connection, envelope=envelope_pb2.Envelope(
            id=number, request=request).SerializeToString())
        return number

    def answer(self, connection):
        """The Envelope of the next packet, which is for this connection."""
        packet, fds = self.expect("envelope")
        assert not fds
        assert packet.connection == connection
        return envelope_pb2.Envelope.FromString(packet.envelope)

    def call(self, connection, called, /, **fields):
        """Ask and be answered: the reply's message, or the error's id."""
        number = self.ask(connection, called, **fields)
        answer = self.answer(connection)
        assert answer.id == number
        if answer.WhichOneof("body") == "error":
            return answer.error.id
        return METHODS[method(called)][1].FromString(answer.reply.payload)

    def ended(self, timeout=20):
        """It is over; nothing else comes."""
        deadline = time.monotonic() + timeout
        while True:
            packet, fds = self.receive(deadline - time.monotonic())
            for fd in fds:
                os.close(fd)
            if packet is None:
                return

    def close(self):
        self.sock.close()


class Theatre:
    """Where stand-ins come to be told what to do, one after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.program = folder / "puppet"
        self.program.write_text(PROGRAM.replace("FOLDER", str(folder)))
        self.program.chmod(0o755)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(folder / "puppet.sock"))
        (folder / "puppet.sock").chmod(0o666)
        self.listener.listen(16)
        self.puppets = []

    def next(self, timeout=20):
        """The next one that is started."""
        self.listener.settimeout(timeout)
        sock, _ = self.listener.accept()
        self.puppets.append(Puppet(sock))
        return self.puppets[-1]

    def close(self):
        for puppet in self.puppets:
            puppet.close()
        self.listener.close()
        shutil.rmtree(self.folder)


def memory(fd):
    """What is in a memfd, which is closed."""
    with contextlib.closing(os.fdopen(fd, "rb")) as file:
        file.seek(0)
        return file.read()
