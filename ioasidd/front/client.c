/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - who asks, by whichever socket
 */
#include "front/client.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/fd.h"

/* client_init() - Begin to be a client, with one reference */
void client_init(struct client *client, const struct client_ops *ops,
		 const struct caller *caller)
{
	atomic_init(&client->refs, 1);
	client->ops = ops;
	client->caller = *caller;
}

/* client_ref() - Hold on to a client */
struct client *client_ref(struct client *client)
{
	atomic_fetch_add(&client->refs, 1);
	return client;
}

/* client_unref() - Let go. The owner's reference goes after client_close(), so
 * there is only memory left here, and the pidfd.
 */
struct client *client_unref(struct client *client)
{
	if (!client || atomic_fetch_sub(&client->refs, 1) != 1)
		return NULL;

	(void)fd_close(client->caller.pidfd);
	identity_free(client->caller.identity);
	client->ops->free(client);

	return NULL;
}

/* client_send_consume() - Send a packet, or queue it */
void client_send_consume(struct client *client, struct packet *packet)
{
	client->ops->send_consume(client, packet);
}

/* client_hand_over() - Send a packet with descriptors, now or not at all */
int client_hand_over(struct client *client, const struct packet *packet,
		     const int *fds, size_t n_fds)
{
	if (!client->ops->hand_over)
		return -EOPNOTSUPP;
	return client->ops->hand_over(client, packet, fds, n_fds);
}

/* client_fetch() - Receive the packet of a request, with its descriptors */
int client_fetch(struct client *client, int *fds, size_t *ret_n)
{
	if (!client->ops->fetch)
		return -EOPNOTSUPP;
	return client->ops->fetch(client, fds, ret_n);
}

/* client_go_on() - Take packets again */
void client_go_on(struct client *client, bool fetched)
{
	if (client->ops->go_on)
		client->ops->go_on(client, fetched);
}

/* client_ready() - Would a packet that can wait leave at once? */
bool client_ready(struct client *client)
{
	return !client->ops->ready || client->ops->ready(client);
}

/* client_close() - End it */
void client_close(struct client *client)
{
	client->ops->close(client);
}
