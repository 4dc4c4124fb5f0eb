/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - TLS with one client, by GnuTLS, on the loop: from its socket to
 * the stream that it is, and to its end
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tls/private.h"

/* What one record carries at most (RFC 8446, 5.1). */
#define RECORD_MAX 16384

/* How long a client may take for what is left when its stream was closed. */
#define CLOSING_MS 10000

/* The longest wait for a certificate's end: the clock may be set meanwhile. */
#define EXPIRY_MAX_S 3600

/* from_stream() - The session that a stream is the head of. */
static struct tls_session *from_stream(struct stream *stream)
{
	static_assert(offsetof(struct tls_session, stream) == 0,
		      "the stream is the session's head");
	return (struct tls_session *)stream;
}

/* is_pending() - Is there something to be written that the user has given? */
static bool is_pending(const struct tls_session *session)
{
	return session->held || (session->ending && !session->ended);
}

/* tls_session_update() - See private.h */
void tls_session_update(struct tls_session *session)
{
	uint32_t events = 0;

	if (!session->source)
		return;
	if (session->want_read && !session->eof)
		events |= EPOLLIN;
	if (session->want_write || is_pending(session))
		events |= EPOLLOUT;
	loop_want(session->source, events);
}

/**
 * die() - Nothing works any more
 * @session:	Its user finds out by reading or writing
 * @number:	What that gives, negative
 *
 * A socket with an error is ready for ever: it is not watched any longer.
 *
 * Return: @number.
 */
static int die(struct tls_session *session, int number)
{
	session->state = DEAD;
	session->number = number;
	session->source = loop_unwatch(session->source);
	return number;
}

/**
 * flush() - Go on with what could not be sent at once
 * @session:	OPEN
 *
 * Return: 0 when nothing is left; -EAGAIN; what die() returns.
 */
static int flush(struct tls_session *session)
{
	while (session->held_start < session->held_n) {
		ssize_t n;

		n = session->halfway ?
			    gnutls_record_send(session->gnutls, NULL, 0) :
			    gnutls_record_send(
				    session->gnutls,
				    session->held + session->held_start,
				    session->held_n - session->held_start);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			session->halfway = true;
			return -EAGAIN;
		}
		if (n < 0)
			return die(session, -ECONNRESET);
		session->halfway = false;
		session->held_start += (size_t)n;
	}
	free(session->held);
	session->held = NULL;
	session->held_n = session->held_start = 0;

	if (session->ending && !session->ended) {
		int r = gnutls_bye(session->gnutls, GNUTLS_SHUT_WR);

		if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
			return -EAGAIN;
		if (r < 0)
			return die(session, -ECONNRESET);
		session->ended = true;
	}
	return 0;
}

/* tls_session_read() - Read, for the stream's user. */
static ssize_t tls_session_read(struct stream *stream, void *buffer,
				size_t size)
{
	struct tls_session *session = from_stream(stream);
	ssize_t n;

	if (session->state == DEAD)
		return session->number;
	if (session->eof)
		return 0;

	do
		n = gnutls_record_recv(session->gnutls, buffer, size);
	while (n == GNUTLS_E_INTERRUPTED);
	if (n == GNUTLS_E_AGAIN)
		return -EAGAIN;
	if (n < 0)
		return die(session, n == GNUTLS_E_PREMATURE_TERMINATION ||
						    n == GNUTLS_E_PULL_ERROR ?
					    -ECONNRESET :
					    -EPROTO);
	if (!n) {
		session->eof = true;
		tls_session_update(session);
	}
	return n;
}

/**
 * hold() - Keep what GnuTLS has taken and not yet sent
 * @session:	Whose
 * @data:	The bytes
 * @size:	How many, at most RECORD_MAX
 *
 * Return: @size; -ENOMEM.
 */
static ssize_t hold(struct tls_session *session, const void *data, size_t size)
{
	session->held = malloc(size);
	if (!session->held)
		return die(session, -ENOMEM);
	memcpy(session->held, data, size);
	session->held_n = size;
	session->held_start = 0;
	session->halfway = true;
	tls_session_update(session);

	return (ssize_t)size;
}

/* tls_session_write() - Write, for the stream's user. */
static ssize_t tls_session_write(struct stream *stream, const void *data,
				 size_t size)
{
	struct tls_session *session = from_stream(stream);
	ssize_t n;
	int r;

	if (session->state == DEAD)
		return session->number;
	if (session->ending)
		return -EPIPE;
	r = flush(session);
	if (r < 0)
		return r;
	if (!size)
		return 0;

	if (size > RECORD_MAX)
		size = RECORD_MAX;
	n = gnutls_record_send(session->gnutls, data, size);
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return hold(session, data, size);
	return n < 0 ? die(session, -ECONNRESET) : n;
}

/* tls_session_want_write() - Likewise, whether to call when there is room. */
static void tls_session_want_write(struct stream *stream, bool want)
{
	struct tls_session *session = from_stream(stream);

	session->want_write = want;
	tls_session_update(session);
}

/* tls_session_want_read() - Whether to call when there are bytes */
void tls_session_want_read(struct stream *stream, bool want)
{
	struct tls_session *session = from_stream(stream);

	session->want_read = want;
	tls_session_update(session);
}

/* tls_session_end() - Nothing more will be written */
void tls_session_end(struct stream *stream)
{
	struct tls_session *session = from_stream(stream);

	if (session->state != OPEN || session->ending)
		return;
	session->ending = true;
	if (!session->held)
		(void)flush(session); /* the user hears of it by reading */
	tls_session_update(session);
}

/* tls_session_free() - See private.h */
int tls_session_free(struct tls_session *session)
{
	int fd = TAKE_FD(session->fd);

	loop_unwatch(session->source);
	loop_unwatch(session->timer);
	loop_unwatch(session->kick);
	if (session->gnutls)
		gnutls_deinit(session->gnutls);
	(void)credentials_unref(session->set);
	free(session->refusal);
	free(session->held);
	free(session);

	return fd;
}

/* tls_session_stream() - The stream that it is */
struct stream *tls_session_stream(struct tls_session *session)
{
	return &session->stream;
}

/* tls_session_close() - End it at once */
void tls_session_close(struct tls_session *session)
{
	const struct tls_session_owner *owner = session->owner;
	void *data = session->data;
	int fd;

	if (session->state == OPEN && !session->held && !session->ended)
		(void)gnutls_bye(session->gnutls, GNUTLS_SHUT_WR); /* or not */
	fd = tls_session_free(session);
	owner->gone(data, fd);
}

/* close_stream() - End it when all is sent, for the stream's user. */
static void close_stream(struct stream *stream)
{
	struct tls_session *session = from_stream(stream);

	if (session->state != OPEN || !is_pending(session)) {
		tls_session_close(session);
		return;
	}
	session->state = CLOSING;
	session->ending = true;
	session->want_read = session->want_write = false;
	session->stream.ready = NULL;
	loop_arm(session->kick, 0);
	loop_arm(session->timer, clock_mono_ns() + CLOSING_MS * 1000000ull);
	tls_session_update(session);
}

static const struct stream_ops ops = {
	.read = tls_session_read,
	.write = tls_session_write,
	.want_write = tls_session_want_write,
	.close = close_stream,
};

/* tls_session_fail() - A stream is to end */
void tls_session_fail(struct tls_session *session,
		      gnutls_alert_description_t alert, int number)
{
	assert(session->state != HANDSHAKE);
	if (session->state != OPEN)
		return;
	if (!session->held && !session->ended)
		(void)gnutls_alert_send(session->gnutls, GNUTLS_AL_FATAL,
					alert); /* or it just ends */
	die(session, number);
	loop_arm(session->kick, clock_mono_ns());
}

/* tls_session_verify() - Is the client still good? */
int tls_session_verify(struct tls_session *session,
		       gnutls_alert_description_t *ret_alert, struct error *err)
{
	const gnutls_datum_t *chain;
	unsigned int n = 0;

	chain = gnutls_certificate_get_peers(session->gnutls, &n);
	return verify_chain(session->owner->credentials(session->data), chain,
			    chain ? n : 0, ret_alert, err);
}

/* tls_session_watch_expiry() - See private.h */
void tls_session_watch_expiry(struct tls_session *session)
{
	const gnutls_datum_t *chain;
	time_t left = EXPIRY_MAX_S;
	unsigned int n = 0;

	chain = gnutls_certificate_get_peers(session->gnutls, &n);
	for (unsigned int i = 0; i < n; i++) {
		gnutls_x509_crt_t cert;
		time_t end;

		if (gnutls_x509_crt_init(&cert) < 0)
			break;
		if (gnutls_x509_crt_import(cert, &chain[i],
					   GNUTLS_X509_FMT_DER) == 0) {
			end = gnutls_x509_crt_get_expiration_time(cert) + 1 -
			      time(NULL);
			left = end < left ? end : left;
		}
		gnutls_x509_crt_deinit(cert);
	}
	loop_arm(session->timer, clock_mono_ns() +
					 (left > 0 ? (uint64_t)left : 0) *
						 1000000000 + 1);
}

/**
 * on_time() - The handshake has taken too long, or a certificate may have ended
 * @data:	The session
 */
static void on_time(void *data)
{
	gnutls_alert_description_t alert;
	struct tls_session *session = data;

	switch (session->state) {
	case HANDSHAKE:
		handshake_fail(session, GNUTLS_E_TIMEDOUT);
		return;
	case OPEN:
		if (tls_session_verify(session, &alert, NULL) < 0)
			tls_session_fail(session, alert, -EKEYEXPIRED);
		else
			tls_session_watch_expiry(session);
		return;
	case CLOSING:
		tls_session_close(session);
		return;
	case DEAD:
		return;
	}
}

/**
 * call() - Call the stream's user
 * @session:	May be gone afterwards
 */
static void call(struct tls_session *session)
{
	if (session->stream.ready)
		session->stream.ready(session->stream.data);
}

/* on_kick() - Call the user without a reason on the socket. */
static void on_kick(void *data)
{
	call(data);
}

/**
 * on_ready() - The socket is
 * @data:	The session
 * @events:	For what
 */
static void on_ready(void *data, uint32_t events)
{
	struct tls_session *session = data;
	if (session->state == HANDSHAKE) {
		handshake_go_on(session);
		return;
	}

	if (session->state == CLOSING) {
		if ((events & (EPOLLERR | EPOLLHUP)) ||
		    flush(session) != -EAGAIN)
			tls_session_close(session);
		return;
	}

	/* Whoever does not read would never see that it is over. */
	if ((events & (EPOLLERR | EPOLLHUP)) &&
	    (!session->want_read || session->eof)) {
		die(session, -ECONNRESET);
		call(session);
		return;
	}

	if (is_pending(session) && (events & EPOLLOUT)) {
		(void)flush(session); /* the user hears of it by reading */
		tls_session_update(session);
	}
	if (session->state == DEAD || session->want_write ||
	    (events & ~(uint32_t)EPOLLOUT))
		call(session);
}

/**
 * start() - Put a session on the loop
 * @session:	With its socket
 * @timeout_ms:	For the handshake
 *
 * Return: 0 or -errno.
 */
static int start(struct tls_session *session, uint32_t timeout_ms)
{
	int one = 1, flags, r;

	/* GnuTLS reads and writes without saying that it will not wait. */
	flags = fcntl(session->fd, F_GETFL);
	if (flags < 0 ||
	    fcntl(session->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	/* Not on a socketpair, and of no consequence if it fails. */
	(void)setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one,
			 sizeof(one));
	r = loop_timer(session->loop, on_time, session, &session->timer);
	if (r < 0)
		return r;
	r = loop_timer(session->loop, on_kick, session, &session->kick);
	if (r < 0)
		return r;
	r = loop_watch(session->loop, session->fd, EPOLLIN, on_ready, session,
		       &session->source);
	if (r < 0)
		return r;
	if (handshake_set_up(session) < 0)
		return -ENOMEM;

	loop_arm(session->timer,
		 clock_mono_ns() + (uint64_t)timeout_ms * 1000000);
	return 0;
}

/* tls_session_new_consume() - Begin a handshake */
int tls_session_new_consume(struct loop *loop, int fd, uint32_t timeout_ms,
			    const struct tls_session_owner *owner, void *data,
			    struct tls_session **ret, struct error *err)
{
	struct tls_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session) {
		(void)fd_close(fd);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a TLS session");
	}
	session->stream.ops = &ops;
	session->loop = loop;
	session->owner = owner;
	session->data = data;
	session->fd = fd;
	session->state = HANDSHAKE;
	session->set = credentials_ref(owner->credentials(data));

	r = start(session, timeout_ms);
	if (r < 0) {
		(void)fd_close(tls_session_free(session));
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "begin a TLS session: %m");
	}

	*ret = session;
	return 0;
}
