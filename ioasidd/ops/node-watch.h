/* SPDX-License-Identifier: Apache-2.0
 *
 * node-watch.h - hear of it when a node is opened, or changed by somebody else
 */
#ifndef IOASIDD_OPS_NODE_WATCH_H
#define IOASIDD_OPS_NODE_WATCH_H

#include "ops/host.h"

/* node_watches_new() - Be able to; host->node_watches is it afterwards. On the
 * loop's thread. Return: 0 or -errno.
 */
int node_watches_new(struct host *host, struct error *err);

/* node_watches_free() - End; NULL is allowed. Return: NULL. */
struct node_watches *node_watches_free(struct node_watches *watches);

/**
 * node_watch() - Have nodes_look() called when a node is opened or changed
 * @path:	The node
 * @lease:	Whose it is
 *
 * From every thread. What cannot be watched is logged: then the holder's
 * acknowledgement and its end are what is left to go by.
 */
void node_watch(struct host *host, const char *path, const char *lease);

/* node_looking() - A look begins: what happens from here on takes another one. */
void node_looking(struct host *host, const char *lease);

/* node_unwatch() - No more, for all nodes of a lease. From every thread. */
void node_unwatch(struct host *host, const char *lease);

#endif
