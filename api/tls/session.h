/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - TLS with one client: the handshake, then a stream
 *
 * DOC: Theory of Operation
 *
 * A session has its socket to itself. Until the handshake is done nobody reads
 * what the client says; what it says in HTTP before its certificate is verified
 * stays in the kernel. Then the session is a struct stream for whoever takes
 * it, who ends it by the stream's close. What was written before that is still
 * sent, if the client takes it in time.
 *
 * TLS 1.3 only; no resumption (it would pass the verification by), no early
 * data, no renegotiation (1.3 has none), no log of keys whatever the
 * environment says. Both sides have to agree on the protocol inside (ALPN).
 *
 * GnuTLS keeps half a record that the socket did not take, and wants to be
 * asked to go on with it: the session does that itself, with a copy of those
 * bytes, so that the stream's user need not offer the same bytes again.
 */
#ifndef API_TLS_SESSION_H
#define API_TLS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "core/stream.h"
#include "tls/credentials.h"
#include "tls/verify.h"

struct tls_session;

/* What is spoken inside. */
enum tls_protocol {
	TLS_H2,
	TLS_HTTP1,
	TLS_PROTOCOL_COUNT,
};

/**
 * struct tls_session_owner - What the server does with its sessions
 * @credentials: Those in use now
 * @done:	The client is verified: it is a stream now
 * @failed:	The handshake has failed; the session is gone after the call
 * @gone:	The session was closed, by whomever, and is gone after the call;
 *		@fd is taken over: what was said last may still be on its way
 */
struct tls_session_owner {
	struct credentials *(*credentials)(void *data);
	void (*done)(void *data, enum tls_protocol protocol,
		     const struct identity *identity, struct stream *stream);
	void (*failed)(void *data, const struct error *error);
	void (*gone)(void *data, int fd);
};

/**
 * tls_session_new_consume() - Begin a handshake
 * @fd:		A connected stream socket; taken over in any case
 * @timeout_ms:	How long the handshake may take
 * @owner:	Its @credentials are not NULL now
 *
 * Return: 0; -ENOMEM; other -errno.
 */
int tls_session_new_consume(struct loop *loop, int fd, uint32_t timeout_ms,
			    const struct tls_session_owner *owner, void *data,
			    struct tls_session **ret, struct error *err);

/* tls_session_stream() - The stream that it is. */
struct stream *tls_session_stream(struct tls_session *session);

/* tls_session_close() - End it at once; @gone is called. */
void tls_session_close(struct tls_session *session);

/**
 * tls_session_fail() - A stream is to end: its user is called and finds so when
 *			it reads
 * @session:	After @done
 * @alert:	What to tell the client
 * @number:	What reading and writing give from now on, negative
 */
void tls_session_fail(struct tls_session *session,
		      gnutls_alert_description_t alert, int number);

/**
 * tls_session_verify() - Is the client still good?
 * @session:	After @done
 * @ret_alert:	What to tell the client; written on failure only
 *
 * Return: as verify_chain().
 */
int tls_session_verify(struct tls_session *session,
		       gnutls_alert_description_t *ret_alert,
		       struct error *err);

/* tls_session_want_read() - Call ready also when something can be read; as at
 * the beginning. A client that breaks the connection is noticed in any case.
 */
void tls_session_want_read(struct stream *stream, bool want);

/* tls_session_end() - Nothing more will be written: tell the client, as soon as
 * what was written has gone out. Reading goes on.
 */
void tls_session_end(struct stream *stream);

#endif
