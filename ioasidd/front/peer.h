/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.h - one connection of the native socket
 *
 * DOC: Theory of Operation
 *
 * A peer is a client (client.h) with a socket. It is owned by the loop's thread:
 * it reads packets, sends them, and closes. Packets that the socket does not
 * take wait in a queue; while there are any nothing is read, so one who does not
 * read his answers cannot ask more. A queue that does not move for
 * PEER_STALL_MS, or grows beyond PEER_QUEUE_MAX, is the end of the connection.
 *
 * Workers hand descriptors over at once and past the queue: those must not wait
 * in there while the operation that opened them does not know whether they have
 * left.
 *
 * Descriptors of a client are received by a worker (client_fetch()), if its packet
 * is a request that takes some: the packet is looked at and stays where it is, and
 * nothing else is read until the request is answered.
 *
 * A peer that is closed has no descriptor any more, in no thread; what is left
 * is memory, and the pidfd of its caller.
 */
#ifndef IOASIDD_FRONT_PEER_H
#define IOASIDD_FRONT_PEER_H

#include "front/client.h"

/* Bytes that wait to be sent, beside what the socket itself holds. */
#define PEER_QUEUE_MAX (4 * PACKET_MAX)

/* How long they may wait without one leaving. */
#define PEER_STALL_MS 10000

struct peer;

/**
 * enum peer_offer - What is to become of a packet with descriptors
 * @PEER_REFUSE:	It is not taken
 * @PEER_DROP:		It is what was to be done with it; its descriptors go
 * @PEER_HOLD:		A request fetches it; nothing is read until client_go_on()
 */
enum peer_offer {
	PEER_REFUSE,
	PEER_DROP,
	PEER_HOLD,
};

/**
 * struct peer_events - What a peer tells its owner, on the loop's thread
 * @packet:	A packet came; @data is gone after the call
 * @refused:	A packet was not taken: -EMSGSIZE, it is too long; -EPROTO, it
 *		had descriptors, which are closed
 * @offered:	A packet with descriptors waits; @data is gone after the call. NULL:
 *		none is taken
 * @drained:	It takes more, after client_ready() has said that it does not
 * @closed:	The connection is over; called once, from within client_close()
 *
 * Each may close the peer.
 */
struct peer_events {
	void (*packet)(void *owner, struct peer *peer, const uint8_t *data,
		       size_t size);
	void (*refused)(void *owner, struct peer *peer, int error);
	enum peer_offer (*offered)(void *owner, struct peer *peer,
				   const uint8_t *data, size_t size);
	void (*closed)(void *owner, struct peer *peer);
	void (*drained)(void *owner, struct peer *peer);
};

/**
 * struct peer - A connection
 * @client:	As which it asks; fixed
 * @lock:	Guards @fd against being closed while a worker sends; and @fetching
 *		and @over
 * @fd:		The socket; -1 once closed. Changed by the loop's thread only,
 *		so read there without the lock
 * @loop:	Fixed; all that follows is the loop thread's
 * @source:	Watches @fd
 * @stall:	Runs while the queue is not empty
 * @queue:	Packets to be sent, oldest first
 * @queue_end:	Where the next one is hung
 * @queued:	Bytes in the queue
 * @awaited:	Somebody wants to hear when it takes more
 * @held:	A request fetches the next packet: nothing is read
 * @fetching:	A worker receives from @fd, and closes it if it is @over
 * @over:	It was closed meanwhile; else -1
 * @events:	Where to tell; fixed
 * @owner:	Whom; fixed
 * @buffer:	Where packets are received, PACKET_MAX; the owner's
 */
struct peer {
	struct client client;

	pthread_mutex_t lock;
	int fd;

	struct loop *loop;
	struct loop_source *source;
	struct loop_source *stall;
	struct packet *queue;
	struct packet **queue_end;
	size_t queued;
	bool awaited;
	bool held;
	bool fetching;
	int over;
	const struct peer_events *events;
	void *owner;
	uint8_t *buffer;
};

/**
 * peer_new_consume() - Take a connection over and begin to read
 * @fd:		The socket, non-blocking; closed in any case
 * @caller:	Who; its pidfd and identity are taken in any case
 * @buffer:	Room for PACKET_MAX, shared by all peers of the loop
 * @ret:	One reference, of its client
 *
 * Return: 0 or -errno.
 */
int peer_new_consume(struct loop *loop, int fd, const struct caller *caller,
		     uint8_t *buffer, const struct peer_events *events,
		     void *owner, struct peer **ret);

/**
 * peer_dismiss() - Say one thing to a connection that is not taken, and close
 * @fd:		The socket, non-blocking; closed
 * @uid:	Of whom
 * @err:	What to say
 */
void peer_dismiss(int fd, uid_t uid, const struct error *err);

/* peer_prepare() - Let the socket hold one packet of PACKET_MAX. */
void peer_prepare(int fd);

#endif
