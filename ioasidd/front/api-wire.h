/* SPDX-License-Identifier: Apache-2.0
 *
 * api-wire.h - packets to and from ioasid-api
 *
 * DOC: Theory of Operation
 *
 * One SEQPACKET socketpair with one LinkPacket in each packet. Its other end is
 * a process that reads the network and may be taken over, so all that comes is
 * read as from a stranger: what is no LinkPacket, is too long or brings a
 * descriptor is the end of it.
 *
 * Packets that the socket does not take wait in a queue. A queue that does not
 * move for WIRE_STALL_MS, or grows beyond WIRE_QUEUE_MAX, is the end, too. From
 * half of that on nothing is read until there is room again: below it both ends
 * could wait for each other.
 *
 * The end is told by a timer and never from within a call of the owner's: he may
 * be in the middle of answering many.
 */
#ifndef IOASIDD_FRONT_API_WIRE_H
#define IOASIDD_FRONT_API_WIRE_H

#include "base/loop.h"
#include "front/codec.h"
#include "front/contract.h"

/* A packet: an Envelope, the number of its connection, and both their heads. */
#define WIRE_PACKET_MAX (PACKET_MAX + 64)

/* Bytes that wait to be sent, beside what the socket itself holds. */
#define WIRE_QUEUE_MAX (16 * WIRE_PACKET_MAX)

/* How long they may wait without one leaving. */
#define WIRE_STALL_MS 10000

/* Descriptors in one packet: a connection, or the files of a LinkConfig. */
#define WIRE_FDS_MAX 8

struct api_wire;

/**
 * struct api_wire_events - What a wire tells its owner, on the loop's thread
 * @packet:	A packet came; gone after the call
 * @drained:	It takes more, after api_wire_ready() has said that it does not
 * @failed:	It is over, and has to be freed; called once
 */
struct api_wire_events {
	void (*packet)(void *owner, const pb_link_packet *packet);
	void (*drained)(void *owner);
	void (*failed)(void *owner, const char *why);
};

/**
 * api_wire_pair() - Make a socketpair whose ends hold enough
 * @ret_ours:	Does not block
 * @ret_theirs:	Likewise
 *
 * Return: 0 or -errno.
 */
int api_wire_pair(int *ret_ours, int *ret_theirs);

/**
 * api_wire_new_consume() - Begin to read
 * @fd:		Our end; closed in any case
 * @ret:	Ends with api_wire_free()
 *
 * Return: 0 or -errno.
 */
int api_wire_new_consume(struct loop *loop, int fd,
			 const struct api_wire_events *events, void *owner,
			 struct api_wire **ret);

/* api_wire_free() - Close it, with what waits. NULL is allowed. Return: NULL. */
struct api_wire *api_wire_free(struct api_wire *wire);

/**
 * api_wire_send() - Send a packet, or queue it
 * @packet:	Copied
 * @fds:	Copied if they have to wait
 * @n_fds:	At most WIRE_FDS_MAX
 *
 * What cannot be sent or queued is the end of the wire.
 */
void api_wire_send(struct api_wire *wire, const pb_link_packet *packet,
		   const int *fds, size_t n_fds);

/* api_wire_ready() - Does nothing wait to be sent? If not, drained() is called
 * when that is so.
 */
bool api_wire_ready(struct api_wire *wire);

/* api_wire_fail() - What came is wrong: this is the end. */
void api_wire_fail(struct api_wire *wire, const char *why);

#endif
