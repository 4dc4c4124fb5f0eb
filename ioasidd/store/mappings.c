/* SPDX-License-Identifier: Apache-2.0
 *
 * mappings.c - what is mapped for guarded leases, into rows and out of them
 */
#include <errno.h>

#include "base/str.h"
#include "store/rows.h"

/* --- in --- */

/* store_put_mapping() - A mapping that is to be made */
int store_put_mapping(struct store_tx *tx, const char *lease,
		      const char *space, const struct mapping *mapping,
		      struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_MAPPING);

	put_text(&p, lease);
	put_text(&p, space);
	put_u64(&p, mapping->iova);
	put_u64(&p, mapping->length);
	put_u64(&p, mapping->memory);
	put_u64(&p, mapping->offset);
	put_number(&p, mapping->writable);
	return put_end(&p, "write a mapping", err);
}

/* store_drop_mapping() - Those that have ended */
int store_drop_mapping(struct store_tx *tx, const char *lease,
		       const char *space, uint64_t start, uint64_t last,
		       struct error *err)
{
	struct put p = put_begin(tx, DB_DROP_MAPPING);

	put_text(&p, lease);
	put_text(&p, space);
	put_u64(&p, start);
	put_u64(&p, last);
	return put_end(&p, "drop a mapping", err);
}

/**
 * drop_of() - Drop rows of a lease
 * @id:		Which
 */
static int drop_of(struct store_tx *tx, enum db_statement id,
		   const char *lease, struct error *err)
{
	struct put p = put_begin(tx, id);

	put_text(&p, lease);
	return put_end(&p, "drop what is mapped for a lease", err);
}

/* store_drop_mappings() - All of a lease */
int store_drop_mappings(struct store_tx *tx, const char *lease,
			struct error *err)
{
	return drop_of(tx, DB_DROP_MAPPINGS_OF, lease, err);
}

/* store_put_memory() - A memfd that was made */
int store_put_memory(struct store_tx *tx, const char *lease,
		     const struct memory *memory, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_MEMORY);

	put_text(&p, lease);
	put_u64(&p, memory->inode);
	put_u64(&p, memory->size);
	put_u64(&p, memory->page_size);
	return put_end(&p, "write a memfd", err);
}

/* store_drop_memory() - One that its holder did not get */
int store_drop_memory(struct store_tx *tx, const char *lease, uint64_t inode,
		      struct error *err)
{
	struct put p = put_begin(tx, DB_DROP_MEMORY);

	put_text(&p, lease);
	put_u64(&p, inode);
	return put_end(&p, "drop a memfd", err);
}

/* store_trim_mappings() - See rows.h */
int store_trim_mappings(struct store_tx *tx, const struct lease *lease,
			struct error *err)
{
	int r;

	if (lease->state != LEASE_ENDED)
		return drop_of(tx, DB_DROP_MAPPINGS_NOWHERE, lease->name, err);
	r = drop_of(tx, DB_DROP_MAPPINGS_OF, lease->name, err);
	if (!r)
		r = drop_of(tx, DB_DROP_MEMORIES_OF, lease->name, err);
	return r;
}

/* --- out --- */

/**
 * load_memories() - Read the memfds of a lease
 *
 * Return: 0 or -errno.
 */
static int load_memories(struct db *db, struct lease *lease,
			 struct error *err)
{
	struct get g = get_begin(db, DB_GET_MEMORIES, "memory", lease->name,
				 err);

	while (get_row(&g)) {
		struct memory memory = { .inode = get_u64(&g) };

		memory.size = get_u64(&g);
		memory.page_size = get_u64(&g);
		if (!g.r && mapped_made(lease->mapped, &memory))
			bad(&g, "there are too many");
	}

	return get_end(&g);
}

/* store_load_mappings() - See rows.h */
int store_load_mappings(struct db *db, struct lease *lease,
			struct error *err)
{
	struct mapping other;
	struct get g;
	int r;

	lease->mapped = mapped_new();
	if (!lease->mapped)
		return db_error(NULL, SQLITE_NOMEM, "mapping", err);
	r = load_memories(db, lease, err);
	if (r < 0)
		return r;
	g = get_begin(db, DB_GET_MAPPINGS, "mapping", lease->name, err);
	while (get_row(&g)) {
		struct mapping mapping;
		char space[NAME_SIZE];

		get_text(&g, space, sizeof(space));
		if (!g.r && !lease_space(lease, space))
			bad(&g, "is no space of the lease");
		mapping.iova = get_u64(&g);
		mapping.length = get_u64(&g);
		if (!g.r && (!mapping.length || mapping.length - 1 >
						UINT64_MAX - mapping.iova))
			bad(&g, "is no length of a mapping");
		mapping.memory = get_u64(&g);
		mapping.offset = get_u64(&g);
		mapping.writable = get_number(&g, 1);
		r = g.r ? 0 : mapped_add(lease->mapped, space, &mapping,
					 UINT64_MAX, &other);
		if (r == -ENOMEM)
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
		else if (r < 0)
			bad(&g, "is where another one is, or one too many");
	}

	return get_end(&g);
}
