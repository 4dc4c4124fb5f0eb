/* SPDX-License-Identifier: Apache-2.0
 *
 * api-link.h - the clients of ioasid-api
 *
 * DOC: Theory of Operation
 *
 * ioasidd listens on what ioasid-api serves, looks up by itself who connects,
 * numbers the connection and passes it on. What is asked on it comes back as
 * Envelopes under that number, and is answered as if from the native socket; to
 * dispatch.c each connection is a client.
 *
 * ioasid-api is not believed. It can ask nothing for whom it was given no
 * connection, or whose connection is over; numbers are never used twice. No
 * client of it is more than the ceiling, claims anything, or is given a
 * descriptor. Of a certificate it is believed what that says, once, before the
 * first request; who comes by TCP may do nothing before that, and is nobody's
 * uid afterwards.
 *
 * We keep a copy of each connection's descriptor, to see that its client has
 * hung up: so nobody's connections count for longer than they live, whatever
 * ioasid-api says. While there is no ioasid-api connections wait with the kernel.
 *
 * All of it is the loop thread's.
 */
#ifndef IOASIDD_FRONT_API_LINK_H
#define IOASIDD_FRONT_API_LINK_H

#include "front/front.h"

struct api_link;

/**
 * struct api_link_options - What is served
 * @socket:	Path of the UNIX socket
 * @listen:	TCP address and port; NULL for none
 * @ceiling:	What its clients can be at most
 */
struct api_link_options {
	const char *socket;
	const char *listen;
	enum role ceiling;
};

/**
 * struct api_link_files - What ioasid-api is to know, as LinkConfig has it
 * @n:		How many
 * @names:	What they are; fixed strings
 * @fds:	Sealed memfds
 */
#define API_LINK_FILES_MAX 5
struct api_link_files {
	size_t n;
	const char *names[API_LINK_FILES_MAX];
	int fds[API_LINK_FILES_MAX];
};

/**
 * struct api_link_events - What a link tells its owner
 * @failed:	The ioasid-api at its end is of no use any more: end it, and
 *		api_link_detach()
 * @configured:	It has taken the files that it was sent last, or not: @refused
 *		says why
 */
struct api_link_events {
	void (*failed)(void *owner, const char *why);
	void (*configured)(void *owner, const char *refused);
};

/**
 * api_link_new() - Listen for clients of ioasid-api, and let them wait
 * @front:	Answers them; must live longer
 * @options:	Its strings are only used here
 * @ret:	Ends with api_link_free()
 *
 * Return: 0; -EADDRINUSE kernel.system if somebody listens there; others.
 */
int api_link_new(struct front *front, const struct api_link_options *options,
		 const struct api_link_events *events, void *owner,
		 struct api_link **ret, struct error *err);

/* api_link_free() - Close all and stop listening. NULL is allowed. Return: NULL.
 */
struct api_link *api_link_free(struct api_link *link);

/**
 * api_link_attach_consume() - There is an ioasid-api
 * @fd:		Our end of the socketpair; closed in any case
 * @files:	What it is to know first; borrowed
 *
 * Return: 0 or -errno.
 */
int api_link_attach_consume(struct api_link *link, int fd,
			    const struct api_link_files *files);

/* api_link_configure() - It is to use these files from now on. Nothing is done
 * while there is none.
 */
void api_link_configure(struct api_link *link,
			const struct api_link_files *files);

/* api_link_detach() - There is none any more: its clients are gone with it. */
void api_link_detach(struct api_link *link);

#endif
