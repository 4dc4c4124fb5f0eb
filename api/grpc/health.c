/* SPDX-License-Identifier: Apache-2.0
 *
 * health.c - gRPC's health service
 *
 * All services are as well as the process: it ends when it loses ioasidd.
 */
#include "base/arena.h"
#include "base/str.h"
#include "base/wire.h"
#include "grpc/call.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/session.h"

#define HEALTH "grpc.health.v1.Health/"

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;

#define STATUS(s) \
	GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##s

static const struct call_kind check, watch;

/* say() - Answer how a service is. @known: there is such a service. */
static void say(struct grpc_call *call, bool known)
{
	check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.status = !known ? STATUS(SERVICE_UNKNOWN) :
			  call->session->grpc->serving ?
				   STATUS(SERVING) :
				   STATUS(NOT_SERVING);
	answer_message(call, &response.base);
}

/* known() - Is there such a service? The empty name is for all of them. */
static bool known(const struct grpc *grpc, const char *service)
{
	if (!*service)
		return true;
	for (size_t i = 0; i < grpc->reflection->n_services; i++)
		if (str_eq(grpc->reflection->services[i], service))
			return true;
	for (size_t i = 0; i < grpc->contract->n_rpcs; i++)
		if (str_eq(grpc->contract->rpcs[i].service, service))
			return true;
	return false;
}

/* message() - Somebody asks about a service */
static void message(struct grpc_call *call, const uint8_t *data, size_t size)
{
	static const bool yes = true, no = false;
	struct error err = ERROR_NULL;
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *request;
	const char *service;
	bool there;

	arena_init(&arena, CALL_MEMORY);
	if (wire_unpack(&grpc__health__v1__health_check_request__descriptor,
			data, size, &arena, &request, &err) < 0) {
		answer_end(call, &err);
		return;
	}
	service = ((check_request *)request)->service;
	there = known(call->session->grpc, service);
	if (call->kind == &watch) {
		call->data = there ? &yes : &no;
		say(call, there);
	} else if (there) {
		say(call, true);
		answer_end(call, NULL);
	} else {
		answer_fail(call, ERROR_REQUEST_UNKNOWN_SERVICE,
			    "there is no service '%s'", service);
	}
}

static const struct call_kind check = { .message = message };
static const struct call_kind watch = { .message = message };

/* health_changed() - Tell all that watch */
void health_changed(struct grpc *grpc)
{
	for (struct session *s = grpc->sessions; s; s = s->next)
		for (struct grpc_call *call = s->calls; call;
		     call = call->next)
			if (call->kind == &watch && call->data)
				say(call, *(const bool *)call->data);
}

/* health_find() - Is the health service called? */
const struct call_kind *health_find(struct grpc_call *call, const char *name)
{
	const char *method = str_starts(name, HEALTH);

	if (!method)
		return NULL;
	return str_eq(method, "Check") ? &check :
	       str_eq(method, "Watch") ? &watch :
					 NULL;
}
