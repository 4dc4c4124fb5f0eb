/* SPDX-License-Identifier: Apache-2.0
 *
 * handshake.c - the handshake of a session: until its client is verified
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "tls/private.h"

#define SESSION_FLAGS                                               \
	(GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |       \
	 GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET)

/* The longest handshake message, bytes: a chain of certificates. */
#define HANDSHAKE_MAX 65536

/**
 * words_of() - Say why a handshake has failed
 * @session:	Whose
 * @r:		GnuTLS's number
 * @err:	Filled
 */
static void words_of(struct tls_session *session, int r, struct error *err)
{
	const char *words = gnutls_strerror(r);

	if (r == GNUTLS_E_CERTIFICATE_ERROR && session->refusal) {
		*err = *session->refusal;
		return;
	}
	if (r == GNUTLS_E_CERTIFICATE_REQUIRED)
		words = "the client shows no certificate";
	else if (r == GNUTLS_E_NO_APPLICATION_PROTOCOL)
		words = "the client offers neither h2 nor http/1.1 (ALPN)";
	else if (r == GNUTLS_E_PREMATURE_TERMINATION)
		words = "the client has hung up";
	else if (r == GNUTLS_E_TIMEDOUT)
		words = "the client took too long";
	else if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		words = gnutls_alert_get_name(
			gnutls_alert_get(session->gnutls));
	error_fill(err, -EPROTO, ERROR_PERMISSION_UNAUTHENTICATED,
		   r == GNUTLS_E_FATAL_ALERT_RECEIVED ?
			   "TLS handshake: the client gave up: %s" :
			   "TLS handshake: %s",
		   words ? words : "?");
}

/* handshake_fail() - See private.h */
void handshake_fail(struct tls_session *session, int r)
{
	const struct tls_session_owner *owner = session->owner;
	void *data = session->data;
	struct error error;
	int fd;

	words_of(session, r, &error);
	/* The client may hear of it, or not: it ends in any case. */
	if (r == GNUTLS_E_CERTIFICATE_ERROR)
		(void)gnutls_alert_send(session->gnutls, GNUTLS_AL_FATAL,
					session->alert);
	else if (r != GNUTLS_E_PREMATURE_TERMINATION &&
		 r != GNUTLS_E_FATAL_ALERT_RECEIVED)
		(void)gnutls_alert_send_appropriate(session->gnutls, r);

	owner->failed(data, &error);
	fd = tls_session_free(session);
	owner->gone(data, fd);
}

/**
 * on_hello() - GnuTLS: the client's first words are read
 *
 * It asks for no protocol to be agreed on if the client does not; we do, and
 * before anything is computed.
 *
 * Return: 0, or GnuTLS's number for a refusal.
 */
static int on_hello(gnutls_session_t gnutls, unsigned int type,
		    unsigned int when, unsigned int incoming,
		    const gnutls_datum_t *message)
{
	gnutls_datum_t protocol;

	return gnutls_alpn_get_selected_protocol(gnutls, &protocol) < 0 ?
		       GNUTLS_E_NO_APPLICATION_PROTOCOL :
		       0;
}

/* keep_refusal() - Keep the words; without memory GnuTLS's have to do. */
static void keep_refusal(struct tls_session *session, const struct error *error)
{
	free(session->refusal);
	session->refusal = malloc(sizeof(*session->refusal));
	if (session->refusal)
		*session->refusal = *error;
}

/**
 * on_certificate() - GnuTLS: the client has shown a certificate and that it has
 *		      its key
 *
 * Return: 0, or GnuTLS's number for a refusal.
 */
static int on_certificate(gnutls_session_t gnutls)
{
	struct tls_session *session = gnutls_session_get_ptr(gnutls);
	struct error error;

	if (tls_session_verify(session, &session->alert, &error) == 0)
		return 0;

	keep_refusal(session, &error);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* no_log() - GnuTLS: keys that could be logged. They are not. */
static int no_log(gnutls_session_t gnutls, const char *label,
		  const gnutls_datum_t *secret)
{
	return 0;
}

/**
 * finish() - The handshake is complete
 * @session:	HANDSHAKE
 *
 * New credentials may have come while it was going on. Bytes that GnuTLS has
 * read already are told of by no socket.
 */
static void finish(struct tls_session *session)
{
	_cleanup_identity_ struct identity identity = IDENTITY_NULL;
	struct error error = ERROR_NULL;
	const gnutls_datum_t *chain;
	gnutls_datum_t protocol;
	unsigned int n = 0;
	int one = 1;

	assert(gnutls_protocol_get_version(session->gnutls) == GNUTLS_TLS1_3);
	/* We have nothing to say to the client's last words, so the kernel
	 * waits 40 ms to acknowledge them, and a client with Nagle's algorithm
	 * for that with its first request.
	 */
	(void)setsockopt(session->fd, IPPROTO_TCP, TCP_QUICKACK, &one,
			 sizeof(one));
	if (gnutls_alpn_get_selected_protocol(session->gnutls, &protocol)) {
		handshake_fail(session, GNUTLS_E_NO_APPLICATION_PROTOCOL);
		return;
	}
	chain = gnutls_certificate_get_peers(session->gnutls, &n);
	if (!chain || !n) {
		handshake_fail(session, GNUTLS_E_CERTIFICATE_REQUIRED);
		return;
	}
	session->alert = GNUTLS_A_BAD_CERTIFICATE;
	if ((session->set != session->owner->credentials(session->data) &&
	     tls_session_verify(session, &session->alert, &error) < 0) ||
	    identity_read(chain, &identity, &error) < 0) {
		keep_refusal(session, &error);
		handshake_fail(session, GNUTLS_E_CERTIFICATE_ERROR);
		return;
	}

	session->state = OPEN;
	session->want_read = true;
	tls_session_update(session);
	tls_session_watch_expiry(session);
	if (gnutls_record_check_pending(session->gnutls))
		loop_arm(session->kick, clock_mono_ns());
	session->owner->done(session->data,
			     protocol.size == 2 ? TLS_H2 : TLS_HTTP1, &identity,
			     &session->stream);
}

/* handshake_go_on() - See private.h */
void handshake_go_on(struct tls_session *session)
{
	int r;

	do
		r = gnutls_handshake(session->gnutls);
	while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));

	if (r == GNUTLS_E_AGAIN)
		loop_want(session->source,
			  gnutls_record_get_direction(session->gnutls) ?
				  EPOLLOUT :
				  EPOLLIN);
	else if (r < 0)
		handshake_fail(session, r);
	else
		finish(session);
}

/* handshake_set_up() - See private.h */
int handshake_set_up(struct tls_session *session)
{
	static const gnutls_datum_t protocols[] = {
		{ (unsigned char *)"h2", 2 },
		{ (unsigned char *)"http/1.1", 8 },
	};
	int r;

	r = gnutls_init(&session->gnutls, SESSION_FLAGS);
	if (r < 0)
		return r;
	r = gnutls_priority_set(session->gnutls, session->set->priority);
	if (r < 0)
		return r;
	r = gnutls_credentials_set(session->gnutls, GNUTLS_CRD_CERTIFICATE,
				   session->set->gnutls);
	if (r < 0)
		return r;
	r = gnutls_alpn_set_protocols(session->gnutls, protocols,
				      ARRAY_SIZE(protocols),
				      GNUTLS_ALPN_MANDATORY |
					      GNUTLS_ALPN_SERVER_PRECEDENCE);
	if (r < 0)
		return r;

	gnutls_session_set_ptr(session->gnutls, session);
	gnutls_certificate_server_set_request(session->gnutls,
					      GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session->gnutls, on_certificate);
	gnutls_handshake_set_hook_function(session->gnutls,
					   GNUTLS_HANDSHAKE_CLIENT_HELLO,
					   GNUTLS_HOOK_POST, on_hello);
	gnutls_session_set_keylog_function(session->gnutls, no_log);
	gnutls_handshake_set_max_packet_length(session->gnutls, HANDSHAKE_MAX);
	gnutls_handshake_set_timeout(session->gnutls,
				     GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_int(session->gnutls, session->fd);
	return 0;
}
