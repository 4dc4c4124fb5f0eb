/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c - one request: made, charged to who asks, answered and ended
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "front/audit.h"
#include "front/handlers.h"
#include "front/request.h"
#include "front/streams.h"
#include "ops/authorize.h"
#include "ops/guarded.h"

/* request_answer_error() - See request.h */
void request_answer_error(struct client *client, uint64_t id,
			  const struct error *err)
{
	log_debug("to pid %d of %s: %s: %s",
		  (int)client->caller.process.pid, client->caller.principal,
		  error_kind(err->kind)->id, err->msg);
	client_send_consume(client, packet_error(id, err));
}

/* request_maps() - See request.h */
bool request_maps(const struct request *request)
{
	return str_eq(request->method->permission, "memory.map");
}

/* request_new() - See request.h */
struct request *request_new(struct front *front, struct client *client,
			    uint64_t id, const struct method *method,
			    const struct binding *binding)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	atomic_fetch_add(&front->refs, 1);
	request->front = front;
	request->client = client_ref(client);
	request->id = id;
	request->method = method;
	request->binding = binding;
	arena_init(&request->arena,
		   authorize_role(&client->caller) >= ROLE_OPERATOR ||
		   (request_maps(request) &&
		    guarded_holder(front->host, &client->caller)) ?
			   READING_BUDGET :
			   STRANGER_BUDGET);
	return request;
}

/* request_free() - See request.h */
void request_free(struct request *request)
{
	free(request->reply);
	arena_deinit(&request->arena);
	client_unref(request->client);
	front_unref(request->front);
	free(request);
}

/* request_attach() - Charge a request that is not answered at once */
void request_attach(struct request *request)
{
	struct client *client = request->client;

	request->attached = true;
	request->next = client->requests;
	if (request->next)
		request->next->prev = request;
	client->requests = request;
	client->n_requests++;
	request->user = client->user;
	request->user->n_requests++;
}

/* request_detach() - See request.h */
void request_detach(struct request *request)
{
	struct client *client = request->client;

	if (!request->attached)
		return;
	request->attached = false;
	if (request->prev)
		request->prev->next = request->next;
	else
		client->requests = request->next;
	if (request->next)
		request->next->prev = request->prev;
	client->n_requests--;
}

/* request_stop_waiting() - See request.h */
void request_stop_waiting(struct request *request)
{
	struct front *front = request->front;

	if (!request->timer)
		return;
	request->timer = loop_unwatch(request->timer);
	if (front->cursor == request)
		front->cursor = request->next_wait;
	if (request->prev_wait)
		request->prev_wait->next_wait = request->next_wait;
	else
		front->waiters = request->next_wait;
	if (request->next_wait)
		request->next_wait->prev_wait = request->prev_wait;
}

/**
 * let_go() - Let the client's packets come again, if the request has held them up
 */
static void let_go(struct request *request)
{
	struct client *client = request->client;

	if (!request->holding)
		return;
	request->holding = false;
	if (request->broken)
		client_close(client);
	else
		client_go_on(client, request->fetched);
}

/* request_end() - See request.h */
void request_end(struct request *request)
{
	struct user *user = request->user;

	let_go(request);
	request_stop_waiting(request);
	stream_forget(request);
	request_detach(request);
	if (user && !request->front->stopped) {
		queue_remove(request);
		queue_go_on(user);
		if (request_maps(request))
			queue_mapped(request->front);
		user->n_requests--;
		front_user_settle(request->front, user);
	}
	request_free(request);
}

/* request_packet() - See request.h */
struct packet *request_packet(const struct request *request,
			      const struct call *call, int r,
			      struct error *err)
{
	struct packet *packet = NULL;

	audit_record(request->method, request->binding->kind == METHOD_CHANGE,
		     call->caller, call->input, call->reply, r, err);
	if (r >= 0)
		r = packet_reply(request->id, call->reply, 0, &packet, err);
	if (r >= 0)
		return packet;
	log_debug("%s by %s: %s: %s", request->method->name,
		  call->caller->principal, error_kind(err->kind)->id,
		  err->msg);
	return packet_error(request->id, err);
}

/* request_answer_consume() - See request.h */
void request_answer_consume(struct request *request, struct packet *packet)
{
	request_stop_waiting(request);
	request_detach(request);
	client_send_consume(request->client, packet);
	request_end(request);
}

/* request_refuse() - Answer a request with an error and end it */
void request_refuse(struct request *request, const struct error *err)
{
	request_stop_waiting(request);
	stream_forget(request);
	request_detach(request);
	request_answer_error(request->client, request->id, err);
	request_end(request);
}
