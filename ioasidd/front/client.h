/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - who asks, by whichever socket
 *
 * DOC: Theory of Operation
 *
 * A client sends Envelopes and is sent Envelopes. Those of the native socket
 * have one of their own (peer.h); those of ioasid-api share the link (link.h).
 * dispatch.c knows neither: it answers clients.
 *
 * Clients are the loop thread's. Workers may hold a reference for as long as
 * they answer, and use @caller and client_hand_over(). What is embedded in a
 * larger structure begins it, and is freed with it when the last one lets go.
 */
#ifndef IOASIDD_FRONT_CLIENT_H
#define IOASIDD_FRONT_CLIENT_H

#include "front/codec.h"
#include "ops/host.h"

/* Items of a stream that a client of ioasid-api takes at first. */
#define STREAM_CREDIT 16

struct client;
struct request;
struct user;

/**
 * struct client_ops - How a client is reached
 * @send_consume: As client_send_consume()
 * @hand_over:	As client_hand_over(); NULL if no descriptor goes this way
 * @fetch:	As client_fetch(); NULL if no descriptor comes this way
 * @go_on:	As client_go_on(); likewise
 * @ready:	As client_ready(); NULL if it always is
 * @close:	As client_close()
 * @free:	The last reference is gone; it is closed, or never was open
 */
struct client_ops {
	void (*send_consume)(struct client *client, struct packet *packet);
	int (*hand_over)(struct client *client, const struct packet *packet,
			 const int *fds, size_t n_fds);
	int (*fetch)(struct client *client, int *fds, size_t *ret_n);
	void (*go_on)(struct client *client, bool fetched);
	bool (*ready)(struct client *client);
	void (*close)(struct client *client);
	void (*free)(struct client *client);
};

/**
 * struct client - One who asks
 * @refs:	Every thread
 * @ops:	Fixed
 * @caller:	Who it is; fixed once it has asked something. Its pidfd and
 *		identity live as long as this
 * @stream_credit: How many items of a stream it takes before it says that it
 *		takes more; 0 for any number. Fixed
 * @user:	Whom to charge; NULL once it is closed. The loop thread's, like
 *		all that follows
 * @requests:	Those that were not answered yet
 * @n_requests:	How many
 * @prev:	In the front's list, as is @next
 */
struct client {
	_Atomic unsigned int refs;
	const struct client_ops *ops;
	struct caller caller;
	uint32_t stream_credit;

	struct user *user;
	struct request *requests;
	unsigned int n_requests;
	struct client *prev, *next;
};

/**
 * client_init() - Begin to be a client, with one reference
 * @client:	All zeroes
 * @ops:	How it is reached
 * @caller:	Who; its pidfd and identity are taken
 */
void client_init(struct client *client, const struct client_ops *ops,
		 const struct caller *caller);

/* client_ref() - Hold on to a client; from every thread. Return: @client. */
struct client *client_ref(struct client *client);

/* client_unref() - Let go; from every thread. NULL is allowed. Return: NULL. */
struct client *client_unref(struct client *client);

/**
 * client_send_consume() - Send a packet, or queue it
 * @packet:	Freed; NULL, no memory for an answer, closes the client
 *
 * Loop thread. Nothing is done if it is closed; one that does not take what it
 * asked for is closed.
 */
void client_send_consume(struct client *client, struct packet *packet);

/**
 * client_hand_over() - Send a packet with descriptors, now or not at all
 * @packet:	Borrowed
 * @fds:	Borrowed
 *
 * From every thread.
 *
 * Return: 0; -EPIPE if it is closed; -EOPNOTSUPP if no descriptor goes this
 * way; others as fd_send().
 */
int client_hand_over(struct client *client, const struct packet *packet,
		     const int *fds, size_t n_fds);

/**
 * client_fetch() - Receive the packet of a request, with its descriptors
 * @fds:	As for receive_memory()
 *
 * From a worker, whose request has stopped the client's packets.
 *
 * Return: as receive_memory(); -EPIPE if it is closed.
 */
int client_fetch(struct client *client, int *fds, size_t *ret_n);

/* client_go_on() - Take packets again, after one that had descriptors; @fetched:
 * client_fetch() has had it. Loop thread.
 */
void client_go_on(struct client *client, bool fetched);

/**
 * client_ready() - Would a packet that can wait leave at once?
 *
 * Loop thread. If not, streams_drained() is called when it would.
 */
bool client_ready(struct client *client);

/* client_close() - End it. Loop thread. Done already: nothing. */
void client_close(struct client *client);

#endif
