/* SPDX-License-Identifier: Apache-2.0
 *
 * nodes.c - the nodes of a lease, into rows and out of them
 */
#include <errno.h>

#include "base/str.h"
#include "store/rows.h"

/* store_put_nodes() - See rows.h */
int store_put_nodes(struct store_tx *tx, const struct lease *lease,
		    struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < lease->n_nodes && !r; i++) {
		const struct lease_node *node = &lease->nodes[i];
		struct put p = put_begin(tx, DB_PUT_NODE);

		put_text(&p, lease->name);
		put_number(&p, i);
		put_text(&p, node->node.path);
		put_number(&p, node->node.number);
		put_text(&p, node->group);
		put_number(&p, node->open);
		put_blob(&p, node->before.bytes,
			 node->open ? node->before.size : 0);
		r = put_end(&p, "write a lease's node", err);
	}

	return r;
}

/**
 * get_node() - Read the columns of a node
 * @g:		At a row
 * @node:	Filled
 *
 * What is put back on a node of the host is looked at closely.
 */
static void get_node(struct get *g, struct lease_node *node)
{
	get_text(g, node->node.path, sizeof(node->node.path));
	if (!g->r && !str_starts(node->node.path, "/dev/vfio/"))
		bad(g, "is not the path of a node");
	node->node.number = (dev_t)get_number(g, INT64_MAX);
	get_text(g, node->group, sizeof(node->group));
	if (!g->r && !str_starts(node->group, "groups/"))
		bad(g, "is not the name of a group");
	node->open = get_number(g, 1);
	node->before.size = get_blob(g, node->before.bytes,
				     sizeof(node->before.bytes));
	if (!g->r && node->open && !acl_valid(&node->before))
		bad(g, "is no access control list");
}

/* store_load_nodes() - See rows.h */
int store_load_nodes(struct db *db, struct lease *lease, struct error *err)
{
	struct get g = get_begin(db, DB_GET_NODES, "lease_node", lease->name,
				 err);

	while (get_row(&g)) {
		struct lease_node node = { .open = false };

		if (get_number(&g, LEASE_DEVICES_MAX - 1) != lease->n_nodes) {
			bad(&g, "is not the next one");
			break;
		}
		get_node(&g, &node);
		if (!g.r && lease_add_node(lease, &node))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}
