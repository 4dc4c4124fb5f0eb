/* SPDX-License-Identifier: Apache-2.0
 *
 * link-wire.c - packets to ioasidd and from it
 */
#include "core/link-wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "core/link.h"

/* The longest packet: a message, the Envelope around it (as PACKET_MAX of the
 * native socket), the LinkPacket around that.
 */
#define PACKET_MAX (LINK_MESSAGE_MAX + 4096 + 64)

/* What reading one packet may take: envelope and payload are copied once each;
 * an error has causes.
 */
#define PACKET_MEMORY (4 * PACKET_MAX)

/* Descriptors in one packet: a socket, or the files of a config. */
#define PACKET_FDS 8

/* Packets that are read before others have their turn. */
#define PACKETS_PER_ROUND 32

/**
 * struct queued - A packet that waits to be sent
 */
struct queued {
	struct queued *next;
	size_t size;
	uint8_t data[];
};

/**
 * struct link_wire - The link's socket; loop thread only
 * @fd:		Our end
 * @source:	Watches it; NULL when it is lost
 * @farewell:	Armed when the link is found lost: the owner is told in a round
 *		of its own
 * @queue:	Packets that wait, oldest first
 * @queue_end:	Where the next one is hung
 * @queued:	Bytes in it
 * @buffer:	The packet that is read
 */
struct link_wire {
	int fd;
	struct loop_source *source;
	struct loop_source *farewell;
	const struct link_wire_owner *owner;
	void *data;
	struct queued *queue;
	struct queued **queue_end;
	size_t queued;
	uint8_t buffer[PACKET_MAX];
};

/**
 * lose() - There is no link any more
 * @wire:	The link
 *
 * The owner is told from the loop, not from within a call.
 */
static void lose(struct link_wire *wire)
{
	if (!wire->source)
		return;
	wire->source = loop_unwatch(wire->source);
	loop_arm(wire->farewell, 1);
}

/**
 * on_farewell() - Tell the owner that the link is lost
 * @data:	The link
 */
static void on_farewell(void *data)
{
	struct link_wire *wire = data;

	wire->owner->lost(wire->data);
}

/**
 * enqueue() - Let a packet wait
 * @wire:	The link
 * @data:	The packet
 * @size:	Of it
 *
 * Return: 0; -ENOMEM.
 */
static int enqueue(struct link_wire *wire, const uint8_t *data, size_t size)
{
	struct queued *packet = malloc(sizeof(*packet) + size);

	if (!packet)
		return -ENOMEM;
	packet->next = NULL;
	packet->size = size;
	memcpy(packet->data, data, size);
	*wire->queue_end = packet;
	wire->queue_end = &packet->next;
	wire->queued += size;
	loop_want(wire->source, EPOLLIN | EPOLLOUT);
	return 0;
}

/**
 * flush() - Send what waits
 * @wire:	The link
 */
static void flush(struct link_wire *wire)
{
	while (wire->queue) {
		struct queued *packet = wire->queue;
		int r = fd_send(wire->fd, packet->data, packet->size, NULL, 0);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			lose(wire);
			return;
		}
		wire->queue = packet->next;
		wire->queued -= packet->size;
		free(packet);
	}
	wire->queue_end = &wire->queue;
	loop_want(wire->source, EPOLLIN);
}

/**
 * send_bytes() - Send a packet, now or when ioasidd reads again
 * @wire:	The link
 * @data:	The packet
 * @size:	Of it
 *
 * Return: 0; -EPIPE: the link is lost; -ENOMEM; -EMSGSIZE.
 */
static int send_bytes(struct link_wire *wire, const uint8_t *data, size_t size)
{
	int r;

	if (!wire->source)
		return -EPIPE;
	if (wire->queue)
		return enqueue(wire, data, size);
	r = fd_send(wire->fd, data, size, NULL, 0);
	if (r == -EAGAIN)
		return enqueue(wire, data, size);
	if (r == -EMSGSIZE)
		return r;
	if (r < 0) {
		lose(wire);
		return -EPIPE;
	}
	return 0;
}

/* link_wire_send() - Send a packet, now or when ioasidd reads again */
int link_wire_send(struct link_wire *wire, const pb_packet *packet)
{
	size_t size = ioasid__v1__link_packet__get_packed_size(packet);
	_cleanup_free_ uint8_t *data = malloc(size ? size : 1);

	if (!data)
		return -ENOMEM;
	(void)ioasid__v1__link_packet__pack(packet, data); /* = size */
	return send_bytes(wire, data, size);
}

/* link_wire_insist() - Send what must not be forgotten */
void link_wire_insist(struct link_wire *wire, const pb_packet *packet)
{
	int r = link_wire_send(wire, packet);

	if (r < 0 && r != -EPIPE) {
		log_error("a packet to ioasidd cannot be sent: %s",
			  strerror(-r));
		lose(wire);
	}
}

/* link_wire_queued() - How many bytes wait for ioasidd to read */
size_t link_wire_queued(const struct link_wire *wire)
{
	return wire->queued;
}

/**
 * read_packet() - Read one packet and do what it says
 * @wire:	The link
 *
 * Return: 0; -EAGAIN; other -errno: the link is of no use any more.
 */
static int read_packet(struct link_wire *wire)
{
	_cleanup_arena_ struct arena arena;
	int fds[PACKET_FDS], r;
	size_t n_fds = 0;
	pb_packet *packet;
	ssize_t size;

	arena_init(&arena, PACKET_MEMORY);
	size = fd_receive(wire->fd, wire->buffer, sizeof(wire->buffer), fds,
			  PACKET_FDS, &n_fds);
	if (size <= 0)
		return size < 0 ? (int)size : -EPIPE;
	packet = ioasid__v1__link_packet__unpack(&arena.allocator, (size_t)size,
						 wire->buffer);
	r = packet ? wire->owner->packet(wire->data, packet, &arena, fds,
					 n_fds) :
		     -EBADMSG;
	for (size_t i = 0; i < n_fds; i++)
		(void)fd_close(fds[i]);
	return r;
}

/**
 * on_ready() - ioasidd has said something, or reads again
 * @data:	The link
 * @events:	What is the matter
 */
static void on_ready(void *data, uint32_t events)
{
	struct link_wire *wire = data;
	int r;

	if (events & EPOLLOUT)
		flush(wire);
	for (int i = 0; wire->source && i < PACKETS_PER_ROUND; i++) {
		r = read_packet(wire);
		if (r == -EAGAIN)
			return;
		if (r == 0)
			continue;
		if (r != -EPIPE && r != -ECONNRESET)
			log_error("what ioasidd says cannot be read: %s",
				  strerror(-r));
		lose(wire);
	}
}

/* link_wire_new() - Take the link's socket up */
int link_wire_new(struct loop *loop, int fd,
		  const struct link_wire_owner *owner, void *data,
		  struct link_wire **ret)
{
	const int room = PACKET_MAX;
	struct link_wire *wire;
	int r;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	/* A packet must fit the sender's buffer. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)))
		log_debug("SO_SNDBUF: %m");
	wire = calloc(1, sizeof(*wire));
	if (!wire)
		return -ENOMEM;
	wire->fd = fd;
	wire->owner = owner;
	wire->data = data;
	wire->queue_end = &wire->queue;
	r = loop_timer(loop, on_farewell, wire, &wire->farewell);
	if (r == 0)
		r = loop_watch(loop, fd, EPOLLIN, on_ready, wire,
			       &wire->source);
	if (r < 0) {
		loop_unwatch(wire->farewell);
		free(wire);
		return r;
	}
	*ret = wire;
	return 0;
}

/* link_wire_free() - Let go of it */
struct link_wire *link_wire_free(struct link_wire *wire)
{
	if (!wire)
		return NULL;
	loop_unwatch(wire->source);
	loop_unwatch(wire->farewell);
	while (wire->queue) {
		struct queued *packet = wire->queue;

		wire->queue = packet->next;
		free(packet);
	}
	(void)fd_close(wire->fd);
	free(wire);
	return NULL;
}
