/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - changes: in the queue of their user, with a worker, and back
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/receive.h"
#include "base/str.h"
#include "front/audit.h"
#include "front/handlers.h"
#include "front/repeat.h"
#include "front/request.h"
#include "ops/workers.h"

/* Requests with workers at once that map for who is not trusted: there are 32
 * workers, and what makes devices safe must not wait for those.
 */
#define MAPPING_MAX 16

/**
 * unlink_change() - Take a request out of a list of changes
 * @at:		The list, which has it
 * @request:	The request
 *
 * Return: where the one after it hangs now.
 */
static struct request **unlink_change(struct request **at,
				      const struct request *request)
{
	while (*at != request)
		at = &(*at)->next_change;
	*at = request->next_change;
	return at;
}

/* queue_remove() - See request.h */
void queue_remove(struct request *request)
{
	struct user *user = request->user;
	struct request **at;

	if (request->working) {
		(void)unlink_change(&user->changes, request);
		user->n_changes--;
		request->front->n_mapping -= request_maps(request);
		request->working = false;
	}
	if (request->queued) {
		at = unlink_change(&user->queue, request);
		if (!*at)
			user->queue_end = at;
		request->queued = false;
	}
}

/**
 * request_done() - A worker is done with a request
 * @data:	The request
 *
 * When the front has stopped there is nobody to answer and nothing to charge.
 */
static void request_done(void *data)
{
	struct request *request = data;
	struct packet *packet = TAKE_PTR(request->reply);

	if (request->attached && !request->sent) {
		request_answer_consume(request, packet);
		return;
	}
	free(packet);
	request_end(request);
}

/**
 * request_return() - Give a request back to the loop, from a worker
 * @request:	The worker's no more
 *
 * Without memory to post it is tried again: who asked cannot hear of it in any
 * other way.
 */
static void request_return(struct request *request)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	struct front *front = request->front;

	for (;;) {
		bool stopped;
		int r = 0;

		pthread_mutex_lock(&front->lock);
		stopped = front->stopped;
		if (!stopped)
			r = loop_post(front->host->loop, request_done,
				      request);
		pthread_mutex_unlock(&front->lock);

		if (stopped)
			request_free(request);
		if (stopped || r >= 0)
			return;
		(void)nanosleep(&nap, NULL); /* short is fine */
	}
}

/**
 * hand_over() - Send a reply with descriptors, from a worker
 * @data:	The request
 * @reply:	The reply message
 * @fds:	Borrowed
 * @n_fds:	How many
 *
 * Return: 0 or -errno, see client_hand_over().
 */
static int hand_over(void *data, const ProtobufCMessage *reply,
		     const int *fds, size_t n_fds)
{
	struct request *request = data;
	_cleanup_free_ struct packet *packet = NULL;
	int r;

	r = packet_reply(request->id, reply, n_fds, &packet, NULL);
	if (r < 0)
		return r;
	return client_hand_over(request->client, packet, fds, n_fds);
}

/**
 * fetch() - Receive the descriptors of a request
 * @request:	Whose packet waits with them
 * @fds:	Room for RECEIVE_MAX
 *
 * Return: 0; -errno memory.descriptor, kernel.system.
 */
static int fetch(struct request *request, int *fds, size_t *ret_n,
		 struct error *err)
{
	int r = client_fetch(request->client, fds, ret_n);

	request->fetched = r == 0 || r == -EPROTO;
	request->broken = r == -ETIMEDOUT;
	if (r == 0)
		return 0;
	if (r == -EPROTO)
		return error_set(err, r, ERROR_MEMORY_DESCRIPTOR,
				 "more than %d descriptors came", RECEIVE_MAX);
	if (r == -EBUSY)
		return error_set(err, r, ERROR_MEMORY_DESCRIPTOR,
				 "a descriptor that came before cannot be closed: its file system does not answer");
	return error_set(err, r, ERROR_KERNEL_SYSTEM,
			 "receive descriptors: %m");
}

/**
 * run_change() - Let a handler work, on a worker
 * @data:	The request
 */
static void run_change(void *data)
{
	struct request *request = data;
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;
	struct call call = {
		.host = request->front->host,
		.caller = &request->client->caller,
		.input = request->input,
		.arena = &arena,
		.hand_over = hand_over,
		.data = request,
	};
	int fds[RECEIVE_MAX], r = 0;

	arena_init(&arena, VIEW_BUDGET);
	call.fds = fds;
	if (request->holding)
		r = fetch(request, fds, &call.n_fds, &err);
	if (r == 0)
		r = request->binding->fn(&call, &err);
	receive_close(fds, call.n_fds);
	request->sent = call.sent;
	if (!call.sent)
		request->reply = request_packet(request, &call, r, &err);
	else
		audit_record(request->method, true, call.caller, call.input,
			     NULL, 0, NULL);
	if (call.sent && r < 0)
		log_problem(LOG_LEVEL_WARNING, &err,
			    "%s by %s: after the reply was sent",
			    request->method->name, call.caller->principal);
	request_return(request);
}

/**
 * submit_change() - Give a request to a worker
 * @request:	Attached; the worker's, or freed
 */
static void submit_change(struct request *request)
{
	struct error err;
	int r;

	request->working = true;
	request->next_change = request->user->changes;
	request->user->changes = request;
	request->user->n_changes++;
	request->front->n_mapping += request_maps(request);
	r = workers_submit(request->front->host->workers, run_change,
			   request);
	if (r >= 0)
		return;
	queue_remove(request);
	error_set(&err, r, ERROR_DAEMON_NO_MEMORY, "no thread for it: %m");
	request_refuse(request, &err);
}

/**
 * is_repeated() - Is a request of the same id with a worker?
 * @request:	The request
 *
 * Who asks may have hung up before the first was answered, and asks again.
 */
static bool is_repeated(const struct request *request)
{
	const char *id = repeat_id(request->input);
	const struct request *other;

	for (other = request->user->changes; *id && other;
	     other = other->next_change)
		if (str_eq(repeat_id(other->input), id))
			return true;
	return false;
}

/**
 * has_worker() - May a request be given to a worker now?
 * @request:	The request
 */
static bool has_worker(const struct request *request)
{
	const struct user *user = request->user;

	return (user->uid == 0 ||
		user->n_changes < request->front->limits.changes_per_uid) &&
	       !(request_maps(request) &&
		 request->front->n_mapping >= MAPPING_MAX) &&
	       !is_repeated(request);
}

/* queue_mapped() - See request.h */
void queue_mapped(struct front *front)
{
	struct user *next;

	for (struct user *user = front->users; user; user = next) {
		next = user->next;
		queue_go_on(user);
	}
}

/* queue_go_on() - See request.h */
void queue_go_on(struct user *user)
{
	while (user->queue) {
		struct request *request = user->queue;

		if (!has_worker(request))
			return;

		queue_remove(request);
		submit_change(request);
	}
}

/* queue_change() - See request.h */
void queue_change(struct request *request)
{
	struct user *user = request->client->user;

	request_attach(request);
	if (has_worker(request)) {
		submit_change(request);
		return;
	}
	request->queued = true;
	*user->queue_end = request;
	user->queue_end = &request->next_change;
}
