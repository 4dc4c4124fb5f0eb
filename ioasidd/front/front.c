/* SPDX-License-Identifier: Apache-2.0
 *
 * front.c - the native socket: who is let in
 */
#include "front/front.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/receive.h"
#include "base/str.h"
#include "front/listener.h"
#include "front/methods.h"
#include "front/peer.h"
#include "front/server.h"
#include "front/streams.h"

/* front_unref() - Let go. After front_stop() nothing is left but memory. */
struct front *front_unref(struct front *front)
{
	if (!front || atomic_fetch_sub(&front->refs, 1) != 1)
		return NULL;

	while (front->users) {
		struct user *user = front->users;

		front->users = user->next;
		free(user);
	}
	pthread_mutex_destroy(&front->lock);
	free(front);

	return NULL;
}

/* front_user() - What a uid has, or who came by TCP */
struct user *front_user(struct front *front, uid_t uid, const char *principal)
{
	struct user *user;

	for (user = front->users; user; user = user->next)
		if (user->uid == uid &&
		    (uid != (uid_t)-1 || str_eq(user->principal, principal)))
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	(void)str_copy(user->principal, sizeof(user->principal), principal);
	user->queue_end = &user->queue;
	user->next = front->users;
	front->users = user;

	return user;
}

/* front_user_settle() - Forget a user that has nothing */
void front_user_settle(struct front *front, struct user *user)
{
	struct user **at = &front->users;

	if (user->n_clients || user->n_requests)
		return;
	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	free(user);
}

/**
 * charge() - Count a client
 * @front:	The front
 * @client:	The client
 * @user:	Whose it is from now on
 */
static void charge(struct front *front, struct client *client,
		   struct user *user)
{
	client->user = user;
	user->n_clients++;
	front->n_clients++;
	front->n_tcp += user->uid == (uid_t)-1;
}

/**
 * discharge() - Count a client no more
 * @front:	The front
 * @client:	The client
 */
static void discharge(struct front *front, struct client *client)
{
	struct user *user = TAKE_PTR(client->user);

	front->n_tcp -= user->uid == (uid_t)-1;
	front->n_clients--;
	user->n_clients--;
	front_user_settle(front, user);
}

/* front_enter() - A client begins */
void front_enter(struct front *front, struct user *user,
		 struct client *client)
{
	charge(front, client, user);
	client->next = front->clients;
	if (client->next)
		client->next->prev = client;
	front->clients = client;
}

/* front_move() - A client that has asked nothing yet is another user's */
void front_move(struct front *front, struct client *client,
		struct user *user)
{
	discharge(front, client);
	charge(front, client, user);
}

/* front_leave() - A client is closed */
void front_leave(struct front *front, struct client *client)
{
	dispatch_closed(front, client);
	if (client->prev)
		client->prev->next = client->next;
	else
		front->clients = client->next;
	if (client->next)
		client->next->prev = client->prev;
	discharge(front, client);
	client_unref(client);
}

/**
 * on_packet() - A peer sent a packet
 * @owner:	The front
 * @peer:	Who
 * @data:	The packet
 * @size:	Its length
 */
static void on_packet(void *owner, struct peer *peer, const uint8_t *data,
		      size_t size)
{
	dispatch_packet(owner, &peer->client, data, size);
}

/**
 * on_refused() - A peer sent what could not be taken
 * @owner:	The front
 * @peer:	Who
 * @error:	Why
 */
static void on_refused(void *owner, struct peer *peer, int error)
{
	dispatch_refused(&peer->client, error);
}

/**
 * on_closed() - A connection is over
 * @owner:	The front
 * @peer:	Leaves the list, which held a reference
 */
static void on_closed(void *owner, struct peer *peer)
{
	front_leave(owner, &peer->client);
}

/**
 * on_drained() - A peer can take more bytes
 * @owner:	The front
 * @peer:	Who
 */
static void on_drained(void *owner, struct peer *peer)
{
	streams_drained(owner, &peer->client);
}

/**
 * on_offered() - A packet with descriptors waits
 * @owner:	The front
 * @peer:	Who has sent it
 * @data:	What it says
 * @size:	Its length
 */
static enum peer_offer on_offered(void *owner, struct peer *peer,
				  const uint8_t *data, size_t size)
{
	switch (dispatch_offered(owner, &peer->client, data, size)) {
	case DISPATCH_HOLDS:
		return PEER_HOLD;
	case DISPATCH_DONE:
		return PEER_DROP;
	case DISPATCH_REFUSES:
		break;
	}
	return PEER_REFUSE;
}

static const struct peer_events peer_events = {
	.packet = on_packet,
	.refused = on_refused,
	.offered = on_offered,
	.closed = on_closed,
	.drained = on_drained,
};

/**
 * limits_of() - How many clients a user may have
 * @limits:	By which limits
 * @user:	The user
 * @ret_all:	How many there may be with this one, of all
 *
 * Return: of this user.
 */
static uint64_t limits_of(const struct limits *limits,
			  const struct user *user, uint64_t *ret_all)
{
	*ret_all = limits->clients - limits->clients_for_root;
	if (user->uid == 0) {
		*ret_all = limits->clients;
		return limits->clients_of_root;
	}
	return str_eq(user->principal, PRINCIPAL_UNKNOWN) ?
		       limits->clients_unknown : limits->clients_per_uid;
}

/* front_check_room() - Is there room for one more client of a user? */
int front_check_room(const struct front *front, const struct user *user,
		     struct error *err)
{
	const struct limits *limits = &front->limits;
	uint64_t all, own = limits_of(limits, user, &all);

	if (user->n_clients >= own)
		return error_set(err, -EMFILE, ERROR_LIMIT_CLIENTS,
				 "%s has %u connections already",
				 user->principal, user->n_clients);
	if (front->n_clients >= all)
		return error_set(err, -EMFILE, ERROR_LIMIT_CLIENTS,
				 "there are %u connections already",
				 front->n_clients);
	if (user->uid == (uid_t)-1 && front->n_tcp >= limits->clients_of_tcp)
		return error_set(err, -EMFILE, ERROR_LIMIT_CLIENTS,
				 "there are %u connections by TCP already",
				 front->n_tcp);
	return 0;
}

/**
 * read_groups() - All groups of the other end of a connection
 * @fd:		The connection
 * @primary:	Its group
 * @ret:	Gets them
 *
 * Source: SO_PEERGROUPS of <asm-generic/socket.h>: the supplementary groups of
 * the process that has connected, when it did; -ERANGE with the length needed.
 *
 * Return: 0 or -errno.
 */
static int read_groups(int fd, gid_t primary, struct identity *ret)
{
	socklen_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) &&
	    errno != ERANGE)
		return -errno;
	ret->groups = malloc(sizeof(gid_t) + size);
	if (!ret->groups)
		return -ENOMEM;
	ret->groups[0] = primary;
	ret->n_groups = 1;
	if (size && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups + 1,
			       &size))
		return -errno;
	ret->n_groups += size / sizeof(gid_t);
	return 0;
}

/* front_identify() - Find out who has connected */
int front_identify(const struct front *front, int fd, struct caller *ret,
		   struct error *err)
{
	_cleanup_identity_ struct identity *identity = NULL;
	uid_t uid;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->pidfd = -1;
	r = process_peer(fd, &ret->process, &ret->pidfd, err);
	if (r < 0)
		return r;
	uid = ret->process.uid;
	identity = identity_new(uid);
	r = identity ? read_groups(fd, ret->process.gid, identity) : -ENOMEM;
	if (r < 0) {
		ret->pidfd = fd_close(ret->pidfd);
		return error_set(err, r, r == -ENOMEM ?
					 ERROR_DAEMON_NO_MEMORY :
					 ERROR_KERNEL_PROCESS,
				 "the groups of uid %u: %m",
				 (unsigned int)uid);
	}
	identity->runs_it = front->host->simulated && uid == geteuid();
	identity_unit(ret->process.cgroup, identity->unit);
	(void)str_format(ret->principal, sizeof(ret->principal), "uid:%u",
			 (unsigned int)uid);
	ret->ceiling = ROLE_ADMIN;
	ret->identity = TAKE_PTR(identity);
	return 0;
}

/**
 * admit_consume() - Take a connection in
 * @front:	The front
 * @user:	Whose it is; forgotten if that was all and it is over already
 * @fd:		The connection; closed on failure
 * @caller:	Who; its pidfd is taken
 *
 * The first packet of every connection is the hello.
 */
static void admit_consume(struct front *front, struct user *user, int fd,
			  const struct caller *caller)
{
	const struct process *process = &caller->process;
	struct peer *peer;
	int r;

	r = peer_new_consume(front->host->loop, fd, caller, front->buffer,
			     &peer_events, front, &peer);
	if (r < 0) {
		errno = -r;
		log_warning("connection of %s: %m", caller->principal);
		front_user_settle(front, user);
		return;
	}
	front_enter(front, user, &peer->client);
	log_debug("pid %d of %s connected", (int)process->pid,
		  caller->principal);
	client_send_consume(&peer->client,
			    packet_hello(process->uid, process->pid));
}

/**
 * on_accepted() - Somebody has connected
 * @data:	The front
 * @fd:		The connection; ours
 *
 * Limits are checked before procfs is read: a flood should cost little.
 */
static void on_accepted(void *data, int fd)
{
	struct front *front = data;
	_cleanup_fd_ int sock = fd;
	struct error err = ERROR_NULL;
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(cred);
	char principal[32];
	struct caller caller;
	struct user *user;
	int r;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return;
	(void)str_format(principal, sizeof(principal), "uid:%u",
			 (unsigned int)cred.uid);
	user = front_user(front, cred.uid, principal);
	if (!user) {
		receive_end_consume(TAKE_FD(sock), cred.uid);
		return;
	}
	r = front_check_room(front, user, &err);
	if (r >= 0)
		r = front_identify(front, sock, &caller, &err);
	if (r < 0) {
		log_debug("connection of uid %u: %s", (unsigned int)cred.uid,
			  err.msg);
		peer_dismiss(TAKE_FD(sock), cred.uid, &err);
		front_user_settle(front, user);
		return;
	}
	admit_consume(front, user, TAKE_FD(sock), &caller);
}

/**
 * on_operation_ended() - An operation was published as ended
 * @data:	The front
 */
static void on_operation_ended(void *data)
{
	dispatch_operation_ended(data);
}

/* front_start() - Serve the native socket */
int front_start(struct host *host, const char *socket_path,
		struct front **ret, struct error *err)
{
	struct front *front;
	int r;

	r = methods_check(err);
	if (r < 0)
		return r;
	front = calloc(1, sizeof(*front));
	if (!front)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the native socket");
	atomic_init(&front->refs, 1);
	pthread_mutex_init(&front->lock, NULL);
	front->host = host;
	front->limits = LIMITS_DEFAULT;
	front->bell = -1;

	r = streams_start(front, err);
	if (r < 0) {
		front_unref(front);
		return r;
	}
	r = listener_new(host->loop, socket_path, SOCK_SEQPACKET, on_accepted,
			 front, &front->listener, err);
	if (r < 0) {
		streams_stop(front);
		front_unref(front);
		return r;
	}
	host->operation_ended = on_operation_ended;
	host->front = front;

	*ret = front;
	return 0;
}

/* front_limit() - Limit clients anew */
void front_limit(struct front *front, const struct limits *limits)
{
	front->limits = *limits;
}

/* front_stop() - Close all connections and remove the socket */
struct front *front_stop(struct front *front)
{
	if (!front)
		return NULL;

	front->listener = listener_free(front->listener);
	front->host->operation_ended = NULL;
	front->host->front = NULL;
	while (front->clients)
		client_close(front->clients);
	streams_stop(front);
	pthread_mutex_lock(&front->lock);
	front->stopped = true;
	pthread_mutex_unlock(&front->lock);

	return front_unref(front);
}
