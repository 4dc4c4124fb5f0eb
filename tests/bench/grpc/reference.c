/* SPDX-License-Identifier: Apache-2.0
 *
 * reference.c - the least that a server on libgrpc's C core can be
 *
 *	reference SOCKET SIZE	answers every call with SIZE bytes of 0
 *
 * One thread, one completion queue, one batch for a call; what the client says
 * is received and thrown away. It knows no method and checks nothing: all that
 * it costs is libgrpc's. For benchmarks alone, and built by `make bench` alone.
 */
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* As many as may wait at once. */
#define CALLS 256

/**
 * struct call - A call, or the wish for one
 * @call:	libgrpc's; NULL while none has come
 * @details:	Which method
 * @metadata:	What the client says before
 * @request:	What it says
 * @reply:	What it is told
 * @served:	It has come, and what is to be done for it is under way
 * @cancelled:	It no longer wants the answer
 */
struct call {
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	grpc_byte_buffer *reply;
	bool served;
	int cancelled;
};

static grpc_server *server;
static grpc_completion_queue *queue;
static grpc_byte_buffer *answer;

/* await() - Wish for a call. */
static void await(struct call *c)
{
	memset(c, 0, sizeof(*c));
	grpc_call_details_init(&c->details);
	grpc_metadata_array_init(&c->metadata);
	if (grpc_server_request_call(server, &c->call, &c->details,
				     &c->metadata, queue, queue, c))
		abort();
}

/* serve() - Take what is said, answer, and hear that it is over. */
static void serve(struct call *c)
{
	grpc_op ops[5] = { { .op = GRPC_OP_SEND_INITIAL_METADATA } };

	/* Sending empties it. */
	c->reply = grpc_byte_buffer_copy(answer);
	c->served = true;
	ops[1].op = GRPC_OP_RECV_MESSAGE;
	ops[1].data.recv_message.recv_message = &c->request;
	ops[2].op = GRPC_OP_SEND_MESSAGE;
	ops[2].data.send_message.send_message = c->reply;
	ops[3].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[3].data.send_status_from_server.status = GRPC_STATUS_OK;
	ops[4].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	ops[4].data.recv_close_on_server.cancelled = &c->cancelled;
	if (grpc_call_start_batch(c->call, ops, 5, c, NULL))
		abort();
}

/* finish() - Let go of a call that is over. */
static void finish(struct call *c)
{
	grpc_call_unref(c->call);
	grpc_call_details_destroy(&c->details);
	grpc_metadata_array_destroy(&c->metadata);
	if (c->request)
		grpc_byte_buffer_destroy(c->request);
	grpc_byte_buffer_destroy(c->reply);
}

/* listen_on() - Begin to serve at a UNIX socket. */
static void listen_on(const char *path)
{
	grpc_server_credentials *open =
		grpc_insecure_server_credentials_create();
	char address[128];

	snprintf(address, sizeof(address), "unix:%s", path);
	if (!grpc_server_add_http2_port(server, address, open)) {
		fprintf(stderr, "cannot listen at %s\n", address);
		exit(1);
	}
	grpc_server_credentials_release(open);
	grpc_server_start(server);
}

int main(int argc, char **argv)
{
	static struct call calls[CALLS];
	grpc_slice slice;

	if (argc != 3)
		return 2;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	grpc_init();
	queue = grpc_completion_queue_create_for_next(NULL);
	server = grpc_server_create(NULL, NULL);
	grpc_server_register_completion_queue(server, queue, NULL);
	slice = grpc_slice_malloc((size_t)atoi(argv[2]));
	memset(GRPC_SLICE_START_PTR(slice), 0, GRPC_SLICE_LENGTH(slice));
	answer = grpc_raw_byte_buffer_create(&slice, 1);
	listen_on(argv[1]);
	for (int i = 0; i < CALLS; i++)
		await(&calls[i]);

	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		struct call *c = event.tag;

		if (!c->served) {
			serve(c);
			continue;
		}
		finish(c);
		await(c);
	}
}
