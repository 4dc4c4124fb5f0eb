/* SPDX-License-Identifier: Apache-2.0
 *
 * end.c - the machine's ends of descriptors: calls on them, last close
 *
 * A descriptor of the machine is one end of a socketpair; this is about the
 * other one. A call is a message with the descriptor to answer at. When all
 * copies of the far end are closed the socket is hung up, and the file is
 * closed; a call that is still at work holds it open until it is done, as in a
 * kernel.
 *
 * close(2) of the kernel's has closed the file when it returns. Ours is heard of
 * later, and may take the time of a reset; so before each call all ends are
 * looked at (ends_hear()), and the call waits until what was closed before it
 * is over (end_settle()).
 */
#include "kernel/sim/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/simfd.h"

/* Calls on one descriptor before the others have their turn. */
#define CALLS_PER_ROUND 8

/**
 * struct end - The machine's end of a descriptor
 * @server:	Whose it is
 * @file:	What the descriptor stands for
 * @fd:		The end; of the loop's thread
 * @source:	In the loop
 * @refs:	The loop's, and one of each call at work
 * @next:	In struct server, while it has a source
 * @closing:	Number of its last close
 * @next_closing: In the server's list, while that goes on
 */
struct end {
	struct server *server;
	struct sim_file *file;
	int fd;
	struct loop_source *source;
	atomic_uint refs;
	struct end *next;
	uint64_t closing;
	struct end *next_closing;
};

/**
 * struct end_call - A call at work
 * @end:	On which descriptor; a reference
 * @request:	What
 * @caller:	Who
 * @closing:	For end_settle()
 * @answer:	Where to answer; owned
 * @made:	A file that it has made
 * @result:	Of the call
 */
struct end_call {
	struct end *end;
	struct simfd_request request;
	struct sim_caller caller;
	uint64_t closing;
	int answer;
	struct sim_made made;
	int64_t result;
};

/* --- the last close --- */

/**
 * one_less() - On the loop's thread: a file is closed
 * @data:	The server
 */
static void one_less(void *data)
{
	struct server *server = data;

	server->n_ends--;
	server_idle(server);
}

/* end_settle() - Let last closes be over that came before a call */
void end_settle(struct server *server, uint64_t closing)
{
	const struct end *end = server->closing;

	while (end) {
		if (end->closing > closing) {
			end = end->next_closing;
			continue;
		}
		(void)sim_wait(server->sim, 0); /* it ends */
		end = server->closing;
	}
}

/**
 * closed() - It is over
 * @end:	It; the machine is locked
 */
static void closed(struct end *end)
{
	struct end **at = &end->server->closing;

	while (*at && *at != end)
		at = &(*at)->next_closing;
	if (*at)
		*at = end->next_closing;
	sim_changed(end->server->sim);
}

/**
 * finish() - Close the file, which may take the time of a reset
 * @data:	The end, with nobody left at it; freed
 */
static void finish(void *data)
{
	struct end *end = data;

	sim_lock(end->server->sim);
	(void)sim_close(end->file);
	closed(end);
	sim_unlock(end->server->sim);
	if (loop_post(end->server->loop, one_less, end->server) < 0)
		log_error("no memory: the machine will not end by itself");
	free(end);
}

/**
 * closes_at_once() - Does the last close of a file take no time?
 *
 * It may have to reset the function, or its bus.
 */
static bool closes_at_once(struct end *end)
{
	struct sim *sim = end->server->sim;
	bool waits = false;

	if (end->file->kind != SIM_FILE_CDEV)
		return true;
	sim_lock(sim);
	for (size_t i = 0; i < sim->n_devices; i++)
		waits |= sim->devices[i]->n_files && sim->devices[i]->reset_ms;
	sim_unlock(sim);

	return !waits;
}

/**
 * hung_up() - Nobody has the descriptor any more
 * @end:	Our end
 */
static void hung_up(struct end *end)
{
	struct server *server = end->server;
	struct end **at = &server->ends;

	while (*at && *at != end)
		at = &(*at)->next;
	if (*at)
		*at = end->next;
	end->source = loop_unwatch(end->source);
	end->fd = fd_close(end->fd);
	/* A call that is at work closes the file when it is done. */
	if (atomic_fetch_sub(&end->refs, 1) != 1)
		return;
	sim_lock(server->sim);
	end->closing = ++server->last_closing;
	end->next_closing = server->closing;
	server->closing = end;
	sim_unlock(server->sim);
	/* Too many threads: then the loop waits. */
	if (closes_at_once(end) || server_job(server, finish, end) < 0)
		finish(end);
}

/**
 * is_over() - Has nobody the descriptor any more, and is no call of it left?
 */
static bool is_over(const struct end *end)
{
	struct pollfd p = { .fd = end->fd };
	char byte;

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP &&
	       recv(end->fd, &byte, sizeof(byte), MSG_PEEK) == 0;
}

/* ends_hear() - Hear of what was closed until now */
void ends_hear(struct server *server, const struct end *but)
{
	struct end *end = server->ends, *next;

	for (; end; end = next) {
		next = end->next;
		if (end != but && is_over(end))
			hung_up(end);
	}
}

/* --- calls --- */

/**
 * reply_consume() - Answer a call
 * @answer:	Where to; closed
 * @result:	With what
 *
 * Whoever does not wait for it any more has ended.
 */
static void reply_consume(int answer, int64_t result)
{
	const struct simfd_reply reply = { .result = result };

	(void)fd_send(answer, &reply, sizeof(reply), NULL, 0);
	(void)fd_close(answer);
}

/**
 * make_call() - Do what a call asks for
 * @call:	The call; the machine is locked
 *
 * Return: as the call.
 */
static int64_t make_call(const struct end_call *call)
{
	const struct simfd_request *request = &call->request;
	struct sim_file *file = call->end->file;

	switch (request->op) {
	case SIMFD_IOCTL:
		return sim_ioctl(file, &call->caller, request->number,
				 request->address);
	case SIMFD_PREAD:
		return sim_pread(file, &call->caller, request->address,
				 request->length, request->number);
	case SIMFD_PWRITE:
		return sim_pwrite(file, &call->caller, request->address,
				  request->length, request->number);
	}

	return -EINVAL;
}

/**
 * over() - A call is done
 * @call:	The call; its answer is the caller's to give
 *
 * Before the answer: the caller's close is to be the last one then.
 */
static void over(const struct end_call *call)
{
	if (atomic_fetch_sub(&call->end->refs, 1) == 1)
		finish(call->end);
}

/**
 * give_made() - On the loop's thread: answer with a descriptor
 * @data:	The call; freed
 *
 * What the file is of stays in its context if that fails, as an object that
 * nobody has open.
 */
static void give_made(void *data)
{
	struct end_call *call = data;
	const struct simfd_reply_fd reply = {
		.result = call->result,
		.offset = call->made.offset,
	};
	_cleanup_fd_ int fd = -1;
	int r;

	r = end_new_consume(call->end->server, call->made.file, &fd);
	over(call);
	if (r < 0) {
		reply_consume(call->answer, r);
	} else {
		(void)fd_send(call->answer, &reply, sizeof(reply), &fd, 1);
		(void)fd_close(call->answer);
	}
	free(call);
}

/**
 * call_main() - A thread: make a call
 * @data:	The call; freed
 */
static void call_main(void *data)
{
	struct end_call *call = data;
	struct server *server = call->end->server;

	call->caller.made = &call->made;
	sim_lock(server->sim);
	end_settle(server, call->closing);
	call->result = make_call(call);
	sim_unlock(server->sim);
	/* Descriptors are the loop's. */
	if (call->made.file) {
		if (!loop_post(server->loop, give_made, call))
			return;
		sim_lock(server->sim);
		(void)sim_close(call->made.file);
		sim_unlock(server->sim);
		call->result = -ENOMEM;
	}
	over(call);
	reply_consume(call->answer, call->result);
	free(call);
}

/**
 * start_call_consume() - Let a thread make a call
 * @end:	On which descriptor
 * @request:	What
 * @caller:	Who
 * @answer:	Where to answer
 */
static void start_call_consume(struct end *end,
			       const struct simfd_request *request,
			       const struct ucred *caller, int answer)
{
	struct end_call *call = malloc(sizeof(*call));

	if (call) {
		*call = (struct end_call){
			.end = end,
			.request = *request,
			.caller = {
				.pid = caller->pid,
				.uid = caller->uid,
				.root = server_daemon(end->server,
						      caller->pid),
			},
			.closing = end->server->last_closing,
			.answer = answer,
		};
		atomic_fetch_add(&end->refs, 1);
		if (!server_job(end->server, call_main, call))
			return;
		atomic_fetch_sub(&end->refs, 1); /* the loop has one */
		free(call);
	}
	reply_consume(answer, -ENOMEM);
}

/**
 * end_ready() - Calls have come, or the last close
 * @data:	The end
 * @events:	Which
 *
 * What is no call is passed over: then the caller hears that nobody answers.
 */
static void end_ready(void *data, uint32_t events)
{
	struct end *end = data;

	for (int i = 0; i < CALLS_PER_ROUND; i++) {
		_cleanup_fd_ int answer = -1;
		struct simfd_request request;
		struct ucred caller;
		size_t n_fds = 0;
		ssize_t n;

		n = fd_receive_from(end->fd, &request, sizeof(request),
				    &answer, 1, &n_fds, &caller);
		if (n == -EAGAIN)
			return;
		/* An empty packet looks like the end, and is none. */
		if ((n == 0 && events & EPOLLHUP) || n == -ECONNRESET) {
			hung_up(end);
			return;
		}
		if (n != sizeof(request) || n_fds != 1 ||
		    request.magic != SIMFD_MAGIC)
			continue;
		ends_hear(end->server, end);
		start_call_consume(end, &request, &caller, TAKE_FD(answer));
	}
}

/* --- new ones --- */

/**
 * make_pair() - Make the two ends
 * @ret_ours:	Non-blocking, and the kernel tells who sends
 * @ret_theirs:	The descriptor
 * @ret_inode:	The descriptor's
 *
 * Return: 0 or -errno.
 */
static int make_pair(int *ret_ours, int *ret_theirs, ino_t *ret_inode)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	struct stat st;
	int ends[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) || fstat(theirs, &st) ||
	    setsockopt(ours, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -errno;

	*ret_inode = st.st_ino;
	*ret_ours = TAKE_FD(ours);
	*ret_theirs = TAKE_FD(theirs);
	return 0;
}

/* end_new_consume() - Give out a descriptor of an open file */
int end_new_consume(struct server *server, struct sim_file *file, int *ret_fd)
{
	struct end *end = calloc(1, sizeof(*end));
	_cleanup_fd_ int ours = -1, theirs = -1;
	ino_t inode = 0;
	int r = -ENOMEM;

	if (end)
		r = make_pair(&ours, &theirs, &inode);
	if (!r)
		r = loop_watch(server->loop, ours, EPOLLIN, end_ready, end,
			       &end->source);
	sim_lock(server->sim);
	if (r < 0)
		(void)sim_close(file);
	else
		file->inode = inode;
	sim_unlock(server->sim);
	if (r < 0) {
		free(end);
		return r;
	}

	end->server = server;
	end->file = file;
	end->fd = TAKE_FD(ours);
	atomic_init(&end->refs, 1);
	end->next = server->ends;
	server->ends = end;
	server->n_ends++;
	server_idle(server);
	*ret_fd = TAKE_FD(theirs);
	return 0;
}
