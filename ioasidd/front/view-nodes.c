/* SPDX-License-Identifier: Apache-2.0
 *
 * view-nodes.c - what clients see of a lease of nodes
 */
#include <sys/sysmacros.h>

#include "front/view.h"

/**
 * view_node() - A node of a lease
 * @arena:	Where it goes
 * @reg:	All devices
 * @lease:	The lease
 * @node:	It
 *
 * Return: its view; NULL without memory.
 */
static pb_node *view_node(struct arena *arena, struct registry *reg,
			  const struct lease *lease,
			  const struct lease_node *node)
{
	pb_node *ret = arena_message(arena, PB(node));

	if (!ret)
		return NULL;
	ret->path = arena_text(arena, node->node.path);
	ret->group = arena_text(arena, node->group);
	ret->major = major(node->node.number);
	ret->minor = minor(node->node.number);
	ret->accessible = node->open;
	ret->devices = arena_alloc(arena, lease->devices.n * sizeof(char *));
	for (size_t i = 0; ret->devices && i < lease->devices.n; i++) {
		const char *name = lease->devices.items[i];
		const struct device *device = registry_device(reg, name);
		const struct group *group =
			device ? registry_group_of(reg, device) : NULL;

		if (group && str_eq(group->name, node->group))
			ret->devices[ret->n_devices++] =
				arena_text(arena, name);
	}

	return ret;
}

/* view_nodes() - See view.h */
void view_nodes(struct arena *arena, struct registry *reg,
		const struct lease *lease, pb_lease *ret)
{
	ret->shared_uid = lease->shared_uid;
	ret->released = view_time(arena, lease->released_us);
	if (!lease->n_nodes)
		return;
	ret->nodes = arena_alloc(arena, lease->n_nodes * sizeof(pb_node *));
	for (size_t i = 0; ret->nodes && i < lease->n_nodes; i++) {
		pb_node *node = view_node(arena, reg, lease,
					  &lease->nodes[i]);

		if (!node)
			return;
		ret->nodes[ret->n_nodes++] = node;
	}
}
