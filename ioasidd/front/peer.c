/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.c - one connection of the native socket
 */
#include "front/peer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/receive.h"
#include "base/str.h"

/* Packets of one peer before the others have their turn. */
#define PACKETS_PER_ROUND 8

static void peer_ready(void *data, uint32_t events);
static void peer_stalled(void *data);
static const struct client_ops peer_ops;

/* peer_of() - The peer that a client is */
static struct peer *peer_of(struct client *client)
{
	return (struct peer *)client; /* it begins it */
}
static_assert(offsetof(struct peer, client) == 0, "see peer_of()");

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
	_cleanup_identity_ struct identity *identity = caller->identity;
	_cleanup_fd_ int pidfd = caller->pidfd;
	struct peer *peer = calloc(1, sizeof(*peer));
	int r = -ENOMEM, sock = fd;

	if (!peer)
		goto undo_fd;
	client_init(&peer->client, &peer_ops, caller);
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
	peer->over = -1;
	(void)TAKE_FD(pidfd); /* the client has it */
	(void)TAKE_PTR(identity); /* likewise */

	*ret = peer;
	return 0;

undo_timer:
	loop_unwatch(peer->stall);
undo_alloc:
	free(peer);
undo_fd:
	receive_end_consume(sock, caller->process.uid);
	return r;
}

/**
 * peer_free() - Nobody needs it any more
 * @client:	Closed
 */
static void peer_free(struct client *client)
{
	struct peer *peer = peer_of(client);

	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

/**
 * peer_close() - End the connection, see client_close()
 * @client:	The peer's
 */
static void peer_close(struct client *client)
{
	struct peer *peer = peer_of(client);
	int sock;

	if (peer->fd < 0)
		return;

	peer->source = loop_unwatch(peer->source);
	peer->stall = loop_unwatch(peer->stall);
	pthread_mutex_lock(&peer->lock);
	sock = TAKE_FD(peer->fd);
	if (peer->fetching)
		peer->over = TAKE_FD(sock);
	pthread_mutex_unlock(&peer->lock);
	if (sock >= 0)
		receive_end_consume(sock, client->caller.process.uid);
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
		 (int)peer->client.caller.process.pid, peer->client.caller.principal);
	client_close(&peer->client);
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
	const uint32_t in = peer->held ? 0 : EPOLLIN;

	loop_want(peer->source, peer->queue ? EPOLLOUT :
		  peer->awaited ? in | EPOLLOUT : in);
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
			client_close(&peer->client);
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

/**
 * peer_send_consume() - Send a packet, or queue it, see client_send_consume()
 * @client:	The peer's
 * @packet:	Freed
 */
static void peer_send_consume(struct client *client, struct packet *packet)
{
	struct peer *peer = peer_of(client);
	_cleanup_free_ struct packet *owned = packet;
	int r = -EAGAIN;

	if (peer->fd < 0)
		return;
	if (!packet) {
		log_warning("no memory for an answer to pid %d: cut off",
			    (int)peer->client.caller.process.pid);
		client_close(&peer->client);
		return;
	}

	if (!peer->queue)
		r = fd_send(peer->fd, packet->data, packet->size, NULL, 0);
	if (!r)
		return;
	if (r != -EAGAIN || peer->queued + packet->size > PEER_QUEUE_MAX) {
		client_close(&peer->client);
		return;
	}

	packet->next = NULL;
	peer->queued += packet->size;
	*peer->queue_end = TAKE_PTR(owned);
	peer->queue_end = &packet->next;
	if (peer->queue == packet)
		peer_settle(peer);
}

/**
 * peer_hand_over() - Send a packet with descriptors, see client_hand_over()
 * @client:	The peer's
 * @packet:	Borrowed
 * @fds:	Borrowed
 * @n_fds:	How many
 */
static int peer_hand_over(struct client *client, const struct packet *packet,
			  const int *fds, size_t n_fds)
{
	struct peer *peer = peer_of(client);
	int r = -EPIPE;

	pthread_mutex_lock(&peer->lock);
	if (peer->fd >= 0)
		r = fd_send(peer->fd, packet->data, packet->size, fds, n_fds);
	pthread_mutex_unlock(&peer->lock);

	return r;
}

/**
 * peer_fetch() - Receive a packet with its descriptors, see client_fetch()
 * @client:	The peer's, held
 *
 * If the peer is closed meanwhile its socket is left to us.
 */
static int peer_fetch(struct client *client, int *fds, size_t *ret_n)
{
	const uid_t uid = client->caller.process.uid;
	struct peer *peer = peer_of(client);
	int r, sock, over;

	pthread_mutex_lock(&peer->lock);
	sock = peer->fd;
	peer->fetching = sock >= 0;
	pthread_mutex_unlock(&peer->lock);
	if (sock < 0)
		return -EPIPE;
	r = receive_memory(sock, uid, fds, ret_n);
	pthread_mutex_lock(&peer->lock);
	peer->fetching = false;
	over = TAKE_FD(peer->over);
	pthread_mutex_unlock(&peer->lock);
	if (over >= 0)
		receive_end_consume(over, uid);
	return r;
}

/**
 * peer_drop() - Have a packet with descriptors dropped
 * @peer:	Open; closed if that cannot be done
 */
static void peer_drop(struct peer *peer)
{
	if (receive_drop(peer->fd, peer->client.caller.process.uid) < 0)
		client_close(&peer->client);
}

/**
 * peer_go_on() - Read again, see client_go_on()
 * @client:	The peer's
 * @fetched:	The packet is gone
 */
static void peer_go_on(struct client *client, bool fetched)
{
	struct peer *peer = peer_of(client);

	if (peer->fd < 0 || !peer->held)
		return;
	if (!fetched)
		peer_drop(peer);
	if (peer->fd < 0)
		return;
	peer->held = false;
	peer_settle(peer);
}

/**
 * peer_takes_more() - Would a packet leave at once? See client_ready()
 * @client:	The peer's
 *
 * A socket that can be written to has room for any packet, see peer_prepare().
 */
static bool peer_takes_more(struct client *client)
{
	struct peer *peer = peer_of(client);
	struct pollfd poll_fd = { .fd = peer->fd, .events = POLLOUT };

	if (peer->fd < 0)
		return false;
	if (!peer->queue && poll(&poll_fd, 1, 0) == 1)
		return true;
	peer->awaited = true;
	peer_settle(peer);
	return false;
}

/**
 * peer_drained() - Tell who waits for it that the socket takes more
 * @peer:	Open, with an empty queue
 */
static void peer_drained(struct peer *peer)
{
	peer->awaited = false;
	peer_settle(peer);
	peer->events->drained(peer->owner, peer);
}

static const struct client_ops peer_ops = {
	.ready = peer_takes_more,
	.send_consume = peer_send_consume,
	.hand_over = peer_hand_over,
	.fetch = peer_fetch,
	.go_on = peer_go_on,
	.close = peer_close,
	.free = peer_free,
};

/**
 * peer_offer() - A packet has descriptors: is it one that may?
 * @peer:	Open
 */
static void peer_offer(struct peer *peer)
{
	enum peer_offer offer = PEER_REFUSE;
	bool fds;
	ssize_t n = fd_peek(peer->fd, peer->buffer, PACKET_MAX, &fds);

	/* The request may be over before the call is. */
	peer->held = true;
	if (n > 0 && n <= PACKET_MAX && peer->events->offered)
		offer = peer->events->offered(peer->owner, peer, peer->buffer,
					      (size_t)n);
	if (offer == PEER_HOLD) {
		if (peer->fd >= 0)
			peer_settle(peer);
		return;
	}
	peer->held = false;
	if (peer->fd >= 0)
		peer_drop(peer);
	if (peer->fd >= 0 && offer == PEER_REFUSE)
		peer->events->refused(peer->owner, peer, -EPROTO);
}

/**
 * peer_read() - Take packets until there are no more, or it is others' turn
 * @peer:	Open; closed at the end of the connection
 */
static void peer_read(struct peer *peer)
{
	for (int i = 0; i < PACKETS_PER_ROUND; i++) {
		bool fds = false;
		ssize_t n = fd_peek(peer->fd, peer->buffer, 1, &fds);

		if (n == -EAGAIN)
			return;
		if (n > 0 && fds) {
			peer_offer(peer);
			if (peer->fd < 0 || peer->queue || peer->held)
				return;
			continue;
		}
		/* What cannot be looked at may have descriptors: an empty
		 * packet, or what the other end has left behind.
		 */
		if (n > 0)
			n = fd_receive(peer->fd, peer->buffer, PACKET_MAX,
				       NULL, 0, NULL);
		if (n == -EAGAIN)
			return;
		if (n == -EMSGSIZE || n == -EPROTO)
			peer->events->refused(peer->owner, peer, (int)n);
		else if (n > 0)
			peer->events->packet(peer->owner, peer, peer->buffer,
					     (size_t)n);
		else
			client_close(&peer->client);
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
	struct peer *peer = data;

	client_ref(&peer->client);
	if (events & (EPOLLHUP | EPOLLERR))
		client_close(&peer->client);
	else if ((events & EPOLLOUT) && peer->queue)
		peer_flush(peer);
	else if ((events & EPOLLOUT) && peer->awaited)
		peer_drained(peer);
	if (peer->fd >= 0 && !peer->queue && !peer->held &&
	    (events & EPOLLIN))
		peer_read(peer);

	client_unref(&peer->client);
}

/* peer_dismiss() - Say one thing and close. What has come is read on the way: a
 * socket that is closed with something unread gives its peer ECONNRESET, before
 * what was said last.
 */
void peer_dismiss(int fd, uid_t uid, const struct error *err)
{
	_cleanup_free_ struct packet *packet = packet_error(0, err);

	if (packet)
		(void)fd_send(fd, packet->data, packet->size, NULL, 0);
	receive_end_consume(fd, uid);
}
