/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c - the way to ioasidd: packets, calls and what becomes of them
 *
 * DOC: Theory of Operation
 *
 * A call is an Envelope with an id that no other call of this process has; so
 * one table finds it, whatever connection it is of. A reply to an id that is
 * not there is one to a call that was cancelled, and is passed over.
 *
 * Packets go out at once. When ioasidd does not read they queue: calls up to
 * QUEUE_MAX bytes, after that they are refused; what is small and must not be
 * lost (cancel, credit, closed) always.
 *
 * What ioasidd says is believed, but reading it takes memory from an arena with
 * a budget like any other message. What cannot be read is the end of the link:
 * two programs of one build do not misunderstand each other.
 */
#include "core/link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "ioasid/v1/envelope.pb-c.h"
#include "ioasid/v1/link.pb-c.h"

/* The longest packet: a message, the Envelope around it (as PACKET_MAX of the
 * native socket), the LinkPacket around that.
 */
#define PACKET_MAX (LINK_MESSAGE_MAX + 4096 + 64)

/* What reading one packet may take: envelope and payload are copied once each;
 * an error has causes.
 */
#define PACKET_MEMORY (4 * PACKET_MAX)

/* Descriptors in one packet: a socket, or the files of a config. */
#define PACKET_FDS 8

/* Bytes of calls that may wait for ioasidd to read. */
#define QUEUE_MAX 8388608

/* Packets that are read before others have their turn. */
#define PACKETS_PER_ROUND 32

#define BUCKETS 1024

typedef Ioasid__V1__LinkPacket pb_packet;
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
 * struct queued - A packet that waits to be sent
 */
struct queued {
	struct queued *next;
	size_t size;
	uint8_t data[];
};

/**
 * struct link - The link; loop thread only
 * @fd:		Our end
 * @source:	Watches it; NULL when it is lost
 * @farewell:	Armed when the link is found lost while sending: the owner is
 *		told in a round of its own
 * @last_id:	Of the newest call
 * @calls:	By id
 * @queue:	Packets that wait, oldest first
 * @queue_end:	Where the next one is hung
 * @queued:	Bytes in it
 * @buffer:	The packet that is read
 */
struct link {
	int fd;
	struct loop_source *source;
	struct loop_source *farewell;
	const struct link_owner *owner;
	void *data;
	uint64_t last_id;
	struct link_call *calls[BUCKETS];
	struct queued *queue;
	struct queued **queue_end;
	size_t queued;
	uint8_t buffer[PACKET_MAX];
};

/* --- sending --- */

/**
 * lose() - There is no link any more
 * @link:	The link
 *
 * The owner is told from the loop, not from within a call.
 */
static void lose(struct link *link)
{
	if (!link->source)
		return;
	link->source = loop_unwatch(link->source);
	loop_arm(link->farewell, 1);
}

/**
 * on_farewell() - Tell the owner that the link is lost
 * @data:	The link
 */
static void on_farewell(void *data)
{
	struct link *link = data;

	link->owner->lost(link->data);
}

/**
 * enqueue() - Let a packet wait
 * @link:	The link
 * @data:	The packet
 * @size:	Of it
 *
 * Return: 0; -ENOMEM.
 */
static int enqueue(struct link *link, const uint8_t *data, size_t size)
{
	struct queued *packet = malloc(sizeof(*packet) + size);

	if (!packet)
		return -ENOMEM;
	packet->next = NULL;
	packet->size = size;
	memcpy(packet->data, data, size);
	*link->queue_end = packet;
	link->queue_end = &packet->next;
	link->queued += size;
	loop_want(link->source, EPOLLIN | EPOLLOUT);
	return 0;
}

/**
 * flush() - Send what waits
 * @link:	The link
 */
static void flush(struct link *link)
{
	while (link->queue) {
		struct queued *packet = link->queue;
		int r = fd_send(link->fd, packet->data, packet->size, NULL, 0);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			lose(link);
			return;
		}
		link->queue = packet->next;
		link->queued -= packet->size;
		free(packet);
	}
	link->queue_end = &link->queue;
	loop_want(link->source, EPOLLIN);
}

/**
 * send_bytes() - Send a packet, now or when ioasidd reads again
 * @link:	The link
 * @data:	The packet
 * @size:	Of it
 *
 * Return: 0; -EPIPE: the link is lost; -ENOMEM; -EMSGSIZE.
 */
static int send_bytes(struct link *link, const uint8_t *data, size_t size)
{
	int r;

	if (!link->source)
		return -EPIPE;
	if (link->queue)
		return enqueue(link, data, size);
	r = fd_send(link->fd, data, size, NULL, 0);
	if (r == -EAGAIN)
		return enqueue(link, data, size);
	if (r == -EMSGSIZE)
		return r;
	if (r < 0) {
		lose(link);
		return -EPIPE;
	}
	return 0;
}

/**
 * send_packet() - Pack a packet and send it
 * @link:	The link
 * @packet:	The packet
 *
 * Return: as send_bytes().
 */
static int send_packet(struct link *link, const pb_packet *packet)
{
	size_t size = ioasid__v1__link_packet__get_packed_size(packet);
	_cleanup_free_ uint8_t *data = malloc(size ? size : 1);

	if (!data)
		return -ENOMEM;
	(void)ioasid__v1__link_packet__pack(packet, data); /* = size */
	return send_bytes(link, data, size);
}

/**
 * send_insist() - Send what must not be forgotten
 * @link:	The link
 * @packet:	The packet
 *
 * Without it both sides would count differently. So without memory the link,
 * and with it the process, ends: ioasidd starts another.
 */
static void send_insist(struct link *link, const pb_packet *packet)
{
	int r = send_packet(link, packet);

	if (r < 0 && r != -EPIPE) {
		log_error("a packet to ioasidd cannot be sent: %s",
			  strerror(-r));
		lose(link);
	}
}

/**
 * send_envelope() - Send an Envelope for a connection
 * @link:	The link
 * @connection:	Whose
 * @envelope:	What
 *
 * Return: as send_bytes().
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
	return send_packet(link, &packet);
}

/* --- calls --- */

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
	if (link->queued > QUEUE_MAX)
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
	send_insist(call->link, &packet);
}

/* link_call_cancel() - The answer is no longer wanted */
struct link_call *link_call_cancel(struct link_call *call)
{
	Ioasid__V1__Cancel cancel = IOASID__V1__CANCEL__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
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
	call_end(call_find(link, call->id));
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
	send_insist(link, &packet);
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
	return send_packet(link, &packet);
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
	send_insist(link, &packet);
	return 0;
}

/**
 * take_packet() - Do what a packet says
 * @link:	The link
 * @packet:	The packet
 * @arena:	For what is in it
 * @fds:	Came with it; those that are taken over become -1
 * @n_fds:	How many
 *
 * Return: 0; -EBADMSG: it says nothing that can be.
 */
static int take_packet(struct link *link, const pb_packet *packet,
		       struct arena *arena, int *fds, size_t n_fds)
{
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
 * read_packet() - Read one packet and do what it says
 * @link:	The link
 *
 * Return: 0; -EAGAIN; other -errno: the link is of no use any more.
 */
static int read_packet(struct link *link)
{
	_cleanup_arena_ struct arena arena;
	int fds[PACKET_FDS], r;
	size_t n_fds = 0;
	pb_packet *packet;
	ssize_t size;

	arena_init(&arena, PACKET_MEMORY);
	size = fd_receive(link->fd, link->buffer, sizeof(link->buffer), fds,
			  PACKET_FDS, &n_fds);
	if (size <= 0)
		return size < 0 ? (int)size : -EPIPE;
	packet = ioasid__v1__link_packet__unpack(&arena.allocator, (size_t)size,
						 link->buffer);
	r = packet ? take_packet(link, packet, &arena, fds, n_fds) : -EBADMSG;
	for (size_t i = 0; i < n_fds; i++)
		(void)fd_close(fds[i]);
	return r;
}

/**
 * on_ready() - ioasidd has said something, or reads again
 * @data:	The link
 * @events:	What is the matter
 */
static void on_ready(void *data, uint32_t events)
{
	struct link *link = data;
	int r;

	if (events & EPOLLOUT)
		flush(link);
	for (int i = 0; link->source && i < PACKETS_PER_ROUND; i++) {
		r = read_packet(link);
		if (r == -EAGAIN)
			return;
		if (r == 0)
			continue;
		if (r != -EPIPE && r != -ECONNRESET)
			log_error("what ioasidd says cannot be read: %s",
				  strerror(-r));
		lose(link);
	}
}

/* link_new() - Take the link up */
int link_new(struct loop *loop, int fd, const struct link_owner *owner,
	     void *data, struct link **ret)
{
	const int room = PACKET_MAX;
	struct link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->fd = fd;
	link->owner = owner;
	link->data = data;
	link->queue_end = &link->queue;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		free(link);
		return r;
	}
	/* A packet must fit the sender's buffer. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)))
		log_debug("SO_SNDBUF: %m");
	r = loop_timer(loop, on_farewell, link, &link->farewell);
	if (r == 0)
		r = loop_watch(loop, fd, EPOLLIN, on_ready, link,
			       &link->source);
	if (r < 0) {
		loop_unwatch(link->farewell);
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
	loop_unwatch(link->source);
	loop_unwatch(link->farewell);
	while (link->queue) {
		struct queued *packet = link->queue;

		link->queue = packet->next;
		free(packet);
	}
	(void)fd_close(link->fd);
	free(link);
	return NULL;
}
