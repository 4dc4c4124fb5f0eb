/* SPDX-License-Identifier: Apache-2.0
 *
 * grpc.c - HTTP/2: gRPC, its health service and reflection
 */
#include "grpc/grpc.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "grpc/session.h"

/* How long clients have to read why it ends, and to close. */
#define FAREWELL_NS 200000000
#define FAREWELL_NAPS 40

/* grpc_new() - Be able to serve gRPC */
int grpc_new(struct loop *loop, struct link *link, const struct limits *limits,
	     void (*closed)(void *data, uint64_t connection), void *data,
	     struct grpc **ret, struct error *err)
{
	struct grpc *grpc = calloc(1, sizeof(*grpc));

	if (!grpc)
		goto no_memory;
	grpc->loop = loop;
	grpc->link = link;
	grpc->limits = limits;
	grpc->closed = closed;
	grpc->data = data;
	grpc->contract = &contract_ioasid;
	grpc->reflection = &reflection_ioasid;
	grpc->serving = true;
	if (frames_callbacks(&grpc->callbacks) < 0 ||
	    frames_options(&grpc->options) < 0)
		goto no_memory;
	*ret = grpc;
	return 0;

no_memory:
	grpc_free(grpc);
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			 "no memory for gRPC");
}

/* grpc_use_contract() - Serve another contract */
void grpc_use_contract(struct grpc *grpc, const struct contract *contract)
{
	grpc->contract = contract;
}

/* stop() - Tell the calls of a connection why they end, and its client. */
static void stop(struct session *session)
{
	struct error err = ERROR_NULL;

	error_fill(&err, -ESHUTDOWN, ERROR_DAEMON_STOPPING,
		   "the API process is stopping");
	for (struct grpc_call *call = session->calls; call; call = call->next)
		answer_end(call, &err);
	session_goodbye(session);
}

/**
 * wait_closed() - Let clients read what they were told, and close
 * @grpc:	Every session has said goodbye
 *
 * A client that writes to a connection that is closed, if only that it has
 * read, may hear of that first and of nothing else (gRPC's C core: "Broken
 * pipe").
 */
static void wait_closed(struct grpc *grpc)
{
	const struct timespec nap = { .tv_nsec = FAREWELL_NS / FAREWELL_NAPS };

	for (int i = 0; i < FAREWELL_NAPS && grpc->sessions; i++) {
		struct session *session = grpc->sessions, *next;

		for (; session; session = next) {
			next = session->next;
			if (!session_step(session, true))
				session_free(session);
		}
		if (grpc->sessions)
			(void)nanosleep(&nap, NULL); /* or a little less */
	}
}

/* grpc_free() - End all connections */
struct grpc *grpc_free(struct grpc *grpc)
{
	if (!grpc)
		return NULL;
	grpc->serving = false;
	health_changed(grpc);
	for (struct session *s = grpc->sessions; s; s = s->next)
		stop(s);
	wait_closed(grpc);
	while (grpc->sessions)
		session_free(grpc->sessions);
	nghttp2_session_callbacks_del(grpc->callbacks);
	nghttp2_option_del(grpc->options);
	free(grpc);
	return NULL;
}

/* grpc_add_consume() - Serve a connection that speaks HTTP/2 */
int grpc_add_consume(struct grpc *grpc, uint64_t connection,
		     struct stream *stream)
{
	return session_new_consume(grpc, connection, stream);
}

/* grpc_close() - ioasidd has ended a connection */
void grpc_close(struct grpc *grpc, uint64_t connection)
{
	struct session *session = grpc->sessions;

	while (session && session->connection != connection)
		session = session->next;
	if (!session)
		return;
	session_goodbye(session);
	session_free(session);
}
