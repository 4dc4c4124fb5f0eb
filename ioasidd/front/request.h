/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h - what dispatch.c and streams.c share: one request
 */
#ifndef IOASIDD_FRONT_REQUEST_H
#define IOASIDD_FRONT_REQUEST_H

#include "base/arena.h"
#include "front/methods.h"
#include "front/server.h"

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
 * @attached:	In its client's list; loop thread only, like all that follows
 * @user:	Who is charged for it; NULL if nobody is
 * @prev:	In the client's list, as is @next
 * @timer:	Of one that waits; NULL for others
 * @prev_wait:	In the front's list of those that wait, as is @next_wait; or of
 *		streams
 * @working:	With a worker, and counted so at its user
 * @queued:	In its user's queue, waiting for a worker
 * @next_queued: There
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

	bool attached;
	struct user *user;
	struct request *prev, *next;
	struct loop_source *timer;
	struct request *prev_wait, *next_wait;
	bool working;
	bool queued;
	struct request *next_queued;

	bool stream;
	uint64_t revision;
	unsigned int collections;
	uint64_t credit;
	bool blocked;
};

/* request_attach() - Charge a request that is not answered at once; it gets
 * into its client's list.
 */
void request_attach(struct request *request);

/* request_refuse() - Answer a request with an error and end it, wherever it is;
 * freed. Sending may close the client, which ends all that is in its list.
 */
void request_refuse(struct request *request, const struct error *err);

#endif
