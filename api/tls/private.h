/* SPDX-License-Identifier: Apache-2.0
 *
 * private.h - what session.c and handshake.c know of each other
 *
 * session.c has the session on the loop, as a stream and until it is closed;
 * handshake.c has what comes before it is one.
 */
#ifndef API_TLS_PRIVATE_H
#define API_TLS_PRIVATE_H

#include "tls/session.h"

enum tls_session_state {
	HANDSHAKE,	/* its user is not known yet */
	OPEN,		/* a stream */
	CLOSING,	/* its user has left, what it has written is sent */
	DEAD,		/* a stream on which nothing works any more */
};

/**
 * struct tls_session - One client; loop thread only
 * @stream:	What its user has
 * @loop:	The loop
 * @owner:	The server
 * @data:	For @owner
 * @fd:		The socket
 * @source:	Watches @fd; NULL when DEAD
 * @timer:	End of the handshake's time, then of the certificate's, then of
 *		closing
 * @kick:	Calls the user soon
 * @set:	GnuTLS uses it until the end
 * @gnutls:	GnuTLS's side
 * @state:	See enum tls_session_state
 * @number:	What reading and writing give when DEAD
 * @want_read:	The user wants to hear of bytes
 * @want_write:	And of room
 * @eof:	The client will send no more
 * @ending:	We will send no more
 * @ended:	And have told the client
 * @held:	Bytes that were accepted and are not all sent; NULL for none
 * @held_n:	How many
 * @held_start:	How many of them are sent
 * @halfway:	GnuTLS has the next record of them, and part of it is sent
 * @alert:	Why the certificate was refused
 * @refusal:	Likewise
 */
struct tls_session {
	struct stream stream;
	struct loop *loop;
	const struct tls_session_owner *owner;
	void *data;
	int fd;
	struct loop_source *source;
	struct loop_source *timer;
	struct loop_source *kick;
	struct credentials *set;
	gnutls_session_t gnutls;
	enum tls_session_state state;
	int number;
	bool want_read;
	bool want_write;
	bool eof;
	bool ending;
	bool ended;
	uint8_t *held;
	size_t held_n;
	size_t held_start;
	bool halfway;
	gnutls_alert_description_t alert;
	struct error *refusal;
};

/* tls_session_update() - Watch for what is wanted. */
void tls_session_update(struct tls_session *session);

/**
 * tls_session_watch_expiry() - Look again when the client's certificate ends
 * @session:	OPEN
 */
void tls_session_watch_expiry(struct tls_session *session);

/**
 * tls_session_free() - End all that a session has, and itself
 * @session:	Not used any more
 *
 * The key that GnuTLS has for the client is overwritten by it.
 *
 * Return: the socket.
 */
int tls_session_free(struct tls_session *session);

/**
 * handshake_set_up() - Tell GnuTLS what to do
 * @session:	With its socket and credentials
 *
 * Return: 0, or GnuTLS's number.
 */
int handshake_set_up(struct tls_session *session);

/**
 * handshake_go_on() - Go on with the handshake
 * @session:	HANDSHAKE; OPEN afterwards if it is complete, gone if it failed
 */
void handshake_go_on(struct tls_session *session);

/**
 * handshake_fail() - End a session whose handshake has failed
 * @session:	HANDSHAKE; gone afterwards
 * @r:		GnuTLS's number
 */
void handshake_fail(struct tls_session *session, int r);

#endif
