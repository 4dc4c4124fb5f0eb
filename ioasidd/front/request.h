/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h - one request, which dispatch.c, queue.c and streams.c share
 */
#ifndef IOASIDD_FRONT_REQUEST_H
#define IOASIDD_FRONT_REQUEST_H

#include "base/arena.h"
#include "front/methods.h"
#include "front/server.h"

/* What reading one packet may take. Only who leases devices has requests that
 * are more than a few names, and those of others may stay a while.
 */
#define READING_BUDGET (1 << 20)
#define STRANGER_BUDGET (64 << 10)

/**
 * struct request - A request from its packet to its answer
 * @front:	A reference
 * @client:	A reference; may be closed by now
 * @id:		The client's
 * @method:	What was called, and by what it is answered
 * @binding:	likewise
 * @arena:	Has @input
 * @input:	The request message
 * @reply:	Made by the worker; NULL if it was sent, or without memory
 * @sent:	The worker has sent the reply
 * @holding:	Its packet waits at the client with descriptors, and nothing else
 *		is read there
 * @fetched:	Its worker has received that
 * @broken:	Whether it has cannot be told
 * @attached:	In its client's list; loop thread only, like all that follows
 * @user:	Who is charged for it; NULL if nobody is
 * @prev:	In the client's list, as is @next
 * @timer:	Of one that waits; NULL for others
 * @prev_wait:	In the front's list of those that wait, as is @next_wait; or of
 *		streams
 * @working:	With a worker, and among its user's changes
 * @queued:	In its user's queue, waiting for a worker
 * @next_change: There, or there
 * @stream:	It is a stream, in the front's list of them
 * @revision:	Of a stream: it has been told of all changes up to this
 * @collections: Of a stream: which, a bit for each enum change_collection
 * @credit:	Of a stream: how many more items its client takes now
 * @blocked:	Of a stream: until its client takes more bytes
 */
struct request {
	struct front *front;
	struct client *client;
	uint64_t id;
	const struct method *method;
	const struct binding *binding;
	struct arena arena;
	ProtobufCMessage *input;
	struct packet *reply;
	bool sent;
	bool holding, fetched, broken;

	bool attached;
	struct user *user;
	struct request *prev, *next;
	struct loop_source *timer;
	struct request *prev_wait, *next_wait;
	bool working;
	bool queued;
	struct request *next_change;

	bool stream;
	uint64_t revision;
	unsigned int collections;
	uint64_t credit;
	bool blocked;
};

/* request_answer_error() - Send an error to a client that may be closed; @id:
 * of the request, 0 if none can be told.
 */
void request_answer_error(struct client *client, uint64_t id,
			  const struct error *err);

/* request_maps() - Is it of who is not trusted, and may take the kernel long? */
bool request_maps(const struct request *request);

/**
 * request_new() - Begin a request
 * @front:	The front
 * @client:	Who asks
 * @id:		His number for it
 * @method:	What he asks for
 * @binding:	What answers it
 *
 * Return: the request; NULL without memory.
 */
struct request *request_new(struct front *front, struct client *client,
			    uint64_t id, const struct method *method,
			    const struct binding *binding);

/* request_attach() - Charge a request that is not answered at once; it gets
 * into its client's list.
 */
void request_attach(struct request *request);

/**
 * request_detach() - Take a request out of its client's list
 * @request:	Stays charged to its user
 */
void request_detach(struct request *request);

/**
 * request_stop_waiting() - Take a request out of the list of waiters
 * @request:	Nothing is done if it is not there
 */
void request_stop_waiting(struct request *request);

/* request_refuse() - Answer a request with an error and end it, wherever it is;
 * freed. Sending may close the client, which ends all that is in its list.
 */
void request_refuse(struct request *request, const struct error *err);

/**
 * request_packet() - Make the answer of a call
 * @request:	Whose
 * @call:	With its reply
 * @r:		What the handler returned
 * @err:	Filled if that is negative
 *
 * Return: the packet; NULL without memory.
 */
struct packet *request_packet(const struct request *request,
			      const struct call *call, int r,
			      struct error *err);

/**
 * request_answer_consume() - Answer a request and end it, on the loop's thread
 * @request:	Freed
 * @packet:	Freed; NULL without memory
 *
 * Sending may close the client, which ends all that is in its list.
 */
void request_answer_consume(struct request *request, struct packet *packet);

/**
 * request_end() - End a request on the loop's thread, wherever it is
 * @request:	Freed
 *
 * While others of its user are begun it still counts, which keeps the user.
 */
void request_end(struct request *request);

/* request_free() - End a request that is in no list; from every thread. */
void request_free(struct request *request);

/**
 * queue_change() - Give a request to a worker, or queue it
 * @request:	Owned by the worker or the front, or freed
 */
void queue_change(struct request *request);

/**
 * queue_go_on() - Give workers what waits for them
 * @user:	Whose; has a request that counts meanwhile
 */
void queue_go_on(struct user *user);

/* queue_mapped() - One that request_maps() has ended: others may have waited for
 * that, of any user.
 */
void queue_mapped(struct front *front);

/**
 * queue_remove() - Take a request out of its user's queue, or changes
 * @request:	Nothing is done if it is not there
 */
void queue_remove(struct request *request);

#endif
