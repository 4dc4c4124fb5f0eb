/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - the connections of the server side of TLS
 */
#include "tls/tls.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "tls/farewell.h"
#include "tls/pump.h"

/**
 * struct peer - One connection; loop thread only
 * @next:	One that came before it
 * @tls:	Whose it is
 * @connection:	Its number on the link
 * @session:	TLS with it
 * @pump:	Its plain socket, if it has one
 * @open:	Its handshake is done
 */
struct peer {
	struct peer *next;
	struct tls *tls;
	uint64_t connection;
	struct tls_session *session;
	struct pump *pump;
	bool open;
};

/**
 * struct tls - The server side; loop thread only
 * @loop:	The loop
 * @limits:	Time-outs
 * @owner:	Who takes connections
 * @data:	For @owner
 * @credentials: In use; NULL for none
 * @peers:	All connections, the newest first
 * @n_handshakes: How many of them are not open
 * @farewells:	Sockets that are closed soon
 */
struct tls {
	struct loop *loop;
	const struct limits *limits;
	const struct tls_owner *owner;
	void *data;
	struct credentials *credentials;
	struct peer *peers;
	size_t n_handshakes;
	struct farewells farewells;
};

/* current() - The credentials in use now. */
static struct credentials *current(void *data)
{
	const struct peer *peer = data;

	return peer->tls->credentials;
}

/**
 * on_done() - A client is verified
 * @data:	Its peer
 * @protocol:	What it speaks
 * @identity:	Who it is
 * @stream:	Its bytes
 */
static void on_done(void *data, enum tls_protocol protocol,
		    const struct identity *identity, struct stream *stream)
{
	struct peer *peer = data;
	struct tls *tls = peer->tls;

	peer->open = true;
	tls->n_handshakes--;
	tls->owner->verified(tls->data, peer->connection, protocol, identity,
			     stream);
}

/* on_failed() - A handshake has failed; on_gone() follows. */
static void on_failed(void *data, const struct error *error)
{
	const struct peer *peer = data;

	peer->tls->owner->failed(peer->tls->data, peer->connection, error);
}

/**
 * on_gone() - A session is closed
 * @data:	Its peer; freed
 * @fd:		The socket
 */
static void on_gone(void *data, int fd)
{
	struct peer *peer = data, **at = &peer->tls->peers;
	struct tls *tls = peer->tls;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	if (!peer->open)
		tls->n_handshakes--;
	farewell_consume(&tls->farewells, tls->loop, fd);
	free(peer);
}

static const struct tls_session_owner tls_session_owner = {
	.credentials = current,
	.done = on_done,
	.failed = on_failed,
	.gone = on_gone,
};

/**
 * end_oldest() - Make room for a handshake
 * @tls:	With some under way
 */
static void end_oldest(struct tls *tls)
{
	struct peer *oldest = NULL;
	struct error error;

	for (struct peer *peer = tls->peers; peer; peer = peer->next)
		if (!peer->open)
			oldest = peer;
	assert(oldest);
	error_fill(&error, -EBUSY, ERROR_LIMIT_CLIENTS,
		   "TLS handshake: too many at once, and this was the oldest");
	tls->owner->failed(tls->data, oldest->connection, &error);
	tls_session_close(oldest->session);
}

/* tls_new() - Be able to speak TLS */
int tls_new(struct loop *loop, const struct limits *limits,
	    const struct tls_owner *owner, void *data, struct tls **ret)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return -ENOMEM;
	tls->loop = loop;
	tls->limits = limits;
	tls->owner = owner;
	tls->data = data;

	*ret = tls;
	return 0;
}

/* tls_free() - End all */
struct tls *tls_free(struct tls *tls)
{
	if (!tls)
		return NULL;
	while (tls->peers) {
		struct peer *peer = tls->peers;
		struct pump *pump = peer->pump;

		peer->pump = NULL;
		if (pump)
			(void)pump_free(pump);
		else
			tls_session_close(peer->session);
	}
	farewells_end(&tls->farewells);
	(void)credentials_unref(tls->credentials);
	free(tls);

	return NULL;
}

/**
 * verify_again() - End whom the new credentials do not know
 * @tls:	With the new ones, or with none
 *
 * Handshakes look at them when they come to the certificate.
 */
static void verify_again(struct tls *tls)
{
	struct peer *next;

	for (struct peer *peer = tls->peers; peer; peer = next) {
		gnutls_alert_description_t alert = GNUTLS_A_ACCESS_DENIED;
		struct error error;

		next = peer->next;
		error_fill(&error, -EACCES, ERROR_PERMISSION_UNAUTHENTICATED,
			   "TLS is not spoken any more");
		if (!peer->open && tls->credentials)
			continue;
		if (tls->credentials &&
		    tls_session_verify(peer->session, &alert, &error) == 0)
			continue;
		if (!peer->open) {
			tls->owner->failed(tls->data, peer->connection,
					   &error);
			tls_session_close(peer->session);
			continue;
		}
		log_problem(LOG_LEVEL_NOTICE, &error,
			    "connection %llu is ended",
			    (unsigned long long)peer->connection);
		tls_session_fail(peer->session, alert, -EKEYREVOKED);
	}
}

/* tls_configure() - Use new credentials, or none */
int tls_configure(struct tls *tls, char *const *files, const int *fds, size_t n,
		  struct error *err)
{
	struct credentials *set;
	int r;

	r = credentials_new(files, fds, n, &set, err);
	/* Reading a list of 2 MiB takes 57 MiB for a moment. */
	(void)malloc_trim(0);
	if (r < 0)
		return r;
	(void)credentials_unref(tls->credentials);
	tls->credentials = set;
	verify_again(tls);

	return 0;
}

/* tls_add_consume() - Somebody has connected by TCP */
int tls_add_consume(struct tls *tls, uint64_t connection, int fd,
		    struct error *err)
{
	_cleanup_fd_ int sock = fd;
	struct peer *peer;
	int r;

	if (!tls->credentials)
		return error_set(err, -ENOTCONN,
				 ERROR_PERMISSION_UNAUTHENTICATED,
				 "there are no TLS credentials");
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a TLS connection");
	peer->tls = tls;
	peer->connection = connection;
	r = tls_session_new_consume(tls->loop, TAKE_FD(sock),
				tls->limits->handshake_timeout_ms,
				&tls_session_owner, peer, &peer->session, err);
	if (r < 0) {
		free(peer);
		return r;
	}

	if (tls->n_handshakes == TLS_HANDSHAKES_MAX)
		end_oldest(tls);
	tls->n_handshakes++;
	peer->next = tls->peers;
	tls->peers = peer;
	return 0;
}

/* on_over() - A pump has ended; its session may have something to send. */
static void on_over(void *data)
{
	struct peer *peer = data;

	peer->pump = NULL;
}

/* tls_plain_consume() - Make a plain socket of a stream */
int tls_plain_consume(struct tls *tls, struct stream *stream, int *ret_fd)
{
	struct peer *peer = tls->peers;

	while (peer && tls_session_stream(peer->session) != stream)
		peer = peer->next;
	assert(peer);
	return pump_new_consume(tls->loop, stream, tls->limits->body_timeout_ms,
				on_over, peer, &peer->pump, ret_fd);
}

/* tls_close() - ioasidd has ended a connection */
void tls_close(struct tls *tls, uint64_t connection)
{
	struct peer *peer = tls->peers;

	while (peer && peer->connection != connection)
		peer = peer->next;
	if (!peer)
		return;
	if (!peer->open)
		tls_session_close(peer->session);
	else if (!peer->pump)
		tls_session_fail(peer->session, GNUTLS_A_ACCESS_DENIED,
			     -ECONNABORTED);
	/* else what was said before is delivered, by the pump */
}
