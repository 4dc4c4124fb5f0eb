/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.c - one connection of the native socket
 */
#include "front/peer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Packets of one peer before the others have their turn. */
#define PACKETS_PER_ROUND 8

static void peer_ready(void *data, uint32_t events);
static void peer_stalled(void *data);

/**
 * peer_prepare() - Let the socket hold one packet of PACKET_MAX
 * @fd:		The socket
 *
 * unix(7) has no limit of its own: a packet must fit the sender's buffer. The
 * kernel doubles the number for its overhead, which for large packets is less.
 * Without the privilege for it, in tests, what the sysctl allows must do.
 */
void peer_prepare(int fd)
{
	int size = PACKET_MAX;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		log_debug("SO_SNDBUF: %m");
}

/* peer_new_consume() - Take a connection over and begin to read */
int peer_new_consume(struct loop *loop, int fd, const struct caller *caller,
		     uint8_t *buffer, const struct peer_events *events,
		     void *owner, struct peer **ret)
{
	_cleanup_fd_ int sock = fd, pidfd = caller->pidfd;
	struct peer *peer = calloc(1, sizeof(*peer));
	int r = -ENOMEM;

	if (!peer)
		return -ENOMEM;
	atomic_init(&peer->refs, 1);
	peer->caller = *caller;
	peer->loop = loop;
	peer->queue_end = &peer->queue;
	peer->events = events;
	peer->owner = owner;
	peer->buffer = buffer;

	r = loop_timer(loop, peer_stalled, peer, &peer->stall);
	if (r < 0)
		goto undo_alloc;
	r = loop_watch(loop, sock, EPOLLIN, peer_ready, peer, &peer->source);
	if (r < 0)
		goto undo_timer;
	pthread_mutex_init(&peer->lock, NULL);
	peer_prepare(sock);
	peer->fd = TAKE_FD(sock);
	peer->caller.pidfd = TAKE_FD(pidfd);

	*ret = peer;
	return 0;

undo_timer:
	loop_unwatch(peer->stall);
undo_alloc:
	free(peer);
	return r;
}

/* peer_ref() - Hold on to a peer */
struct peer *peer_ref(struct peer *peer)
{
	atomic_fetch_add(&peer->refs, 1);
	return peer;
}

/* peer_unref() - Let go. The owner's reference goes after peer_close(), so
 * there is only memory left here, and the pidfd.
 */
struct peer *peer_unref(struct peer *peer)
{
	if (!peer || atomic_fetch_sub(&peer->refs, 1) != 1)
		return NULL;

	(void)fd_close(peer->caller.pidfd);
	pthread_mutex_destroy(&peer->lock);
	free(peer);

	return NULL;
}

/* peer_close() - End the connection */
void peer_close(struct peer *peer)
{
	if (peer->fd < 0)
		return;

	peer->source = loop_unwatch(peer->source);
	peer->stall = loop_unwatch(peer->stall);
	pthread_mutex_lock(&peer->lock);
	peer->fd = fd_close(peer->fd);
	pthread_mutex_unlock(&peer->lock);
	while (peer->queue) {
		struct packet *packet = peer->queue;

		peer->queue = packet->next;
		free(packet);
	}
	peer->queue_end = &peer->queue;
	peer->queued = 0;
	peer->events->closed(peer->owner, peer);
}

/**
 * peer_stalled() - The queue has not moved for too long
 * @data:	The peer
 */
static void peer_stalled(void *data)
{
	struct peer *peer = data;

	log_info("pid %d of %s does not read what it asked for: cut off",
		 (int)peer->caller.process.pid, peer->caller.principal);
	peer_close(peer);
}

/**
 * peer_settle() - Watch for what is to be done next
 * @peer:	Open
 *
 * With packets waiting, for room; without, for packets.
 */
static void peer_settle(struct peer *peer)
{
	uint64_t stall = clock_mono_ns() + PEER_STALL_MS * 1000000ull;

	loop_want(peer->source, peer->queue ? EPOLLOUT : EPOLLIN);
	loop_arm(peer->stall, peer->queue ? stall : 0);
}

/**
 * peer_flush() - Send what waits, as far as there is room
 * @peer:	Open; closed if the other end is gone
 */
static void peer_flush(struct peer *peer)
{
	bool moved = false;

	while (peer->queue) {
		struct packet *packet = peer->queue;
		int r = fd_send(peer->fd, packet->data, packet->size, NULL, 0);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			peer_close(peer);
			return;
		}
		moved = true;
		peer->queue = packet->next;
		if (!peer->queue)
			peer->queue_end = &peer->queue;
		peer->queued -= packet->size;
		free(packet);
	}
	if (moved)
		peer_settle(peer);
}

/* peer_send_consume() - Send a packet, or queue it */
void peer_send_consume(struct peer *peer, struct packet *packet)
{
	_cleanup_free_ struct packet *owned = packet;
	int r = -EAGAIN;

	if (peer->fd < 0)
		return;
	if (!packet) {
		log_warning("no memory for an answer to pid %d: cut off",
			    (int)peer->caller.process.pid);
		peer_close(peer);
		return;
	}

	if (!peer->queue)
		r = fd_send(peer->fd, packet->data, packet->size, NULL, 0);
	if (!r)
		return;
	if (r != -EAGAIN || peer->queued + packet->size > PEER_QUEUE_MAX) {
		peer_close(peer);
		return;
	}

	packet->next = NULL;
	peer->queued += packet->size;
	*peer->queue_end = TAKE_PTR(owned);
	peer->queue_end = &packet->next;
	if (peer->queue == packet)
		peer_settle(peer);
}

/* peer_hand_over() - Send a packet with descriptors, now or not at all */
int peer_hand_over(struct peer *peer, const struct packet *packet,
		   const int *fds, size_t n_fds)
{
	int r = -EPIPE;

	pthread_mutex_lock(&peer->lock);
	if (peer->fd >= 0)
		r = fd_send(peer->fd, packet->data, packet->size, fds, n_fds);
	pthread_mutex_unlock(&peer->lock);

	return r;
}

/**
 * peer_read() - Take packets until there are no more, or it is others' turn
 * @peer:	Open; closed at the end of the connection
 */
static void peer_read(struct peer *peer)
{
	for (int i = 0; i < PACKETS_PER_ROUND; i++) {
		ssize_t n = fd_receive(peer->fd, peer->buffer, PACKET_MAX,
				       NULL, 0, NULL);

		if (n == -EAGAIN)
			return;
		if (n == -EMSGSIZE || n == -EPROTO)
			peer->events->refused(peer->owner, peer, (int)n);
		else if (n > 0)
			peer->events->packet(peer->owner, peer, peer->buffer,
					     (size_t)n);
		else
			peer_close(peer);
		if (peer->fd < 0 || peer->queue)
			return;
	}
}

/**
 * peer_ready() - The socket has something for us
 * @data:	The peer
 * @events:	What
 *
 * One who has hung up wants no answers: what he asked last is not begun.
 */
static void peer_ready(void *data, uint32_t events)
{
	struct peer *peer = peer_ref(data);

	if (events & (EPOLLHUP | EPOLLERR))
		peer_close(peer);
	else if (events & EPOLLOUT)
		peer_flush(peer);
	else if (events & EPOLLIN)
		peer_read(peer);

	peer_unref(peer);
}

/* peer_dismiss() - Say one thing and close */
void peer_dismiss(int fd, const struct error *err)
{
	_cleanup_free_ struct packet *packet = packet_error(0, err);
	_cleanup_fd_ int sock = fd;
	char byte;

	if (packet)
		(void)fd_send(sock, packet->data, packet->size, NULL, 0);
	/* A socket that is closed with something unread gives its peer
	 * ECONNRESET, before what was said last. So let no more in, and read
	 * what has come; descriptors are dropped on the way.
	 */
	(void)shutdown(sock, SHUT_RD); /* then he has left */
	while (recv(sock, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
}
