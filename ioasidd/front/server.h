/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h - what front.c and dispatch.c share: connections and requests
 *
 * DOC: Theory of Operation
 *
 * front.c lets connections in and knows their number; dispatch.c takes their
 * packets apart and answers. All of it happens on the loop's thread, but for
 * run_change() on a worker, which only touches its own request, and leaves it
 * to the loop when it is done. So a request holds on to its client, whose
 * credentials it needs, and to the front, which tells whether there still is a
 * loop.
 */
#ifndef IOASIDD_FRONT_SERVER_H
#define IOASIDD_FRONT_SERVER_H

#include "front/front.h"
#include "front/client.h"
#include "front/limits.h"
#include "front/rate.h"

struct listener;

/**
 * struct user - What one uid has, or who came by TCP
 * @next:	In the front's list
 * @uid:	Whose; -1 for who came by TCP
 * @principal:	Who that is; of the first, for a uid
 * @n_clients:	Connections
 * @n_requests:	Requests, those included whose connection is gone
 * @n_changes:	Those of them that are with workers: @changes
 * @n_streams:	Those of them that are streams
 * @changes:	A list, in no order
 * @queue:	Those that wait for a worker, oldest first
 * @queue_end:	Where the next one is hung
 */
struct user {
	struct user *next;
	uid_t uid;
	char principal[PRINCIPAL_SIZE];
	unsigned int n_clients;
	unsigned int n_requests;
	unsigned int n_changes;
	unsigned int n_streams;
	struct request *changes;
	struct request *queue;
	struct request **queue_end;
};

/**
 * struct front - The native socket; loop thread only, but for the first four
 * @refs:	Every thread: front_start()'s own, and one for each request
 * @host:	Fixed
 * @lock:	Guards @stopped against workers
 * @stopped:	There may be no loop any more
 * @limits:	What clients may have; loop thread, as is all that follows
 * @rates:	What they have asked
 * @listener:	Lets connections in; NULL once stopped
 * @clients:	Open ones; @n_clients of them, @n_tcp of those by TCP
 * @users:	Who has connections or requests
 * @waiters:	Requests that wait for operations to end
 * @cursor:	The next one to look at, while all are looked at
 * @streams:	Requests that are streams; @n_streams of them
 * @stream_cursor: The next one to look at, while all are looked at
 * @observer:	Told by the registry of changes; guarded by its lock
 * @bell:	An eventfd: there are changes; -1 before and after
 * @bell_source: Watches it; NULL before and after
 * @n_mapping:	Requests with workers that map for who is not trusted
 * @buffer:	Where packets are received
 */
struct front {
	_Atomic unsigned int refs;
	struct host *host;
	pthread_mutex_t lock;
	bool stopped;

	struct limits limits;
	struct rates rates;
	struct listener *listener;
	struct client *clients;
	unsigned int n_clients;
	unsigned int n_tcp;
	struct user *users;
	struct request *waiters;
	struct request *cursor;
	struct request *streams;
	unsigned int n_streams;
	struct request *stream_cursor;
	struct registry_observer observer;
	int bell;
	struct loop_source *bell_source;
	unsigned int n_mapping;
	uint8_t buffer[PACKET_MAX];
};

/* front_unref() - Let go; from every thread. Return: NULL. */
struct front *front_unref(struct front *front);

/**
 * front_user() - What a uid has, or who came by TCP
 * @uid:	The uid; -1 for TCP
 * @principal:	Who
 *
 * Return: the user, new with nothing; NULL without memory.
 */
struct user *front_user(struct front *front, uid_t uid, const char *principal);

/**
 * front_check_room() - Is there room for one more client of a user?
 *
 * Return: 0; -EMFILE limit.clients.
 */
int front_check_room(const struct front *front, const struct user *user,
		     struct error *err);

/* front_enter() - A client begins: its reference is the front's. */
void front_enter(struct front *front, struct user *user,
		 struct client *client);

/* front_leave() - A client is closed: drop its reference, and what it asked. */
void front_leave(struct front *front, struct client *client);

/* front_move() - A client that has asked nothing yet is another user's. */
void front_move(struct front *front, struct client *client,
		struct user *user);

/**
 * front_identify() - Find out who has connected
 * @fd:		The connection, a UNIX socket; borrowed
 * @ret:	Who; its pidfd and identity are the caller's
 *
 * Return: 0; -ESRCH if he has ended; -EPERM.
 */
int front_identify(const struct front *front, int fd, struct caller *ret,
		   struct error *err);

/* front_user_settle() - Forget a user that has nothing. */
void front_user_settle(struct front *front, struct user *user);

/* dispatch_packet() - A packet came. */
void dispatch_packet(struct front *front, struct client *client,
		     const uint8_t *data, size_t size);

/**
 * enum dispatch_offer - What became of a packet that has descriptors
 * @DISPATCH_REFUSES:	It may not have them
 * @DISPATCH_DONE:	It was dispatched without them
 * @DISPATCH_HOLDS:	A request will fetch it, and then client_go_on()
 */
enum dispatch_offer {
	DISPATCH_REFUSES,
	DISPATCH_DONE,
	DISPATCH_HOLDS,
};

/* dispatch_offered() - A packet with descriptors waits at a client's socket. */
enum dispatch_offer dispatch_offered(struct front *front,
				     struct client *client,
				     const uint8_t *data, size_t size);

/* dispatch_refused() - One came that could not be taken, see peer.h. */
void dispatch_refused(struct client *client, int error);

/* dispatch_closed() - A client is closed: nobody waits for its answers. */
void dispatch_closed(struct front *front, struct client *client);

/* dispatch_credit() - A client takes so many more items of a stream. */
void dispatch_credit(struct front *front, struct client *client, uint64_t id,
		     uint32_t items);

/* dispatch_operation_ended() - Look whose waiting is over. */
void dispatch_operation_ended(struct front *front);

#endif
