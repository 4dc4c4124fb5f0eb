/* SPDX-License-Identifier: Apache-2.0
 *
 * api-link.c - the clients of ioasid-api
 */
#include "front/api-link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "front/api-client.h"
#include "front/listener.h"
#include "front/streams.h"

/* Packets about connections that were never given, until it is enough: none
 * come from an ioasid-api that is well.
 */
#define STRANGE_MAX 64

/**
 * struct api_link - The link; loop thread only
 * @clients:	Those that have connected, and the way to ioasid-api
 * @unix_socket: Lets clients in
 * @tcp:	Likewise; NULL if that is not wanted
 * @strange:	Packets about connections that were never given
 * @configuring: Files were sent and no answer has come yet, so often
 * @events:	Where to tell; fixed
 * @owner:	Whom; fixed
 */
struct api_link {
	struct api_clients clients;
	struct listener *unix_socket;
	struct listener *tcp;
	unsigned int strange;
	unsigned int configuring;
	const struct api_link_events *events;
	void *owner;
};

/**
 * hold() - Let no client in for a while, or again
 * @link:	The link
 * @yes:	Not now
 */
static void hold(struct api_link *link, bool yes)
{
	listener_hold(link->unix_socket, yes);
	if (link->tcp)
		listener_hold(link->tcp, yes);
}

/**
 * on_unix() - Somebody has connected to the UNIX socket
 * @data:	The link
 * @fd:		The connection; ours
 */
static void on_unix(void *data, int fd)
{
	struct api_link *link = data;

	api_client_accept_consume(&link->clients, fd, false);
}

/**
 * on_tcp() - Somebody has connected by TCP
 * @data:	The link
 * @fd:		The connection; ours
 */
static void on_tcp(void *data, int fd)
{
	struct api_link *link = data;

	api_client_accept_consume(&link->clients, fd, true);
}

/**
 * refuse() - A packet is about a connection that ioasid-api does not have
 * @link:	The link
 * @number:	The connection's
 *
 * One that is over may be so without its knowledge yet.
 */
static void refuse(struct api_link *link, uint64_t number)
{
	if (number && number <= link->clients.given) {
		log_debug("ioasid-api says something about connection %llu, which is over",
			  (unsigned long long)number);
		return;
	}
	log_warning("ioasid-api says something about connection %llu, which it was never given: refused",
		    (unsigned long long)number);
	if (++link->strange >= STRANGE_MAX)
		api_wire_fail(link->clients.wire,
			      "it speaks for connections that it was never given");
}

/**
 * on_certificate() - It says whose certificate a connection has
 * @link:	The link
 * @one:	The connection
 * @certificate: The certificate
 */
static void on_certificate(struct api_link *link, struct api_client *one,
			   const Ioasid__V1__LinkCertificate *certificate)
{
	if (api_client_certificate(one, certificate) < 0)
		api_wire_fail(link->clients.wire,
			      "it names who cannot be named by a certificate");
}

/**
 * on_configured() - It has taken its files, or not
 * @link:	The link
 * @configured:	What it says
 */
static void on_configured(struct api_link *link,
			  const Ioasid__V1__LinkConfigured *configured)
{
	if (!link->configuring) {
		api_wire_fail(link->clients.wire,
			      "it answers what it was not asked");
		return;
	}
	if (!--link->configuring)
		link->events->configured(link->owner, configured->refused);
}

/**
 * on_packet() - ioasid-api says something
 * @owner:	The link
 * @packet:	What
 */
static void on_packet(void *owner, const pb_link_packet *packet)
{
	struct api_link *link = owner;
	struct api_client *one = NULL;

	if (packet->body_case == IOASID__V1__LINK_PACKET__BODY_CONFIGURED) {
		on_configured(link, packet->configured);
		return;
	}
	one = api_client_find(&link->clients, packet->connection);
	if (!one) {
		refuse(link, packet->connection);
		return;
	}

	switch (packet->body_case) {
	case IOASID__V1__LINK_PACKET__BODY_ENVELOPE:
		api_client_envelope(one, packet->envelope.data,
				    packet->envelope.len);
		return;
	case IOASID__V1__LINK_PACKET__BODY_CLOSED:
		api_client_close(one, NULL);
		return;
	case IOASID__V1__LINK_PACKET__BODY_CERTIFICATE:
		on_certificate(link, one, packet->certificate);
		return;
	case IOASID__V1__LINK_PACKET__BODY_CREDIT:
		api_client_credit(one, packet->credit);
		return;
	case IOASID__V1__LINK_PACKET__BODY_CONFIGURED:
	case IOASID__V1__LINK_PACKET__BODY_OPENED:
	case IOASID__V1__LINK_PACKET__BODY_CONFIG:
	case IOASID__V1__LINK_PACKET__BODY__NOT_SET:
	case _IOASID__V1__LINK_PACKET__BODY__CASE_IS_INT_SIZE:
		break;
	}
	api_wire_fail(link->clients.wire, "it says what only ioasidd may say");
}

/**
 * on_failed() - The wire is over
 * @owner:	The link
 * @why:	Why
 */
static void on_failed(void *owner, const char *why)
{
	struct api_link *link = owner;

	link->events->failed(link->owner, why);
}

/**
 * on_drained() - The wire takes more
 * @owner:	The link
 */
static void on_drained(void *owner)
{
	struct api_link *link = owner;

	streams_drained(link->clients.front, NULL);
}

static const struct api_wire_events wire_events = {
	.packet = on_packet,
	.drained = on_drained,
	.failed = on_failed,
};

/* api_link_new() - Listen for clients of ioasid-api, and let them wait */
int api_link_new(struct front *front, const struct api_link_options *options,
		 const struct api_link_events *events, void *owner,
		 struct api_link **ret, struct error *err)
{
	struct loop *loop = front->host->loop;
	struct api_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the API");
	link->clients.front = front;
	link->clients.ceiling = options->ceiling;
	link->events = events;
	link->owner = owner;
	r = listener_new(loop, options->socket, SOCK_STREAM, on_unix, link,
			 &link->unix_socket, err);
	if (r >= 0 && options->listen)
		r = listener_new_tcp(loop, options->listen, on_tcp, link,
				     &link->tcp, err);
	if (r < 0) {
		api_link_free(link);
		return r;
	}
	hold(link, true);

	*ret = link;
	return 0;
}

/* api_link_free() - Close all and stop listening */
struct api_link *api_link_free(struct api_link *link)
{
	if (!link)
		return NULL;

	link->unix_socket = listener_free(link->unix_socket);
	link->tcp = listener_free(link->tcp);
	link->clients.wire = api_wire_free(link->clients.wire);
	api_clients_close(&link->clients);
	free(link);

	return NULL;
}

/* api_link_attach_consume() - There is an ioasid-api */
int api_link_attach_consume(struct api_link *link, int fd,
			    const struct api_link_files *files)
{
	int r = api_wire_new_consume(link->clients.front->host->loop, fd,
				     &wire_events, link, &link->clients.wire);

	if (r < 0)
		return r;
	link->strange = 0;
	link->configuring = 0;
	api_link_configure(link, files);
	hold(link, false);
	return 0;
}

/* api_link_configure() - It is to use these files from now on */
void api_link_configure(struct api_link *link,
			const struct api_link_files *files)
{
	Ioasid__V1__LinkConfig config = IOASID__V1__LINK_CONFIG__INIT;
	pb_link_packet packet = IOASID__V1__LINK_PACKET__INIT;

	if (!link->clients.wire)
		return;
	config.n_files = files->n;
	config.files = (char **)files->names;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIG;
	packet.config = &config;
	link->configuring++;
	api_wire_send(link->clients.wire, &packet, files->fds, files->n);
}

/* api_link_detach() - There is none any more */
void api_link_detach(struct api_link *link)
{
	hold(link, true);
	link->clients.wire = api_wire_free(link->clients.wire);
	api_clients_close(&link->clients);
}
