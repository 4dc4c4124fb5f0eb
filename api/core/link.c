/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c - the way to ioasidd: calls, and what becomes of them
 *
 * DOC: Theory of Operation
 *
 * A call is an Envelope with an id that no other call of this process has; so
 * one table finds it, whatever connection it is of. A reply to an id that is
 * not there is one to a call that was cancelled, and is passed over.
 *
 * When ioasidd does not read, calls queue up to QUEUE_MAX bytes and are refused
 * after that; what is small and must not be lost (cancel, credit, closed)
 * always queues.
 *
 * What ioasidd says is believed, but reading it takes memory from an arena with
 * a budget like any other message. What cannot be read is the end of the link:
 * two programs of one build do not misunderstand each other.
 */
#include "core/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "core/link-wire.h"
#include "ioasid/v1/envelope.pb-c.h"

/* Bytes of calls that may wait for ioasidd to read. */
#define QUEUE_MAX 8388608

#define BUCKETS 1024

typedef Ioasid__V1__Envelope pb_envelope;

/**
 * struct link_call - A call that is not over
 * @next:	In its bucket
 * @link:	Whose it is
 * @connection:	For whom
 * @id:		Of its Envelope
 * @events:	What becomes of it
 * @data:	For @events
 */
struct link_call {
	struct link_call *next;
	struct link *link;
	uint64_t connection;
	uint64_t id;
	const struct link_events *events;
	void *data;
};

/**
 * struct link - The link; loop thread only
 * @wire:	Its packets
 * @last_id:	Of the newest call
 * @calls:	By id
 */
struct link {
	struct link_wire *wire;
	const struct link_owner *owner;
	void *data;
	uint64_t last_id;
	struct link_call *calls[BUCKETS];
};

/* --- calls --- */

/**
 * send_envelope() - Send an Envelope for a connection
 * @link:	The link
 * @connection:	Whose
 * @envelope:	What
 *
 * Return: as link_wire_send().
 */
static int send_envelope(struct link *link, uint64_t connection,
			 const pb_envelope *envelope)
{
	size_t size = ioasid__v1__envelope__get_packed_size(envelope);
	_cleanup_free_ uint8_t *data = malloc(size ? size : 1);
	pb_packet packet = IOASID__V1__LINK_PACKET__INIT;

	if (!data)
		return -ENOMEM;
	(void)ioasid__v1__envelope__pack(envelope, data); /* = size */
	packet.connection = connection;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_ENVELOPE;
	packet.envelope.data = data;
	packet.envelope.len = size;
	return link_wire_send(link->wire, &packet);
}

/* bucket_of() - Where a call with an id hangs. */
static struct link_call **bucket_of(struct link *link, uint64_t id)
{
	return &link->calls[id % BUCKETS];
}

/**
 * call_find() - A call by its id
 *
 * Return: where it hangs; what is there is NULL if there is none.
 */
static struct link_call **call_find(struct link *link, uint64_t id)
{
	struct link_call **at = bucket_of(link, id);

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/**
 * call_end() - A call is over: take it out and free it
 * @at:		Where it hangs
 */
static void call_end(struct link_call **at)
{
	struct link_call *call = *at;

	*at = call->next;
	free(call);
}

/**
 * call_failure() - Say why a call was not made
 * @r:		From send_envelope()
 * @err:	Filled
 *
 * Return: @r.
 */
static int call_failure(int r, struct error *err)
{
	if (r == -EPIPE)
		return error_set(err, r, ERROR_DAEMON_UNREACHABLE,
				 "ioasidd has ended");
	if (r == -EMSGSIZE)
		return error_set(err, r, ERROR_REQUEST_TOO_LARGE,
				 "the request does not fit a packet");
	return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
			 "no memory for the request");
}

/* link_call() - Ask something for a connection */
int link_call(struct link *link, uint64_t connection,
	      const struct rpc_type *rpc, const uint8_t *payload, size_t size,
	      const struct link_events *events, void *data,
	      struct link_call **ret, struct error *err)
{
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	struct link_call *call, **at;
	int r;

	if (size > LINK_MESSAGE_MAX)
		return error_set(err, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE,
				 "the request has %zu bytes; %d is the most",
				 size, LINK_MESSAGE_MAX);
	if (link_wire_queued(link->wire) > QUEUE_MAX)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "ioasidd does not read fast enough");
	call = calloc(1, sizeof(*call));
	if (!call)
		return call_failure(-ENOMEM, err);
	*call = (struct link_call){
		.link = link,
		.connection = connection,
		.id = ++link->last_id,
		.events = events,
		.data = data,
	};

	request.method = (char *)rpc->name;
	request.payload.data = (uint8_t *)payload;
	request.payload.len = size;
	envelope.id = call->id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &request;
	r = send_envelope(link, connection, &envelope);
	if (r < 0) {
		free(call);
		return call_failure(r, err);
	}
	at = bucket_of(link, call->id);
	call->next = *at;
	*at = call;

	*ret = call;
	return 0;
}

/* link_call_more() - One item of a stream was passed on */
void link_call_more(struct link_call *call)
{
	Ioasid__V1__LinkCredit credit = IOASID__V1__LINK_CREDIT__INIT;
	pb_packet packet = IOASID__V1__LINK_PACKET__INIT;

	credit.id = call->id;
	credit.items = 1;
	packet.connection = call->connection;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CREDIT;
	packet.credit = &credit;
	link_wire_insist(call->link->wire, &packet);
}

/* link_call_cancel() - The answer is no longer wanted */
struct link_call *link_call_cancel(struct link_call *call)
{
	Ioasid__V1__Cancel cancel = IOASID__V1__CANCEL__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	struct link_call **at;
	struct link *link;
	int r;

	if (!call)
		return NULL;
	link = call->link;
	envelope.id = call->id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_CANCEL;
	envelope.cancel = &cancel;
	r = send_envelope(link, call->connection, &envelope);
	if (r < 0 && r != -EPIPE)
		log_warning("a call cannot be cancelled: %s", strerror(-r));
	at = call_find(link, call->id);
	if (*at)
		call_end(at);
	return NULL;
}

/* link_closed() - A client has gone */
void link_closed(struct link *link, uint64_t connection, const char *reason)
{
	Ioasid__V1__LinkClosed closed = IOASID__V1__LINK_CLOSED__INIT;
	pb_packet packet = IOASID__V1__LINK_PACKET__INIT;

	closed.reason = (char *)reason;
	packet.connection = connection;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CLOSED;
	packet.closed = &closed;
	link_wire_insist(link->wire, &packet);
}

/* link_certificate() - Say whose certificate a connection has */
int link_certificate(struct link *link, uint64_t connection,
		     char *const *uris, size_t n_uris, char *const *names,
		     size_t n_names, const uint8_t fingerprint[32])
{
	Ioasid__V1__LinkCertificate certificate =
		IOASID__V1__LINK_CERTIFICATE__INIT;
	pb_packet packet = IOASID__V1__LINK_PACKET__INIT;

	certificate.uris = (char **)uris;
	certificate.n_uris = n_uris;
	certificate.names = (char **)names;
	certificate.n_names = n_names;
	certificate.fingerprint.data = (uint8_t *)fingerprint;
	certificate.fingerprint.len = 32;
	packet.connection = connection;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CERTIFICATE;
	packet.certificate = &certificate;
	return link_wire_send(link->wire, &packet);
}

/* --- what comes --- */

/**
 * error_decode() - An Error as ioasidd sends it
 * @in:		The message
 * @ret:	The same
 *
 * The catalogue is the same on both sides; an id that it does not have is a
 * fault, whose words are still worth something.
 */
static void error_decode(const Ioasid__V1__Error *in, struct error *ret)
{
	enum error_id id = error_from_name(in->id);

	error_fill(ret, -EREMOTEIO,
		   id == ERROR_NONE ? ERROR_DAEMON_INTERNAL : id, "%s",
		   in->message);
	if (*in->object)
		error_object(ret, "%s", in->object);
	if (*in->remedy)
		error_remedy(ret, "%s", in->remedy);
	for (size_t i = 0; i < in->n_causes; i++)
		error_cause(ret, in->causes[i]->kind, in->causes[i]->name, "%s",
			    in->causes[i]->detail);
}

/**
 * call_answer() - Something has become of a call
 * @at:		Where it hangs
 * @envelope:	What
 *
 * A call that is over is gone before its owner hears of it.
 */
static void call_answer(struct link_call **at, const pb_envelope *envelope)
{
	const struct link_events *events = (*at)->events;
	struct error error = ERROR_NULL;
	void *data = (*at)->data;

	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ITEM) {
		if (events->item)
			events->item(data, envelope->item->payload.data,
				     envelope->item->payload.len);
		return;
	}
	call_end(at);
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_REPLY) {
		events->reply(data, envelope->reply->payload.data,
			      envelope->reply->payload.len);
		return;
	}
	error_decode(envelope->error, &error);
	events->failed(data, &error);
}

/**
 * take_envelope() - Read an Envelope of a connection
 * @link:	The link
 * @packet:	Carries it
 * @arena:	For it
 *
 * Return: 0; -EBADMSG.
 */
static int take_envelope(struct link *link, const pb_packet *packet,
			 struct arena *arena)
{
	struct link_call **at;
	pb_envelope *envelope;

	envelope = ioasid__v1__envelope__unpack(&arena->allocator,
						packet->envelope.len,
						packet->envelope.data);
	if (!envelope)
		return -EBADMSG;
	switch (envelope->body_case) {
	case IOASID__V1__ENVELOPE__BODY_REPLY:
	case IOASID__V1__ENVELOPE__BODY_ERROR:
	case IOASID__V1__ENVELOPE__BODY_ITEM:
		at = call_find(link, envelope->id);
		if (*at && (*at)->connection == packet->connection)
			call_answer(at, envelope);
		return 0;
	case IOASID__V1__ENVELOPE__BODY_EVENT:
		/* The hello; who is greeted here knows it all. */
		return 0;
	case IOASID__V1__ENVELOPE__BODY__NOT_SET:
	case IOASID__V1__ENVELOPE__BODY_REQUEST:
	case IOASID__V1__ENVELOPE__BODY_CANCEL:
	case _IOASID__V1__ENVELOPE__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return -EBADMSG;
}

/**
 * call_of() - Any call of a connection
 *
 * Return: where it hangs; NULL if there is none.
 */
static struct link_call **call_of(struct link *link, uint64_t connection)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct link_call **at = &link->calls[i]; *at;
		     at = &(*at)->next)
			if ((*at)->connection == connection)
				return at;
	return NULL;
}

/**
 * take_closed() - ioasidd has ended a connection
 * @link:	The link
 * @connection:	Its number
 *
 * Whoever hears that his call has failed may end others of them.
 */
static void take_closed(struct link *link, uint64_t connection)
{
	struct error error = ERROR_NULL;
	struct link_call **at;

	error_fill(&error, -ECONNABORTED, ERROR_DAEMON_UNREACHABLE,
		   "ioasidd has ended the connection");
	while ((at = call_of(link, connection)) != NULL) {
		const struct link_events *events = (*at)->events;
		void *data = (*at)->data;

		call_end(at);
		events->failed(data, &error);
	}
	link->owner->closed(link->data, connection);
}

/**
 * take_config() - Use files, and say whether that went well
 * @link:	The link
 * @config:	What they are
 * @fds:	They
 * @n_fds:	How many
 *
 * Return: 0; -EBADMSG.
 */
static int take_config(struct link *link, const Ioasid__V1__LinkConfig *config,
		       const int *fds, size_t n_fds)
{
	Ioasid__V1__LinkConfigured answer = IOASID__V1__LINK_CONFIGURED__INIT;
	pb_packet packet = IOASID__V1__LINK_PACKET__INIT;
	struct error err = ERROR_NULL;

	if (config->n_files != n_fds)
		return -EBADMSG;
	if (link->owner->config(link->data, config->files, fds, n_fds, &err) <
	    0)
		answer.refused = err.msg;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIGURED;
	packet.configured = &answer;
	link_wire_insist(link->wire, &packet);
	return 0;
}

/**
 * on_packet() - Do what a packet says; see struct link_wire_owner
 */
static int on_packet(void *data, const pb_packet *packet, struct arena *arena,
		     int *fds, size_t n_fds)
{
	struct link *link = data;

	switch (packet->body_case) {
	case IOASID__V1__LINK_PACKET__BODY_ENVELOPE:
		return take_envelope(link, packet, arena);
	case IOASID__V1__LINK_PACKET__BODY_OPENED:
		if (n_fds != 1 || !packet->connection)
			return -EBADMSG;
		link->owner->opened(link->data, packet->connection,
				    TAKE_FD(fds[0]), packet->opened->tcp,
				    packet->opened->peer);
		return 0;
	case IOASID__V1__LINK_PACKET__BODY_CLOSED:
		take_closed(link, packet->connection);
		return 0;
	case IOASID__V1__LINK_PACKET__BODY_CONFIG:
		return take_config(link, packet->config, fds, n_fds);
	case IOASID__V1__LINK_PACKET__BODY__NOT_SET:
	case IOASID__V1__LINK_PACKET__BODY_CONFIGURED:
	case IOASID__V1__LINK_PACKET__BODY_CERTIFICATE:
	case IOASID__V1__LINK_PACKET__BODY_CREDIT:
	case _IOASID__V1__LINK_PACKET__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return -EBADMSG;
}

/**
 * on_lost() - There is no link any more; see struct link_wire_owner
 */
static void on_lost(void *data)
{
	struct link *link = data;

	link->owner->lost(link->data);
}

/* link_new() - Take the link up */
int link_new(struct loop *loop, int fd, const struct link_owner *owner,
	     void *data, struct link **ret)
{
	static const struct link_wire_owner wire_owner = {
		.packet = on_packet,
		.lost = on_lost,
	};
	struct link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->owner = owner;
	link->data = data;
	r = link_wire_new(loop, fd, &wire_owner, link, &link->wire);
	if (r < 0) {
		free(link);
		return r;
	}
	*ret = link;
	return 0;
}

/* link_free() - Let go of it */
struct link *link_free(struct link *link)
{
	if (!link)
		return NULL;
	link_wire_free(link->wire);
	free(link);
	return NULL;
}
