/* SPDX-License-Identifier: Apache-2.0
 *
 * api-client.c - one connection of ioasid-api
 */
#include "front/api-client.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define FINGERPRINT_SIZE 32

/* Names of a certificate that are kept, of each kind. */
#define NAMES_MAX 16

/**
 * struct api_client - A connection
 * @client:	As which it asks
 * @clients:	Where it is; NULL once closed
 * @prev:	There, as is @next
 * @number:	What it is called on the link
 * @fd:		A copy of the connection's descriptor; -1 once closed
 * @source:	Tells that its client has hung up
 * @tcp:	It came by TCP
 * @asked:	It has asked something: who it is does not change any more
 */
struct api_client {
	struct client client;
	struct api_clients *clients;
	struct api_client *prev, *next;
	uint64_t number;
	int fd;
	struct loop_source *source;
	bool tcp;
	bool asked;
};
static_assert(offsetof(struct api_client, client) == 0, "see api_client_of()");

/* api_client_of() - The connection that a client is */
static struct api_client *api_client_of(struct client *client)
{
	return (struct api_client *)client; /* it begins it */
}

/**
 * say() - Tell ioasid-api something about a connection
 * @one:	Open
 * @packet:	What; gets the connection's number
 * @fds:	Borrowed
 * @n_fds:	How many
 */
static void say(struct api_client *one, pb_link_packet *packet, const int *fds,
		size_t n_fds)
{
	packet->connection = one->number;
	if (one->clients->wire)
		api_wire_send(one->clients->wire, packet, fds, n_fds);
}

/* api_client_close() - End it */
void api_client_close(struct api_client *one, const char *reason)
{
	Ioasid__V1__LinkClosed closed = IOASID__V1__LINK_CLOSED__INIT;
	pb_link_packet packet = IOASID__V1__LINK_PACKET__INIT;

	if (!one->clients)
		return;
	log_debug("connection %llu of %s is over: %s",
		  (unsigned long long)one->number, one->client.caller.principal,
		  reason ? reason : "ioasid-api has closed it");
	if (reason) {
		closed.reason = (char *)reason;
		packet.body_case = IOASID__V1__LINK_PACKET__BODY_CLOSED;
		packet.closed = &closed;
		say(one, &packet, NULL, 0);
	}
	if (one->prev)
		one->prev->next = one->next;
	else
		one->clients->first = one->next;
	if (one->next)
		one->next->prev = one->prev;
	one->source = loop_unwatch(one->source);
	one->fd = fd_close(one->fd);
	front_leave(TAKE_PTR(one->clients)->front, &one->client);
}

/**
 * on_hang_up() - Its client has hung up
 * @data:	The connection
 * @events:	EPOLLHUP or EPOLLERR: no others are asked for
 */
static void on_hang_up(void *data, uint32_t events)
{
	api_client_close(data, "the client has hung up");
}

/**
 * send_consume() - Pass an Envelope on, see client_send_consume()
 * @client:	The connection's
 * @packet:	Freed
 */
static void send_consume(struct client *client, struct packet *packet)
{
	struct api_client *one = api_client_of(client);
	pb_link_packet out = IOASID__V1__LINK_PACKET__INIT;

	if (one->clients && packet) {
		out.body_case = IOASID__V1__LINK_PACKET__BODY_ENVELOPE;
		out.envelope.data = packet->data;
		out.envelope.len = packet->size;
		say(one, &out, NULL, 0);
	} else if (one->clients) {
		api_client_close(one, "there is no memory for an answer");
	}
	free(packet);
}

/**
 * close_client() - End it, see client_close()
 * @client:	The connection's
 */
static void close_client(struct client *client)
{
	api_client_close(api_client_of(client), "ioasidd has closed it");
}

/**
 * free_client() - Nobody needs it any more
 * @client:	Closed
 */
static void free_client(struct client *client)
{
	free(api_client_of(client));
}

/**
 * takes_more() - Would a packet leave at once? See client_ready()
 * @client:	The connection's
 */
static bool takes_more(struct client *client)
{
	struct api_client *one = api_client_of(client);

	return one->clients && one->clients->wire &&
	       api_wire_ready(one->clients->wire);
}

static const struct client_ops ops = {
	.send_consume = send_consume,
	.ready = takes_more,
	.close = close_client,
	.free = free_client,
};

/**
 * add_consume() - Take a connection in, and pass it on
 * @clients:	There is a wire
 * @user:	Whose it is
 * @fd:		The connection; closed on failure
 * @caller:	Who; its pidfd and identity are taken
 * @peer:	Who, for the logs of ioasid-api
 *
 * Return: 0 or -errno.
 */
static int add_consume(struct api_clients *clients, struct user *user, int fd,
		       const struct caller *caller, const char *peer)
{
	Ioasid__V1__LinkOpened opened = IOASID__V1__LINK_OPENED__INIT;
	_cleanup_identity_ struct identity *identity = caller->identity;
	_cleanup_fd_ int sock = fd, pidfd = caller->pidfd;
	pb_link_packet packet = IOASID__V1__LINK_PACKET__INIT;
	struct api_client *one = calloc(1, sizeof(*one));
	int r;

	if (!one)
		return -ENOMEM;
	r = loop_watch(clients->front->host->loop, sock, 0, on_hang_up, one,
		       &one->source);
	if (r < 0) {
		free(one);
		return r;
	}
	client_init(&one->client, &ops, caller);
	one->client.stream_credit = STREAM_CREDIT;
	(void)TAKE_FD(pidfd); /* the client has it */
	(void)TAKE_PTR(identity); /* likewise */
	one->fd = TAKE_FD(sock);
	one->tcp = caller->unknown;
	one->number = ++clients->given;
	one->clients = clients;
	one->next = clients->first;
	if (one->next)
		one->next->prev = one;
	clients->first = one;
	front_enter(clients->front, user, &one->client);

	opened.tcp = one->tcp;
	opened.peer = (char *)peer;
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_OPENED;
	packet.opened = &opened;
	say(one, &packet, &one->fd, 1);
	return 0;
}

/**
 * identify_tcp() - Who has connected by TCP: nobody, as yet
 * @fd:		The connection
 * @ret:	Filled
 * @peer:	Address and port
 *
 * Return: 0 or -errno.
 */
static int identify_tcp(int fd, struct caller *ret, char peer[128])
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char host[64], port[16];

	if (getpeername(fd, (struct sockaddr *)&address, &size))
		return error_number(-errno);
	if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return -EIO;
	(void)str_format(peer, 128, "%s port %s", host, port);
	*ret = (struct caller){
		.process = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
		.pidfd = -1,
		.principal = PRINCIPAL_UNKNOWN,
		.identity = identity_new((uid_t)-1),
		.unknown = true,
	};
	return ret->identity ? 0 : -ENOMEM;
}

/**
 * identify() - Who has connected
 * @clients:	All
 * @fd:		The connection
 * @tcp:	By TCP
 * @ret:	Filled; its pidfd is the caller's
 * @peer:	Who, for the logs of ioasid-api
 *
 * Return: 0 or -errno.
 */
static int identify(const struct api_clients *clients, int fd, bool tcp,
		    struct caller *ret, char peer[128])
{
	int r;

	if (tcp)
		r = identify_tcp(fd, ret, peer);
	else
		r = front_identify(clients->front, fd, ret, NULL);
	if (r < 0)
		return r;
	if (!tcp)
		(void)str_format(peer, 128, "uid %u, pid %d",
				 (unsigned int)ret->process.uid,
				 (int)ret->process.pid);
	ret->via_api = true;
	ret->ceiling = clients->ceiling;
	return 0;
}

/**
 * user_of() - Whose a new connection is, without asking procfs
 * @clients:	All
 * @fd:		The connection
 * @tcp:	By TCP
 *
 * Return: the user; NULL without memory, or if it is over already.
 */
static struct user *user_of(const struct api_clients *clients, int fd,
			    bool tcp)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	char principal[32];

	if (tcp)
		return front_user(clients->front, (uid_t)-1,
				  PRINCIPAL_UNKNOWN);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return NULL;
	(void)str_format(principal, sizeof(principal), "uid:%u",
			 (unsigned int)cred.uid);
	return front_user(clients->front, cred.uid, principal);
}

/**
 * end_oldest_stranger() - End the oldest connection without a certificate
 * @clients:	All
 *
 * A good one has its certificate told of within a round trip or two; those who
 * stall keep each other out, not everybody for as long as TLS may take.
 *
 * Return: true if there was one.
 */
static bool end_oldest_stranger(struct api_clients *clients)
{
	struct api_client *oldest = NULL;

	for (struct api_client *one = clients->first; one; one = one->next)
		if (one->tcp && one->client.caller.unknown)
			oldest = one;
	if (oldest)
		api_client_close(oldest, "others without a certificate came");
	return oldest;
}

/* api_client_accept_consume() - Somebody has connected. As HTTP is none of our
 * business, one for whom there is no room hears nothing.
 */
void api_client_accept_consume(struct api_clients *clients, int fd, bool tcp)
{
	_cleanup_fd_ int sock = fd;
	struct user *user = user_of(clients, sock, tcp);
	struct error err = ERROR_NULL;
	struct caller caller;
	char peer[128];
	int r;

	if (!user)
		return;
	r = front_check_room(clients->front, user, &err);
	if (r < 0 && tcp && end_oldest_stranger(clients)) {
		/* It may have been the last of this user. */
		user = user_of(clients, sock, tcp);
		if (!user)
			return;
		r = front_check_room(clients->front, user, &err);
	}
	if (r < 0) {
		log_debug("connection to ioasid-api: %s", err.msg);
		front_user_settle(clients->front, user);
		return;
	}
	r = identify(clients, sock, tcp, &caller, peer);
	if (r >= 0)
		r = add_consume(clients, user, TAKE_FD(sock), &caller, peer);
	if (r < 0) {
		log_debug("connection of %s to ioasid-api: %s",
			  user->principal, strerror(-r));
		front_user_settle(clients->front, user);
	}
}

/* api_client_find() - Whose number it is */
struct api_client *api_client_find(const struct api_clients *clients,
				   uint64_t number)
{
	struct api_client *one = clients->first;

	while (one && one->number != number)
		one = one->next;
	return one;
}

/* api_client_envelope() - It asks something */
void api_client_envelope(struct api_client *one, const uint8_t *data,
			 size_t size)
{
	struct client *client = client_ref(&one->client);

	one->asked = true;
	if (size > PACKET_MAX)
		dispatch_refused(client, -EMSGSIZE);
	else
		dispatch_packet(one->clients->front, client, data, size);
	client_unref(client);
}

/**
 * principal_of() - Who has a certificate
 * @certificate: What ioasid-api says of it
 * @ret:	Its first name, or else its fingerprint
 *
 * Return: 0; -EINVAL if that is no name to be known by: it is too long, or looks
 * like another in a log.
 */
static int principal_of(const Ioasid__V1__LinkCertificate *certificate,
			char ret[PRINCIPAL_SIZE])
{
	char clean[PRINCIPAL_SIZE], hex[2 * FINGERPRINT_SIZE + 1];
	const char *name = hex, *kind = "cert:sha256:";

	for (size_t i = 0; i < FINGERPRINT_SIZE; i++)
		(void)str_format(hex + 2 * i, 3, "%02x",
				 certificate->fingerprint.data[i]);
	if (certificate->n_uris || certificate->n_names) {
		name = certificate->n_uris ? certificate->uris[0] :
					     certificate->names[0];
		kind = "cert:";
	}
	if (!*name || !str_format(ret, PRINCIPAL_SIZE, "%s%s", kind, name))
		return -EINVAL;
	(void)str_copy(clean, sizeof(clean), ret); /* as long */
	return str_eq(str_clean(clean), ret) ? 0 : -EINVAL;
}

/**
 * keep_names() - Keep what grants can know of a certificate
 * @identity:	Of who has it
 * @certificate: What ioasid-api says of it
 *
 * Of more than NAMES_MAX only the first are kept: that gives less, not more.
 *
 * Return: 0 or -ENOMEM.
 */
static int keep_names(struct identity *identity,
		      const Ioasid__V1__LinkCertificate *certificate)
{
	int r = 0;

	for (size_t i = 0; i < certificate->n_uris && i < NAMES_MAX && !r; i++)
		r = strv_add(&identity->uris, certificate->uris[i]);
	for (size_t i = 0; i < certificate->n_names && i < NAMES_MAX && !r;
	     i++)
		r = strv_add(&identity->names, certificate->names[i]);
	return r;
}

/* api_client_certificate() - ioasid-api says whose certificate it has */
int api_client_certificate(struct api_client *one,
			   const Ioasid__V1__LinkCertificate *certificate)
{
	struct caller *caller = &one->client.caller;
	struct front *front = one->clients->front;
	struct error err = ERROR_NULL;
	char principal[PRINCIPAL_SIZE];
	struct user *user;
	int r;

	if (!one->tcp || one->asked || !caller->unknown ||
	    certificate->fingerprint.len != FINGERPRINT_SIZE)
		return -EPROTO;
	if (principal_of(certificate, principal) < 0) {
		api_client_close(one, "the name in the certificate cannot be used");
		return 0;
	}
	user = front_user(front, (uid_t)-1, principal);
	if (!user) {
		api_client_close(one, "there is no memory for it");
		return 0;
	}
	r = front_check_room(front, user, &err);
	if (r < 0) {
		front_user_settle(front, user);
		api_client_close(one, err.msg);
		return 0;
	}
	if (keep_names(caller->identity, certificate) < 0) {
		front_user_settle(front, user);
		api_client_close(one, "there is no memory for it");
		return 0;
	}
	front_move(front, &one->client, user);
	(void)str_copy(caller->principal, sizeof(caller->principal),
		       principal); /* fits */
	caller->unknown = false;
	return 0;
}

/* api_client_credit() - It takes more of a stream */
void api_client_credit(struct api_client *one,
		       const Ioasid__V1__LinkCredit *credit)
{
	dispatch_credit(one->clients->front, &one->client, credit->id,
			credit->items);
}

/* api_clients_close() - End all of them */
void api_clients_close(struct api_clients *clients)
{
	while (clients->first)
		api_client_close(clients->first, NULL);
}
