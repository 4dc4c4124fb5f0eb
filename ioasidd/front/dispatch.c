/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatch.c - from a packet to its answer: what it asks for, whether it may,
 * and who answers
 */
#include <errno.h>

#include "base/clock.h"
#include "front/audit.h"
#include "front/contract.h"
#include "front/handlers.h"
#include "front/request.h"
#include "front/server.h"
#include "front/streams.h"
#include "ops/authorize.h"
#include "ops/guarded.h"

/**
 * look() - Let a handler that only looks make an answer
 * @request:	Whose
 * @fn:		The handler
 * @ret:	The packet; NULL without memory
 *
 * Return: 0; -EINPROGRESS if it is to be asked later.
 */
static int look(struct request *request, method_fn fn, struct packet **ret)
{
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;
	struct call call = {
		.host = request->front->host,
		.caller = &request->client->caller,
		.input = request->input,
		.arena = &arena,
	};
	int r;

	arena_init(&arena, VIEW_BUDGET);
	r = fn(&call, &err);
	if (r == -EINPROGRESS)
		return r;
	*ret = request_packet(request, &call, r, &err);
	return 0;
}

/**
 * wait_over() - A waiting request's time is up
 * @data:	The request
 */
static void wait_over(void *data)
{
	struct request *request = data;
	struct packet *packet = NULL;

	(void)look(request, wait_done, &packet); /* never in progress */
	request_answer_consume(request, packet);
}

/**
 * begin_wait() - Answer now, or when an operation has ended
 * @request:	Owned by the front, or freed
 */
static void begin_wait(struct request *request)
{
	struct front *front = request->front;
	uint64_t ms = wait_timeout_ms(request->input);
	struct packet *packet = NULL;
	struct error err;

	if (!look(request, request->binding->fn, &packet)) {
		request_answer_consume(request, packet);
		return;
	}
	if (loop_timer(front->host->loop, wait_over, request,
		       &request->timer) < 0) {
		error_set(&err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			  "no memory to wait");
		request_refuse(request, &err);
		return;
	}
	request_attach(request);
	request->next_wait = front->waiters;
	if (request->next_wait)
		request->next_wait->prev_wait = request;
	front->waiters = request;
	loop_arm(request->timer, clock_mono_ns() + ms * 1000000);
}

/* dispatch_operation_ended() - Look whose waiting is over. An answer may close
 * its client, and so end other requests: the cursor steps over those.
 */
void dispatch_operation_ended(struct front *front)
{
	front->cursor = front->waiters;
	while (front->cursor) {
		struct request *request = front->cursor;
		struct packet *packet = NULL;

		front->cursor = request->next_wait;
		if (!look(request, request->binding->fn, &packet))
			request_answer_consume(request, packet);
	}
}

/**
 * check_limits() - May the client have one more request unanswered?
 * @front:	The front
 * @client:	Who
 *
 * Return: 0; -EAGAIN limit.requests.
 */
static int check_limits(const struct front *front, const struct client *client,
			struct error *err)
{
	const struct limits *limits = &front->limits;
	uint64_t limit = authorize_is_admin(&client->caller) ?
				 limits->requests_of_root :
				 limits->requests_per_uid;

	if (client->n_requests >= limits->requests_per_client)
		return error_set(err, -EAGAIN, ERROR_LIMIT_REQUESTS,
				 "%u requests of this connection are not answered yet",
				 client->n_requests);
	if (client->user->n_requests >= limit)
		return error_set(err, -EAGAIN, ERROR_LIMIT_REQUESTS,
				 "%u requests of %s are not answered yet",
				 client->user->n_requests,
				 client->caller.principal);
	return 0;
}

/**
 * check_rate() - May the caller ask something now?
 * @front:	The front
 * @caller:	Who
 *
 * Return: 0; -EAGAIN limit.rate.
 */
static int check_rate(struct front *front, const struct caller *caller,
		      struct error *err)
{
	if (!front->limits.rate || authorize_is_trusted(caller))
		return 0;
	return rate_take(&front->rates, &front->limits, caller->principal,
			 clock_mono_ns(), err);
}

/**
 * check_envelope() - Is it a request that can be told from the others?
 * @client:	Whose
 * @envelope:	The packet
 *
 * Return: 0; -EBADMSG, -EEXIST request.malformed; -EMSGSIZE
 * request.too-large.
 */
static int check_envelope(const struct client *client,
			  const pb_envelope *envelope, struct error *err)
{
	if (envelope->body_case != IOASID__V1__ENVELOPE__BODY_REQUEST)
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "the packet is no request");
	if (!envelope->id)
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "the request has no id");
	for (struct request *other = client->requests; other;
	     other = other->next)
		if (other->id == envelope->id)
			return error_set(err, -EEXIST,
					 ERROR_REQUEST_MALFORMED,
					 "the id %llu is another request's that is not answered yet",
					 (unsigned long long)envelope->id);
	if (envelope->request->payload.len > MESSAGE_MAX)
		return error_set(err, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE,
				 "the payload has more than %d bytes",
				 MESSAGE_MAX);
	return 0;
}

/**
 * begin() - Begin a request
 * @front:	The front
 * @client:	Who asks
 * @envelope:	His packet, checked
 * @holding:	It waits with descriptors, which it fetches
 *
 * Return: 0 if it is answered or will be; -errno to be answered here.
 */
static int begin(struct front *front, struct client *client,
		 const pb_envelope *envelope, bool holding, struct error *err)
{
	const Ioasid__V1__Request *in = envelope->request;
	const struct binding *binding;
	const struct method *method;
	struct packet *packet = NULL;
	struct request *request;
	int r;

	method = method_find(in->method, &binding);
	if (!method)
		return error_set(err, -ENOSYS, ERROR_REQUEST_UNKNOWN_METHOD,
				 "there is no method '%s'", in->method);
	r = check_rate(front, &client->caller, err);
	if (r >= 0)
		r = method_allowed(method, &client->caller, err);
	if (r >= 0 && binding->kind != METHOD_READ)
		r = check_limits(front, client, err);
	if (r < 0) {
		audit_record(method, false, &client->caller, NULL, NULL, r,
			     err);
		return r;
	}

	request = request_new(front, client, envelope->id, method, binding);
	if (!request)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	r = wire_unpack(method->input, in->payload.data, in->payload.len,
			 &request->arena, &request->input, err);
	request->holding = holding && r >= 0;
	if (r < 0) {
		request_end(request);
		return r;
	}

	switch (binding->kind) {
	case METHOD_READ:
		(void)look(request, binding->fn, &packet); /* always answers */
		request_answer_consume(request, packet);
		break;
	case METHOD_WAIT:
		begin_wait(request);
		break;
	case METHOD_CHANGE:
		queue_change(request);
		break;
	case METHOD_STREAM:
		stream_begin(request);
		break;
	}
	return 0;
}

/**
 * cancel() - A request is no longer wanted
 * @client:	Whose
 * @id:		Its id; of none that is not answered: the answer was on its way
 *
 * What is with a worker goes on.
 */
static void cancel(struct client *client, uint64_t id)
{
	struct request *request = client->requests;
	struct error err = ERROR_NULL;

	while (request && request->id != id)
		request = request->next;
	if (!request || request->working)
		return;
	error_set(&err, -ECANCELED, ERROR_REQUEST_CANCELLED,
		  "%s was cancelled by its caller", request->method->name);
	request_refuse(request, &err);
}

/* dispatch_packet() - A packet came. An id that is taken cannot be answered
 * under that id: it would be the other's answer.
 */
void dispatch_packet(struct front *front, struct client *client,
		     const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *message = NULL;
	struct error err = ERROR_NULL;
	uint64_t id = 0;
	int r;

	arena_init(&arena, READING_BUDGET);
	r = wire_unpack(PB(envelope), data, size, &arena, &message, &err);
	if (r >= 0) {
		const pb_envelope *envelope = (const void *)message;

		id = envelope->id;
		if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_CANCEL) {
			cancel(client, id);
			return;
		}
		r = check_envelope(client, envelope, &err);
		if (r == -EEXIST)
			id = 0;
		if (r >= 0)
			r = begin(front, client, envelope, false, &err);
	} else {
		id = codec_peek_id(data, size);
	}
	if (r < 0)
		request_answer_error(client, id, &err);
}

/**
 * takes_descriptors() - Is it a request of a method that takes some?
 * @envelope:	NULL for none
 */
static bool takes_descriptors(const pb_envelope *envelope)
{
	const struct binding *binding;
	const struct method *method;

	if (!envelope ||
	    envelope->body_case != IOASID__V1__ENVELOPE__BODY_REQUEST)
		return false;
	method = method_find(envelope->request->method, &binding);
	return method && method->takes_descriptors &&
	       binding->kind == METHOD_CHANGE;
}

/* dispatch_offered() - A packet with descriptors waits. They are received for who
 * holds a guarded lease and nobody else, who is told why not as without any.
 */
enum dispatch_offer dispatch_offered(struct front *front,
				     struct client *client,
				     const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena arena;
	const pb_envelope *envelope;
	ProtobufCMessage *message = NULL;
	struct error err = ERROR_NULL;
	int r;

	arena_init(&arena, READING_BUDGET);
	r = wire_unpack(PB(envelope), data, size, &arena, &message, &err);
	envelope = r < 0 ? NULL : (const void *)message;
	if (!takes_descriptors(envelope))
		return DISPATCH_REFUSES;
	if (!guarded_holder(front->host, &client->caller)) {
		dispatch_packet(front, client, data, size);
		return DISPATCH_DONE;
	}
	r = check_envelope(client, envelope, &err);
	if (r >= 0)
		r = begin(front, client, envelope, true, &err);
	if (r >= 0)
		return DISPATCH_HOLDS;
	request_answer_error(client, r == -EEXIST ? 0 : envelope->id, &err);
	return DISPATCH_DONE;
}

/* dispatch_refused() - A packet came that could not be taken */
void dispatch_refused(struct client *client, int error)
{
	struct error err;

	if (error == -EMSGSIZE)
		error_set(&err, error, ERROR_REQUEST_TOO_LARGE,
			  "the packet has more than %d bytes", PACKET_MAX);
	else
		error_set(&err, error, ERROR_REQUEST_UNEXPECTED_DESCRIPTOR,
			  "descriptors came with the packet; they were closed");
	request_answer_error(client, 0, &err);
}

/* dispatch_closed() - A client is closed. What waits ends, for an operation or
 * for a worker; what works goes on, and is charged to its user until it is done.
 */
void dispatch_closed(struct front *front, struct client *client)
{
	struct request *next;

	for (struct request *request = client->requests; request;
	     request = next) {
		next = request->next;
		if (request->working)
			request_detach(request);
		else
			request_end(request);
	}
}

/* dispatch_credit() - A client takes so many more items of a stream. Who has no
 * such stream any more has only heard of its end too late.
 */
void dispatch_credit(struct front *front, struct client *client, uint64_t id,
		     uint32_t items)
{
	struct request *request = client->requests;

	while (request && request->id != id)
		request = request->next;
	if (request && request->stream)
		stream_credit(request, items);
}
