/* SPDX-License-Identifier: Apache-2.0
 *
 * farewell.c - sockets whose last words are still on their way
 */
#include "tls/farewell.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

/**
 * struct farewell - One socket; loop thread only
 * @next:	An older one
 * @all:	Where it is in the list
 * @fd:		The socket, shut for writing
 * @source:	Watches it
 * @timer:	Its time
 * @left:	How many more bytes of it are passed over
 */
struct farewell {
	struct farewell *next;
	struct farewells *all;
	int fd;
	struct loop_source *source;
	struct loop_source *timer;
	size_t left;
};

/* farewell_end() - Close one. */
static void farewell_end(void *data)
{
	struct farewell *farewell = data, **at = &farewell->all->first;

	while (*at != farewell)
		at = &(*at)->next;
	*at = farewell->next;
	farewell->all->n--;
	loop_unwatch(farewell->source);
	loop_unwatch(farewell->timer);
	(void)fd_close(farewell->fd);
	free(farewell);
}

/* on_ready() - The client says something that nobody hears, or is done. */
static void on_ready(void *data, uint32_t events)
{
	struct farewell *farewell = data;
	char nothing[4096];
	ssize_t n;

	n = recv(farewell->fd, nothing, sizeof(nothing), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (size_t)n > farewell->left)
		farewell_end(farewell);
	else
		farewell->left -= (size_t)n;
}

/* end_oldest() - Make room for one. */
static void end_oldest(struct farewells *all)
{
	struct farewell *farewell = all->first;

	while (farewell->next)
		farewell = farewell->next;
	farewell_end(farewell);
}

/* farewell_consume() - Take a socket's farewell */
void farewell_consume(struct farewells *all, struct loop *loop, int fd)
{
	_cleanup_fd_ int sock = fd;
	struct farewell *farewell;

	/* Fails if the client has gone: nothing to wait for. */
	if (shutdown(sock, SHUT_WR))
		return;
	farewell = calloc(1, sizeof(*farewell));
	if (!farewell)
		return;
	if (loop_timer(loop, farewell_end, farewell, &farewell->timer) < 0 ||
	    loop_watch(loop, sock, EPOLLIN, on_ready, farewell,
		       &farewell->source) < 0) {
		loop_unwatch(farewell->timer);
		free(farewell);
		return;
	}
	if (all->n == FAREWELL_MAX)
		end_oldest(all);
	loop_arm(farewell->timer, clock_mono_ns() + FAREWELL_MS * 1000000ull);
	farewell->fd = TAKE_FD(sock);
	farewell->left = FAREWELL_BYTES;
	farewell->all = all;
	farewell->next = all->first;
	all->first = farewell;
	all->n++;
}

/* farewells_end() - Close all */
void farewells_end(struct farewells *all)
{
	while (all->first)
		farewell_end(all->first);
}
