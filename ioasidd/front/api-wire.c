/* SPDX-License-Identifier: Apache-2.0
 *
 * api-wire.c - packets to and from ioasid-api
 */
#include "front/api-wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Packets read before others have their turn. */
#define PACKETS_PER_ROUND 8

/* What reading a packet may take: its envelope and a few heads, or the names in
 * a certificate.
 */
#define READING_BUDGET (WIRE_PACKET_MAX + (128 << 10))

/**
 * struct outgoing - A packet that waits
 * @next:	After this
 * @n_fds:	Descriptors to go with it
 * @fds:	Ours
 * @size:	Of @data
 * @data:	One LinkPacket
 */
struct outgoing {
	struct outgoing *next;
	size_t n_fds;
	int fds[WIRE_FDS_MAX];
	size_t size;
	uint8_t data[];
};

/**
 * struct api_wire - Our end; loop thread only
 * @loop:	Fixed
 * @fd:		The socket
 * @source:	Watches it
 * @stall:	Runs while the queue is not empty
 * @end:	Tells that it is over; @why is not NULL then
 * @why:	Why nothing is read and sent any more; NULL while it is
 * @queue:	Packets to be sent, oldest first
 * @queue_end:	Where the next one is hung
 * @queued:	Bytes in the queue
 * @awaited:	Somebody wants to hear when it is empty
 * @events:	Where to tell; fixed
 * @owner:	Whom; fixed
 * @buffer:	Where packets are received
 */
struct api_wire {
	struct loop *loop;
	int fd;
	struct loop_source *source;
	struct loop_source *stall;
	struct loop_source *end;
	const char *why;
	struct outgoing *queue;
	struct outgoing **queue_end;
	size_t queued;
	bool awaited;
	const struct api_wire_events *events;
	void *owner;
	uint8_t buffer[WIRE_PACKET_MAX];
};

/* api_wire_pair() - Make a socketpair whose ends hold enough. See
 * peer_prepare(): it cannot be left to the other end, which has no privilege.
 */
int api_wire_pair(int *ret_ours, int *ret_theirs)
{
	const int size = 4 * WIRE_PACKET_MAX;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, ends))
		return -errno;
	for (int i = 0; i < 2; i++)
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)) &&
		    setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size,
			       sizeof(size)))
			log_debug("SO_SNDBUF: %m");
	*ret_ours = ends[0];
	*ret_theirs = ends[1];
	return 0;
}

/**
 * outgoing_free() - Drop a packet
 * @out:	With its descriptors
 */
static void outgoing_free(struct outgoing *out)
{
	for (size_t i = 0; i < out->n_fds; i++)
		(void)fd_close(out->fds[i]);
	free(out);
}

/**
 * wire_ended() - Tell the owner that it is over
 * @data:	The wire
 */
static void wire_ended(void *data)
{
	struct api_wire *wire = data;

	wire->events->failed(wire->owner, wire->why);
}

/* api_wire_fail() - This is the end */
void api_wire_fail(struct api_wire *wire, const char *why)
{
	if (wire->why)
		return;
	wire->why = why;
	wire->source = loop_unwatch(wire->source);
	loop_arm(wire->stall, 0);
	loop_arm(wire->end, clock_mono_ns());
}

/**
 * wire_stalled() - The queue has not moved for too long
 * @data:	The wire
 */
static void wire_stalled(void *data)
{
	api_wire_fail(data, "it does not read what it is sent");
}

/**
 * wire_settle() - Watch for what is to be done next
 * @wire:	Not over
 * @moved:	A packet has left, or the first one waits now
 */
static void wire_settle(struct api_wire *wire, bool moved)
{
	uint32_t events = wire->queued < WIRE_QUEUE_MAX / 2 ? EPOLLIN : 0;

	if (wire->queue)
		events |= EPOLLOUT;
	loop_want(wire->source, events);
	if (moved)
		loop_arm(wire->stall, wire->queue ?
			 clock_mono_ns() + WIRE_STALL_MS * 1000000ull : 0);
}

/**
 * wire_flush() - Send what waits, as far as there is room
 * @wire:	Not over
 */
static void wire_flush(struct api_wire *wire)
{
	bool moved = false;

	while (wire->queue) {
		struct outgoing *out = wire->queue;
		int r = fd_send(wire->fd, out->data, out->size, out->fds,
				out->n_fds);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			api_wire_fail(wire, "it cannot be sent to");
			return;
		}
		moved = true;
		wire->queue = out->next;
		if (!wire->queue)
			wire->queue_end = &wire->queue;
		wire->queued -= out->size;
		outgoing_free(out);
	}
	wire_settle(wire, moved);
	if (!wire->queue && wire->awaited) {
		wire->awaited = false;
		wire->events->drained(wire->owner);
	}
}

/* api_wire_ready() - Does nothing wait to be sent? */
bool api_wire_ready(struct api_wire *wire)
{
	wire->awaited |= wire->queue != NULL;
	return !wire->queue && !wire->why;
}

/**
 * wire_queue_consume() - Let a packet wait
 * @wire:	Not over
 * @out:	Without descriptors
 * @fds:	Those that go with it; copied
 * @n_fds:	How many
 */
static void wire_queue_consume(struct api_wire *wire, struct outgoing *out,
			       const int *fds, size_t n_fds)
{
	bool first = !wire->queue;

	for (; out->n_fds < n_fds; out->n_fds++) {
		int fd = fcntl(fds[out->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			break;
		out->fds[out->n_fds] = fd;
	}
	if (out->n_fds < n_fds ||
	    wire->queued + out->size > WIRE_QUEUE_MAX) {
		outgoing_free(out);
		api_wire_fail(wire, "more waits for it than there is room for");
		return;
	}
	wire->queued += out->size;
	*wire->queue_end = out;
	wire->queue_end = &out->next;
	wire_settle(wire, first);
}

/* api_wire_send() - Send a packet, or queue it */
void api_wire_send(struct api_wire *wire, const pb_link_packet *packet,
		   const int *fds, size_t n_fds)
{
	size_t size = ioasid__v1__link_packet__get_packed_size(packet);
	struct outgoing *out;
	int r = -EAGAIN;

	if (wire->why)
		return;
	out = calloc(1, sizeof(*out) + size);
	if (!out) {
		api_wire_fail(wire, "there is no memory for a packet to it");
		return;
	}
	out->size = size;
	(void)ioasid__v1__link_packet__pack(packet, out->data); /* = size */

	if (!wire->queue)
		r = fd_send(wire->fd, out->data, size, fds, n_fds);
	if (r == -EAGAIN) {
		wire_queue_consume(wire, out, fds, n_fds);
		return;
	}
	free(out);
	if (r < 0)
		api_wire_fail(wire, "it cannot be sent to");
}

/**
 * wire_take() - Read one packet and give it to the owner
 * @wire:	Not over
 * @size:	Of what is in the buffer
 */
static void wire_take(struct api_wire *wire, size_t size)
{
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *message;
	struct error err;

	arena_init(&arena, READING_BUDGET);
	if (wire_unpack(PB(link_packet), wire->buffer, size, &arena, &message,
			&err) < 0) {
		log_warning("a packet of ioasid-api: %s", err.msg);
		api_wire_fail(wire, "it sent what is no packet of the link");
		return;
	}
	wire->events->packet(wire->owner, (const pb_link_packet *)message);
}

/**
 * wire_read() - Take packets until there are no more, or it is others' turn
 * @wire:	Not over
 */
static void wire_read(struct api_wire *wire)
{
	for (int i = 0; i < PACKETS_PER_ROUND; i++) {
		ssize_t n = fd_receive(wire->fd, wire->buffer, WIRE_PACKET_MAX,
				       NULL, 0, NULL);

		if (n == -EAGAIN)
			return;
		if (n > 0)
			wire_take(wire, (size_t)n);
		else if (n == -EMSGSIZE)
			api_wire_fail(wire, "it sent a packet that is too long");
		else if (n == -EPROTO)
			api_wire_fail(wire, "it sent a descriptor");
		else
			api_wire_fail(wire, "it has closed the link");
		if (wire->why || wire->queued >= WIRE_QUEUE_MAX / 2)
			return;
	}
}

/**
 * wire_ready() - The socket has something for us
 * @data:	The wire
 * @events:	What
 *
 * What was said before the end is still read.
 */
static void wire_ready(void *data, uint32_t events)
{
	struct api_wire *wire = data;

	if (events & EPOLLOUT)
		wire_flush(wire);
	if (!wire->why && (events & EPOLLIN))
		wire_read(wire);
	else if (!wire->why && (events & (EPOLLHUP | EPOLLERR)))
		api_wire_fail(wire, "it has closed the link");
}

/* api_wire_new_consume() - Begin to read */
int api_wire_new_consume(struct loop *loop, int fd,
			 const struct api_wire_events *events, void *owner,
			 struct api_wire **ret)
{
	struct api_wire *wire = calloc(1, sizeof(*wire));
	int r;

	if (!wire) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	wire->loop = loop;
	wire->fd = fd;
	wire->queue_end = &wire->queue;
	wire->events = events;
	wire->owner = owner;

	r = loop_timer(loop, wire_stalled, wire, &wire->stall);
	if (r >= 0)
		r = loop_timer(loop, wire_ended, wire, &wire->end);
	if (r >= 0)
		r = loop_watch(loop, fd, EPOLLIN, wire_ready, wire,
			       &wire->source);
	if (r < 0) {
		api_wire_free(wire);
		return r;
	}

	*ret = wire;
	return 0;
}

/* api_wire_free() - Close it */
struct api_wire *api_wire_free(struct api_wire *wire)
{
	if (!wire)
		return NULL;

	wire->source = loop_unwatch(wire->source);
	wire->stall = loop_unwatch(wire->stall);
	wire->end = loop_unwatch(wire->end);
	while (wire->queue) {
		struct outgoing *out = wire->queue;

		wire->queue = out->next;
		outgoing_free(out);
	}
	(void)fd_close(wire->fd);
	free(wire);

	return NULL;
}
