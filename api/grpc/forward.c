/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.c - methods of the contract: passed on to ioasidd, unread
 */
#include <string.h>

#include "base/clock.h"
#include "core/link.h"
#include "grpc/call.h"
#include "grpc/session.h"

/* call->state: the call on the link; call->data: the method. */

/* item() - One reply of a stream */
static void item(void *data, const uint8_t *payload, size_t size)
{
	struct grpc_call *call = data;
	struct session *session = call->session;

	answer_send(call, payload, size);
	session_wake(session);
}

/* reply() - The reply; of a stream, its end */
static void reply(void *data, const uint8_t *payload, size_t size)
{
	struct grpc_call *call = data;
	struct session *session = call->session;
	const struct rpc_type *rpc = call->data;

	call->state = NULL;
	if (!rpc->server_streaming)
		answer_send(call, payload, size);
	answer_end(call, NULL);
	session_wake(session);
}

/* failed() - It was refused, or is over otherwise */
static void failed(void *data, const struct error *error)
{
	struct grpc_call *call = data;
	struct session *session = call->session;

	call->state = NULL;
	answer_end(call, error);
	session_wake(session);
}

/* message() - The request is there: ask ioasidd */
static void message(struct grpc_call *call, const uint8_t *data, size_t size)
{
	static const struct link_events events = { item, reply, failed };
	struct session *session = call->session;
	const struct rpc_type *rpc = call->data;
	struct error err = ERROR_NULL;
	struct link_call *asked;

	/* Who watches wants to know that it does, before anything changes. What
	 * is refused at once is refused with the headers.
	 */
	if (rpc->server_streaming)
		call_begin_at(call, clock_mono_ns() + LINK_BEGIN_NS);
	if (link_call(session->grpc->link, session->connection, call->data,
		      data, size, &events, call, &asked, &err) < 0)
		answer_end(call, &err);
	else
		call->state = asked;
}

/* passed() - Replies have left: as many can come */
static void passed(struct grpc_call *call, size_t n)
{
	for (; n && call->state; n--)
		link_call_more(call->state);
}

/* gone() - No answer is wanted any more */
static void gone(struct grpc_call *call)
{
	call->state = link_call_cancel(call->state);
}

/* forward_find() - Is a method of the contract called? */
const struct call_kind *forward_find(struct grpc_call *call, const char *name)
{
	static const struct call_kind kind = {
		.message = message,
		.passed = passed,
		.gone = gone,
	};
	const struct rpc_type *rpc;

	rpc = contract_rpc(call->session->grpc->contract, name, strlen(name));
	if (!rpc || rpc->client_streaming)
		return NULL;
	call->data = rpc;
	return &kind;
}
