/* SPDX-License-Identifier: Apache-2.0
 *
 * simfd.c - calls on a descriptor that stands for a file in another process
 */
#include "base/simfd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"

/* simfd_is() - Is the descriptor a socket? */
bool simfd_is(int fd)
{
	int saved = errno;
	struct stat st;
	bool is;

	is = !fstat(fd, &st) && S_ISSOCK(st.st_mode);
	errno = saved;
	return is;
}

/**
 * send_request() - Send a call, waiting for room if there is none
 * @fd:		The file
 * @request:	The call
 * @answer:	Where to answer
 *
 * Return: 0 or -errno of sendmsg(2).
 */
static int send_request(int fd, const struct simfd_request *request, int answer)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int r;

	while ((r = fd_send(fd, request, sizeof(*request), &answer, 1)) ==
	       -EAGAIN)
		(void)poll(&p, 1, -1);

	return r;
}

/**
 * allow_machine() - Let the machine read and write our memory
 * @fd:		The file
 *
 * Where Yama restricts that to ancestors (ptrace_scope 1, as on Ubuntu) a
 * process may name one more. Root needs no leave.
 */
static void allow_machine(int fd)
{
	struct ucred machine;
	socklen_t size = sizeof(machine);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &machine, &size) &&
	    machine.uid)
		(void)prctl(PR_SET_PTRACER, machine.pid, 0, 0, 0);
}

/**
 * take_fd() - Write the number of a descriptor into the argument
 * @request:	The call
 * @offset:	Where in the argument; a stranger may say anything
 * @fd:		It
 *
 * Return: 0; -EPROTO: that is not in the argument.
 */
static int take_fd(const struct simfd_request *request, uint64_t offset, int fd)
{
	char *arg = (char *)(uintptr_t)request->address;
	uint32_t size;

	if (request->op != SIMFD_IOCTL || !arg)
		return -EPROTO;
	memcpy(&size, arg, sizeof(size));
	if (size < sizeof(int32_t) || offset > size - sizeof(int32_t))
		return -EPROTO;

	memcpy(arg + offset, &fd, sizeof(fd));
	return 0;
}

/**
 * receive_answer() - Wait for the answer to a call
 * @fd:		Where it comes
 * @request:	The call
 * @ret:	What the call returns, or -errno
 *
 * A descriptor that comes with it is the caller's, by its number in the
 * argument.
 *
 * Return: 0; -errno if none comes.
 */
static int receive_answer(int fd, const struct simfd_request *request,
			  int64_t *ret)
{
	struct simfd_reply_fd reply = { .offset = 0 };
	_cleanup_fd_ int made = -1;
	size_t n_fds = 0;
	ssize_t n;

	n = fd_receive(fd, &reply, sizeof(reply), &made, 1, &n_fds);
	if (n == -EPROTO)
		return -EMFILE; /* no room in our table */
	if (n != sizeof(struct simfd_reply) && n != sizeof(reply))
		return -ENODEV;
	if (n == sizeof(reply)) {
		if (n_fds != 1 || take_fd(request, reply.offset, made) < 0)
			return -ENODEV;
		(void)TAKE_FD(made);
	}
	*ret = reply.result;
	return 0;
}

/**
 * call() - Make a call and wait for its answer
 * @fd:		The file
 * @request:	The call
 *
 * However long it takes: as a call into the kernel does.
 *
 * Return: what the call returns; -1 with errno.
 */
static int64_t call(int fd, const struct simfd_request *request)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	int64_t result;
	int ends[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	ours = ends[0];
	theirs = ends[1];
	allow_machine(fd);

	r = send_request(fd, request, theirs);
	/* Then our end tells when nobody will answer any more. */
	theirs = fd_close(theirs);
	if (r == 0) {
		r = receive_answer(ours, request, &result);
		if (r == 0 && result >= 0)
			return result;
		if (r == 0)
			r = (int)result;
	}
	if (r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN)
		r = -ENODEV;
	errno = -r;
	return -1;
}

/* simfd_ioctl() - As ioctl(2) */
int simfd_ioctl(int fd, unsigned long request, void *arg)
{
	const struct simfd_request message = {
		.magic = SIMFD_MAGIC,
		.op = SIMFD_IOCTL,
		.number = request,
		.address = (uintptr_t)arg,
	};

	return (int)call(fd, &message);
}

/* simfd_pread() - As pread(2) */
ssize_t simfd_pread(int fd, void *buf, size_t size, off_t at)
{
	const struct simfd_request message = {
		.magic = SIMFD_MAGIC,
		.op = SIMFD_PREAD,
		.number = (uint64_t)at,
		.address = (uintptr_t)buf,
		.length = size,
	};

	return (ssize_t)call(fd, &message);
}

/* simfd_pwrite() - As pwrite(2) */
ssize_t simfd_pwrite(int fd, const void *buf, size_t size, off_t at)
{
	const struct simfd_request message = {
		.magic = SIMFD_MAGIC,
		.op = SIMFD_PWRITE,
		.number = (uint64_t)at,
		.address = (uintptr_t)buf,
		.length = size,
	};

	return (ssize_t)call(fd, &message);
}
