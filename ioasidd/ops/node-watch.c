/* SPDX-License-Identifier: Apache-2.0
 *
 * node-watch.c - hear of it when a node is opened, or changed by somebody else
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "ops/node-watch.h"
#include "ops/nodes.h"
#include "ops/watch.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what was put into a structure of another one's. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/**
 * struct watched - A node that is watched
 * @wd:		Its number in the inotify instance
 * @lease:	Whose it is
 * @pending:	A look has been asked for and not begun: one will see all that has
 *		happened. Who opens and closes it in a row keeps one worker busy
 */
struct watched {
	int wd;
	char lease[NAME_SIZE];
	bool pending;
};

/**
 * struct node_watches - All of them
 * @host:	The host
 * @inotify:	Where the kernel tells; adding and removing is for every thread
 * @source:	In the loop
 * @lock:	Guards what follows
 * @items:	@n of them
 */
struct node_watches {
	struct host *host;
	int inotify;
	struct loop_source *source;
	pthread_mutex_t lock;
	struct watched *items;
	size_t n;
};

/**
 * look_at() - Have the lease of a node looked at
 * @watches:	All
 * @wd:		The node; -1 for all, since events were lost
 */
static void look_at(struct node_watches *watches, int wd)
{
	_cleanup_strv_ struct strv leases = STRV_NULL;
	int r = 0;

	pthread_mutex_lock(&watches->lock);
	for (size_t i = 0; i < watches->n && r == 0; i++) {
		struct watched *item = &watches->items[i];

		if ((wd != -1 && item->wd != wd) || item->pending)
			continue;
		if (!strv_has(&leases, item->lease))
			r = strv_add(&leases, item->lease);
		item->pending = r == 0;
	}
	pthread_mutex_unlock(&watches->lock);
	for (size_t i = 0; i < leases.n && r == 0; i++)
		r = watch_later(watches->host, leases.items[i], nodes_look);
	if (r < 0)
		log_warning("no memory to look at a node that was opened or changed: its holder's acknowledgement, or its end, will do");
}

/**
 * on_event() - The kernel tells of nodes
 * @data:	All
 * @events:	Unused
 */
static void on_event(void *data, uint32_t events)
{
	_Alignas(struct inotify_event) char buffer[4096];
	struct node_watches *watches = data;
	ssize_t n = read(watches->inotify, buffer, sizeof(buffer));
	int last = -2;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event =
			(const void *)(buffer + at);
		const int wd = event->mask & IN_Q_OVERFLOW ? -1 : event->wd;

		/* Of one node they come in rows; one look sees it all. */
		if (wd != last)
			look_at(watches, wd);
		last = wd;
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* node_watches_new() - See node-watch.h */
int node_watches_new(struct host *host, struct error *err)
{
	struct node_watches *watches = calloc(1, sizeof(*watches));
	int r;

	if (!watches)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	watches->host = host;
	pthread_mutex_init(&watches->lock, NULL);
	watches->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = watches->inotify < 0 ? -errno :
	    loop_watch(host->loop, watches->inotify, EPOLLIN, on_event,
		       watches, &watches->source);
	if (r < 0) {
		(void)node_watches_free(watches);
		return error_set(err, r, ERROR_KERNEL_SYSTEM, "inotify: %m");
	}
	host->node_watches = watches;
	return 0;
}

/* node_watches_free() - See node-watch.h */
struct node_watches *node_watches_free(struct node_watches *watches)
{
	if (!watches)
		return NULL;
	(void)loop_unwatch(watches->source);
	fd_close(watches->inotify);
	pthread_mutex_destroy(&watches->lock);
	free(watches->items);
	free(watches);
	return NULL;
}

/**
 * reserve() - Have room for one more; under the lock
 *
 * Return: 0 or -ENOMEM.
 */
static int reserve(struct node_watches *watches)
{
	struct watched *items;

	items = reallocarray(watches->items, watches->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	watches->items = items;
	return 0;
}

/* node_watch() - See node-watch.h */
void node_watch(struct host *host, const char *path, const char *lease)
{
	struct node_watches *watches = host->node_watches;
	int r;

	pthread_mutex_lock(&watches->lock);
	r = reserve(watches);
	if (r == 0)
		r = inotify_add_watch(watches->inotify, path,
				      IN_OPEN | IN_ATTRIB | IN_DONT_FOLLOW);
	if (r >= 0) {
		struct watched *item = &watches->items[watches->n++];

		item->wd = r;
		item->pending = false;
		str_copy(item->lease, NAME_SIZE, lease);
	} else {
		log_warning("%s: '%s' cannot be watched: %s; access is taken off when its holder acknowledges, or ends",
			    lease, path, strerror(r == -1 ? errno : -r));
	}
	pthread_mutex_unlock(&watches->lock);
}

/* node_looking() - See node-watch.h */
void node_looking(struct host *host, const char *lease)
{
	struct node_watches *watches = host->node_watches;

	pthread_mutex_lock(&watches->lock);
	for (size_t i = 0; i < watches->n; i++)
		if (str_eq(watches->items[i].lease, lease))
			watches->items[i].pending = false;
	pthread_mutex_unlock(&watches->lock);
}

/* node_unwatch() - See node-watch.h */
void node_unwatch(struct host *host, const char *lease)
{
	struct node_watches *watches = host->node_watches;
	size_t kept = 0;

	pthread_mutex_lock(&watches->lock);
	for (size_t i = 0; i < watches->n; i++) {
		if (!str_eq(watches->items[i].lease, lease)) {
			watches->items[kept++] = watches->items[i];
			continue;
		}
		/* EINVAL: the node has gone, and its watch with it. */
		(void)inotify_rm_watch(watches->inotify,
				       watches->items[i].wd);
	}
	watches->n = kept;
	pthread_mutex_unlock(&watches->lock);
}
