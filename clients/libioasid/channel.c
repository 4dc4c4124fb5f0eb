/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.c - a connection that calls methods with protobuf messages
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "ioasid/v1/envelope.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"

/* channel_fds_close() - See channel.h. */
void channel_fds_close(struct channel_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		(void)fd_close(fds->fds[i]);
	fds->n = 0;
}

/**
 * channel_dead() - Close a connection that is of no use any more
 * @conn:	The connection
 * @ret:	What the caller returns
 *
 * Return: @ret.
 */
static int channel_dead(struct ioasid *conn, int ret)
{
	conn->fd = fd_close(conn->fd);
	return ret;
}

/* channel_broken() - See channel.h. */
int channel_broken(struct ioasid *conn, const char *what,
		   struct ioasid_error *err)
{
	(void)fail_set(err, -EPROTO, IOASID_ERROR_PROTOCOL,
		       "the daemon broke the protocol: %s; the connection was "
		       "closed", what);
	return channel_dead(conn, -EPROTO);
}

/**
 * channel_closed() - The connection failed: close our end, and say how
 * @conn:	The connection
 * @errnum:	errno, positive
 * @err:	May be NULL
 *
 * Return: -ECONNRESET.
 */
static int channel_closed(struct ioasid *conn, int errnum,
			  struct ioasid_error *err)
{
	(void)fail_set(err, -errnum, IOASID_ERROR_CLOSED,
		       "the daemon closed the connection: %m");
	return channel_dead(conn, -ECONNRESET);
}

/**
 * channel_deadline() - When a call that begins now must have ended
 * @conn:	The connection
 * @wait_ms:	On top of the connection's limit
 *
 * Return: CLOCK_MONOTONIC, ns; 0 for never.
 */
static uint64_t channel_deadline(const struct ioasid *conn, int wait_ms)
{
	if (conn->timeout_ms < 0)
		return 0;
	return clock_mono_ns() +
	       ((uint64_t)conn->timeout_ms + (uint64_t)wait_ms) * 1000000;
}

/**
 * channel_wait() - Wait until the socket can be read or written
 * @conn:	The connection; dead if the time is over
 * @events:	POLLIN or POLLOUT
 * @deadline:	See channel_deadline()
 * @err:	May be NULL
 *
 * Return: 0; -ETIMEDOUT; -ECONNRESET if poll(2) failed.
 */
static int channel_wait(struct ioasid *conn, short events, uint64_t deadline,
			struct ioasid_error *err)
{
	struct pollfd p = { .fd = conn->fd, .events = events };
	uint64_t now, left_ms;
	int n, timeout = -1;

	for (;;) {
		if (deadline) {
			now = clock_mono_ns();
			left_ms = deadline > now ?
				  (deadline - now + 999999) / 1000000 : 0;
			timeout = left_ms < INT_MAX ? (int)left_ms : INT_MAX;
		}
		n = poll(&p, 1, timeout);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return channel_closed(conn, errno, err);
		if (n == 0 && clock_mono_ns() >= deadline) {
			(void)fail_set(err, -ETIMEDOUT, IOASID_ERROR_TIMEOUT,
				       "the daemon did not answer in time; the "
				       "connection was closed");
			return channel_dead(conn, -ETIMEDOUT);
		}
	}
}

/**
 * channel_send() - Send one packet
 * @conn:	The connection
 * @data:	The packet
 * @size:	Its length
 * @fds:	Descriptors to send along; NULL for none
 * @deadline:	See channel_deadline()
 * @err:	May be NULL
 *
 * Return: 0; -EMSGSIZE with the connection alive; as channel_wait().
 */
static int channel_send(struct ioasid *conn, const void *data, size_t size,
			const struct channel_fds *fds, uint64_t deadline,
			struct ioasid_error *err)
{
	int ret;

	for (;;) {
		ret = fd_send(conn->fd, data, size, fds ? fds->fds : NULL,
			      fds ? fds->n : 0);
		if (ret == 0)
			return 0;
		if (ret == -EMSGSIZE)
			return fail_set(err, ret, IOASID_ERROR_ARGUMENT,
					"the request takes %zu bytes, more "
					"than one packet can have", size);
		/* Before it went away the daemon may have said why. */
		if (ret == -EPIPE || ret == -ECONNRESET)
			return 0;
		if (ret != -EAGAIN && ret != -EINTR)
			return channel_closed(conn, -ret, err);
		ret = channel_wait(conn, POLLOUT, deadline, err);
		if (ret < 0)
			return ret;
	}
}

/**
 * channel_receive() - Receive one packet
 * @conn:	The connection
 * @fds:	Where descriptors go; NULL if none may come
 * @deadline:	See channel_deadline()
 * @ret:	The envelope; message_free()
 * @err:	May be NULL
 *
 * Return: 0; -EPROTO, -ECONNRESET, -ETIMEDOUT, -ENOMEM, the connection dead
 * and no descriptor left.
 */
static int channel_receive(struct ioasid *conn, struct channel_fds *fds,
			   uint64_t deadline, Ioasid__V1__Envelope **ret,
			   struct ioasid_error *err)
{
	ProtobufCMessage *message;
	ssize_t n;
	int r;

	do {
		r = channel_wait(conn, POLLIN, deadline, err);
		if (r)
			return r;
		n = fd_receive(conn->fd, conn->buf, CHANNEL_MAX_PACKET,
			       fds ? fds->fds : NULL, fds ? CHANNEL_MAX_FDS : 0,
			       fds ? &fds->n : NULL);
	} while (n == -EAGAIN || n == -EINTR);

	if (n == -EMSGSIZE)
		return channel_broken(conn, "a packet longer than the limit",
				      err);
	if (n == -EPROTO)
		return channel_broken(conn, "descriptors that do not belong to "
				      "the packet, or were cut off", err);
	if (n <= 0)
		return channel_closed(conn, n < 0 ? (int)-n : ECONNRESET, err);

	r = message_unpack(&ioasid__v1__envelope__descriptor, conn->buf,
			   (size_t)n, &message);
	if (r == 0) {
		*ret = (Ioasid__V1__Envelope *)message;
		return 0;
	}
	if (fds)
		channel_fds_close(fds);
	if (r == -EPROTO)
		return channel_broken(conn, "a packet that cannot be read",
				      err);
	(void)fail_set(err, r, IOASID_ERROR_MEMORY, "no memory for the answer");
	return channel_dead(conn, r);
}

/**
 * channel_refused() - Pass the daemon's error on
 * @conn:	The connection; dead if the error belongs to no request
 * @envelope:	What carries the error
 * @err:	May be NULL
 *
 * Return: -EREMOTEIO; -EPROTO.
 */
static int channel_refused(struct ioasid *conn,
			   const Ioasid__V1__Envelope *envelope,
			   struct ioasid_error *err)
{
	if (!envelope->error->id[0])
		return channel_broken(conn, "an error without an id", err);
	if (envelope->id == 0)
		(void)channel_dead(conn, 0);
	(void)fail_remote(err, envelope->error);
	return -EREMOTEIO;
}

/**
 * channel_answer() - Receive until the answer to the last request is there
 * @conn:	The connection
 * @fds:	See channel_receive()
 * @deadline:	See channel_deadline()
 * @ret:	An envelope with a reply; message_free()
 * @err:	May be NULL
 *
 * Return: see ioasid.h; no descriptor left on failure.
 */
static int channel_answer(struct ioasid *conn, struct channel_fds *fds,
			  uint64_t deadline, Ioasid__V1__Envelope **ret,
			  struct ioasid_error *err)
{
	for (;;) {
		_cleanup_message_ Ioasid__V1__Envelope *envelope = NULL;
		size_t n_fds;
		int r;

		r = channel_receive(conn, fds, deadline, &envelope, err);
		if (r)
			return r;
		if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_REPLY &&
		    envelope->id == conn->last_id) {
			*ret = TAKE_PTR(envelope);
			return 0;
		}

		n_fds = fds ? fds->n : 0;
		if (fds)
			channel_fds_close(fds);
		if (n_fds > 0)
			return channel_broken(conn, "descriptors with what is "
					      "no reply", err);
		if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ERROR &&
		    (envelope->id == conn->last_id || envelope->id == 0))
			return channel_refused(conn, envelope, err);
		/* Events unknown to us are the future's. */
		if (envelope->body_case != IOASID__V1__ENVELOPE__BODY_EVENT)
			return channel_broken(conn, "an answer to what was "
					      "not asked", err);
	}
}

/**
 * envelope_pack() - A request as a packet
 * @conn:	The connection; the request gets its next id
 * @method:	Without the package
 * @request:	The method's request message
 * @ret:	The packet; free()
 * @ret_size:	Its length
 * @err:	May be NULL
 *
 * Return: 0; -EINVAL if it is too long; -ENOMEM.
 */
static int envelope_pack(struct ioasid *conn, const char *method,
			 const ProtobufCMessage *request, void **ret,
			 size_t *ret_size, struct ioasid_error *err)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Request body = IOASID__V1__REQUEST__INIT;
	_cleanup_free_ uint8_t *payload = NULL;
	_cleanup_free_ uint8_t *packet = NULL;
	char name[128];
	size_t size;

	if (!str_format(name, sizeof(name), "ioasid.v1.%s", method))
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"there is no method '%s'", method);

	body.method = name;
	body.payload.len = protobuf_c_message_get_packed_size(request);
	payload = malloc(body.payload.len + 1);
	if (!payload)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	(void)protobuf_c_message_pack(request, payload);
	body.payload.data = payload;

	envelope.id = ++conn->last_id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &body;
	size = protobuf_c_message_get_packed_size(&envelope.base);
	if (size > conn->hello.max_packet)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"the request takes %zu bytes, more than the "
				"daemon's limit of %u", size,
				conn->hello.max_packet);
	packet = malloc(size);
	if (!packet)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret_size = protobuf_c_message_pack(&envelope.base, packet);
	*ret = TAKE_PTR(packet);
	return 0;
}

/**
 * channel_ask() - Send a request
 * @conn:	The connection
 * @method:	Without the package
 * @request:	The method's request message
 * @fds:	Descriptors to send along; NULL for none
 * @deadline:	See channel_deadline()
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int channel_ask(struct ioasid *conn, const char *method,
		       const ProtobufCMessage *request,
		       const struct channel_fds *fds, uint64_t deadline,
		       struct ioasid_error *err)
{
	void *packet = NULL;
	size_t size = 0;
	int r;

	if (conn->fd < 0)
		return fail_set(err, -ENOTCONN, IOASID_ERROR_CLOSED,
				"the connection was closed after an earlier "
				"failure");
	if (conn->streaming)
		return fail_set(err, -EBUSY, IOASID_ERROR_ARGUMENT,
				"the connection is taken by a watch");
	r = envelope_pack(conn, method, request, &packet, &size, err);
	if (r)
		return r;
	r = channel_send(conn, packet, size, fds, deadline, err);
	free(packet);
	return r;
}

/**
 * channel_read_reply() - Take a reply out of its envelope
 * @conn:	The connection; dead if the reply is not as it should be
 * @reply:	The reply
 * @n_fds:	How many descriptors came with it
 * @type:	Descriptor of the method's reply message
 * @ret:	The reply message
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int channel_read_reply(struct ioasid *conn,
			      const Ioasid__V1__Reply *reply, size_t n_fds,
			      const ProtobufCMessageDescriptor *type,
			      ProtobufCMessage **ret, struct ioasid_error *err)
{
	int r;

	if (reply->descriptors != n_fds)
		return channel_broken(conn, "not as many descriptors as the "
				      "reply states", err);
	r = message_unpack(type, reply->payload.data, reply->payload.len, ret);
	if (r == -EPROTO)
		return channel_broken(conn, "a reply that cannot be read", err);
	if (r)
		return fail_set(err, r, IOASID_ERROR_MEMORY,
				"no memory for the answer");
	return 0;
}

/**
 * channel_exchange() - Send a request and receive its reply
 * @wait_ms:	See channel_call_long()
 * @sent:	Descriptors to send along; NULL for none
 * @fds:	See channel_call_fds(); NULL if none may come
 *
 * Otherwise as channel_call().
 *
 * Return: see ioasid.h; no descriptor left on failure.
 */
static int channel_exchange(struct ioasid *conn, const char *method,
			    int wait_ms, const ProtobufCMessage *request,
			    const ProtobufCMessageDescriptor *type,
			    const struct channel_fds *sent,
			    struct channel_fds *fds, ProtobufCMessage **ret,
			    struct ioasid_error *err)
{
	uint64_t deadline = channel_deadline(conn, wait_ms);
	Ioasid__V1__Envelope *answer = NULL;
	int r;

	r = channel_ask(conn, method, request, sent, deadline, err);
	if (r)
		return r;
	r = channel_answer(conn, fds, deadline, &answer, err);
	if (r)
		return r;
	r = channel_read_reply(conn, answer->reply, fds ? fds->n : 0, type,
			       ret, err);
	(void)message_free(answer);
	if (r && fds)
		channel_fds_close(fds);
	return r;
}

/* channel_call() - See channel.h. */
int channel_call(struct ioasid *conn, const char *method,
		 const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
		 struct ioasid_error *err)
{
	return channel_exchange(conn, method, 0, request, type, NULL, NULL,
				ret, err);
}

/* channel_call_long() - See channel.h. */
int channel_call_long(struct ioasid *conn, const char *method, int wait_ms,
		      const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *type,
		      ProtobufCMessage **ret, struct ioasid_error *err)
{
	return channel_exchange(conn, method, wait_ms, request, type, NULL,
				NULL, ret, err);
}

/* channel_call_fds() - See channel.h. */
int channel_call_fds(struct ioasid *conn, const char *method,
		     const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *type,
		     struct channel_fds *fds, ProtobufCMessage **ret,
		     struct ioasid_error *err)
{
	fds->n = 0;
	return channel_exchange(conn, method, 0, request, type, NULL, fds, ret,
				err);
}

/* channel_call_with() - See channel.h. */
int channel_call_with(struct ioasid *conn, const char *method,
		      const ProtobufCMessage *request,
		      const struct channel_fds *fds,
		      const ProtobufCMessageDescriptor *type,
		      ProtobufCMessage **ret, struct ioasid_error *err)
{
	return channel_exchange(conn, method, 0, request, type, fds, NULL, ret,
				err);
}

/* channel_stream() - See channel.h. */
int channel_stream(struct ioasid *conn, const char *method,
		   const ProtobufCMessage *request, struct ioasid_error *err)
{
	int r = channel_ask(conn, method, request, NULL,
			    channel_deadline(conn, 0), err);

	conn->streaming = conn->streaming || r == 0;
	return r;
}

/**
 * channel_readable() - Is there something to receive, or will there be in time?
 * @conn:	The connection
 * @timeout_ms:	How long to wait; -1 for no limit
 *
 * Return: true if so, or if receiving would fail.
 */
static bool channel_readable(const struct ioasid *conn, int timeout_ms)
{
	struct pollfd p = { .fd = conn->fd, .events = POLLIN };
	uint64_t end = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
	int n, left = timeout_ms;

	while ((n = poll(&p, 1, left)) < 0 && errno == EINTR) {
		uint64_t now = clock_mono_ns();

		if (timeout_ms >= 0)
			left = end > now ? (int)((end - now) / 1000000) : 0;
	}
	return n != 0;
}

/**
 * channel_read_item() - Take an item out of its envelope
 * @conn:	The connection, with a stream
 * @envelope:	What came
 * @type:	Descriptor of the method's reply message
 * @ret:	The item
 * @err:	May be NULL
 *
 * Return: 0; 1 if it is something else, to be passed over; see ioasid.h.
 */
static int channel_read_item(struct ioasid *conn,
			     const Ioasid__V1__Envelope *envelope,
			     const ProtobufCMessageDescriptor *type,
			     ProtobufCMessage **ret, struct ioasid_error *err)
{
	int r;

	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_EVENT)
		return 1;
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ERROR &&
	    (envelope->id == conn->last_id || envelope->id == 0))
		return channel_refused(conn, envelope, err);
	if (envelope->body_case != IOASID__V1__ENVELOPE__BODY_ITEM ||
	    envelope->id != conn->last_id)
		return channel_broken(conn, "what is no item of the stream",
				      err);
	r = message_unpack(type, envelope->item->payload.data,
			   envelope->item->payload.len, ret);
	if (r == -EPROTO)
		return channel_broken(conn, "an item that cannot be read",
				      err);
	if (r < 0) {
		(void)fail_set(err, r, IOASID_ERROR_MEMORY,
			       "no memory for an item");
		return channel_dead(conn, r);
	}
	return 0;
}

/* channel_item() - See channel.h. */
int channel_item(struct ioasid *conn, int timeout_ms,
		 const ProtobufCMessageDescriptor *type,
		 ProtobufCMessage **ret, struct ioasid_error *err)
{
	int r;

	if (conn->fd < 0)
		return fail_set(err, -ENOTCONN, IOASID_ERROR_CLOSED,
				"the connection was closed after an earlier failure");
	if (!conn->streaming)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"there is no watch on this connection");
	do {
		_cleanup_message_ Ioasid__V1__Envelope *envelope = NULL;

		if (!channel_readable(conn, timeout_ms))
			return -EAGAIN;
		r = channel_receive(conn, NULL, 0, &envelope, err);
		if (r == 0)
			r = channel_read_item(conn, envelope, type, ret, err);
	} while (r > 0);
	conn->streaming = r == 0;
	return r;
}

/**
 * channel_cancel() - Say that the stream is no longer wanted
 * @conn:	The connection, with a stream
 * @deadline:	See channel_deadline()
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int channel_cancel(struct ioasid *conn, uint64_t deadline,
			  struct ioasid_error *err)
{
	Ioasid__V1__Cancel cancel = IOASID__V1__CANCEL__INIT;
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	uint8_t packet[32];
	size_t size;

	envelope.id = conn->last_id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_CANCEL;
	envelope.cancel = &cancel;
	/* A number of up to ten bytes, an empty message, and their tags. */
	size = ioasid__v1__envelope__pack(&envelope, packet);
	return channel_send(conn, packet, size, NULL, deadline, err);
}

/* channel_stop() - See channel.h. */
int channel_stop(struct ioasid *conn, struct ioasid_error *err)
{
	uint64_t deadline = channel_deadline(conn, 0);
	bool ended = false;
	int r;

	if (conn->fd < 0 || !conn->streaming)
		return 0;
	r = channel_cancel(conn, deadline, err);
	while (r == 0 && !ended) {
		_cleanup_message_ Ioasid__V1__Envelope *envelope = NULL;

		r = channel_receive(conn, NULL, deadline, &envelope, err);
		if (r == 0 && envelope->id == conn->last_id)
			ended = envelope->body_case !=
				IOASID__V1__ENVELOPE__BODY_ITEM;
	}
	conn->streaming = false;
	return r;
}

/**
 * channel_greet() - Receive the hello
 * @conn:	A connection without one
 * @err:	May be NULL
 *
 * Return: 0; see ioasid_connect().
 */
static int channel_greet(struct ioasid *conn, struct ioasid_error *err)
{
	_cleanup_message_ Ioasid__V1__Envelope *first = NULL;
	const Ioasid__V1__Hello *hello;
	int r;

	r = channel_receive(conn, NULL, channel_deadline(conn, 0), &first, err);
	if (r)
		return r;
	if (first->body_case == IOASID__V1__ENVELOPE__BODY_ERROR)
		return channel_refused(conn, first, err);
	if (first->body_case != IOASID__V1__ENVELOPE__BODY_EVENT ||
	    first->event->kind_case != IOASID__V1__EVENT__KIND_HELLO)
		return channel_broken(conn, "its first packet was no hello",
				      err);

	hello = first->event->hello;
	if (!str_eq(hello->contract, "ioasid.v1") || hello->max_packet == 0) {
		(void)fail_set(err, -EPROTO, IOASID_ERROR_PROTOCOL,
			       "the daemon speaks '%s', we speak 'ioasid.v1'",
			       hello->contract);
		return -EPROTO;
	}
	(void)str_copy(conn->contract, sizeof(conn->contract), hello->contract);
	(void)str_copy(conn->daemon, sizeof(conn->daemon), hello->daemon);
	conn->hello = (struct ioasid_hello){
		.contract = conn->contract,
		.daemon = conn->daemon,
		.max_packet = hello->max_packet,
		.uid = hello->uid,
		.pid = hello->pid,
	};
	return 0;
}

/* channel_start() - See channel.h. */
int channel_start(int sock_consume, int timeout_ms, struct ioasid **ret,
		  struct ioasid_error *err)
{
	_cleanup_fd_ int sock = sock_consume;
	struct ioasid *conn;
	int flags, r;

	flags = fcntl(sock, F_GETFL);
	if (flags < 0 || fcntl(sock, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail_set(err, -errno, IOASID_ERROR_UNREACHABLE,
				"setting the socket up: %m");

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	conn->timeout_ms = timeout_ms < 0 ? -1 : timeout_ms;
	conn->fd = TAKE_FD(sock);
	conn->buf = malloc(CHANNEL_MAX_PACKET);
	r = conn->buf ? channel_greet(conn, err) :
	    fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "no room for packets");
	if (r < 0) {
		(void)ioasid_disconnect(conn);
		return r;
	}
	*ret = conn;
	return 0;
}
