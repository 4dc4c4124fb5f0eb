/* SPDX-License-Identifier: Apache-2.0
 *
 * announce.c - uevents of the simulated machine
 *
 * Whoever subscribes gets a socket that struct kernel_uevent come from. If he
 * does not read, some are lost, as with the kernel's netlink socket: then the
 * next that he gets says so.
 */
#include "kernel/sim/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* How soon it is tried again to say that some were lost. */
#define RETRY_NS UINT64_C(50000000)

/**
 * struct subscriber - Somebody who hears uevents
 * @server:	Of which machine
 * @fd:		Our end, non-blocking
 * @source:	Tells when he is gone; of the loop's thread
 * @lost:	Some did not reach him; under the machine's lock
 * @next:	likewise
 */
struct subscriber {
	struct server *server;
	int fd;
	struct loop_source *source;
	bool lost;
	struct subscriber *next;
};

/**
 * tell_losses() - Say that some were lost, to those who read again
 * @data:	The server
 */
static void tell_losses(void *data)
{
	struct kernel_uevent lost;
	struct server *server = data;
	bool more = false;

	memset(&lost, 0, sizeof(lost));
	lost.rescan = true;
	sim_lock(server->sim);
	for (struct subscriber *s = server->subscribers; s; s = s->next) {
		if (s->lost)
			s->lost = fd_send(s->fd, &lost, sizeof(lost), NULL,
					  0) == -EAGAIN;
		more = more || s->lost;
	}
	sim_unlock(server->sim);
	loop_arm(server->retry, more ? clock_mono_ns() + RETRY_NS : 0);
}

/**
 * announce() - The machine announces something
 * @data:	The server
 * @event:	What; the machine is locked
 */
static void announce(void *data, const struct kernel_uevent *event)
{
	struct server *server = data;
	bool more = false;

	for (struct subscriber *s = server->subscribers; s; s = s->next) {
		/* In order: nothing before he knows of the loss. */
		if (s->lost)
			continue;
		s->lost = fd_send(s->fd, event, sizeof(*event), NULL, 0) ==
			  -EAGAIN;
		more = more || s->lost;
	}
	if (more && loop_post(server->loop, tell_losses, server) < 0)
		log_error("no memory: uevents are lost and nobody hears of it");
}

/**
 * subscriber_gone() - He has closed his end; nothing else ever comes from him
 * @data:	The subscriber
 * @events:	Unused
 */
static void subscriber_gone(void *data, uint32_t events)
{
	struct subscriber *s = data;
	struct subscriber **at = &s->server->subscribers;

	sim_lock(s->server->sim);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	sim_unlock(s->server->sim);
	(void)loop_unwatch(s->source);
	(void)fd_close(s->fd);
	free(s);
}

/* announce_subscribe() - Give somebody the uevents from now on */
int announce_subscribe(struct server *server, int *ret_fd)
{
	struct subscriber *s = calloc(1, sizeof(*s));
	_cleanup_fd_ int ours = -1, theirs = -1;
	int ends[2], r = -ENOMEM;

	if (s)
		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
			       SOCK_NONBLOCK, 0, ends) ? -errno : 0;
	if (!r) {
		ours = ends[0];
		theirs = ends[1];
		r = loop_watch(server->loop, ours, EPOLLIN, subscriber_gone, s,
			       &s->source);
	}
	if (r < 0) {
		free(s);
		return r;
	}

	s->server = server;
	s->fd = TAKE_FD(ours);
	sim_lock(server->sim);
	s->next = server->subscribers;
	server->subscribers = s;
	sim_unlock(server->sim);
	*ret_fd = TAKE_FD(theirs);
	return 0;
}

/* announce_start() - Hear the machine's uevents */
int announce_start(struct server *server)
{
	int r = loop_timer(server->loop, tell_losses, server, &server->retry);

	if (r < 0)
		return r;
	sim_lock(server->sim);
	server->sim->announce = announce;
	server->sim->announce_data = server;
	sim_unlock(server->sim);

	return 0;
}
