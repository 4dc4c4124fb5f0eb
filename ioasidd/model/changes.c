/* SPDX-License-Identifier: Apache-2.0
 *
 * changes.c - the log of changes; see the theory of operation in changes.h
 */
#include "model/changes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/table.h"

/* Objects that one piece of work changes, but for scans. */
#define ROOM_KEPT 256

static_assert((CHANGES_MAX & (CHANGES_MAX - 1)) == 0,
	      "places in the ring are found by a mask");

static const char *const collection_names[] = {
	[CHANGE_DEVICES] = "devices",
	[CHANGE_GROUPS] = "groups",
	[CHANGE_IOMMUS] = "iommus",
	[CHANGE_LEASES] = "leases",
	[CHANGE_OPERATIONS] = "operations",
};
static_assert(ARRAY_SIZE(collection_names) == CHANGE_COLLECTION_COUNT,
	      "every collection");

/* change_collection_from_name() - See changes.h */
int change_collection_from_name(const char *name)
{
	return table_find(collection_names, ARRAY_SIZE(collection_names),
			  name);
}

/**
 * entry_at() - One of those that are kept
 * @changes:	The log
 * @i:		0 is the oldest
 */
static struct logged *entry_at(const struct changes *changes, size_t i)
{
	return changes->ring[(changes->first + i) & (CHANGES_MAX - 1)];
}

/**
 * drop_oldest() - Forget one
 * @changes:	Not empty
 */
static void drop_oldest(struct changes *changes)
{
	struct logged *entry = entry_at(changes, 0);

	changes->floor = entry->revision;
	changes->bytes -= sizeof(*entry) + entry->size;
	changes->ring[changes->first] = NULL;
	changes->first = (changes->first + 1) & (CHANGES_MAX - 1);
	changes->n--;
	free(entry);
}

/* changes_begin() - See changes.h */
void changes_begin(struct changes *changes, uint64_t revision)
{
	while (changes->n)
		drop_oldest(changes);
	changes->floor = revision;
}

/* changes_deinit() - See changes.h */
void changes_deinit(struct changes *changes)
{
	changes_begin(changes, 0);
	free(changes->touched);
	*changes = (struct changes){ .floor = 0 };
}

/* changes_touch() - See changes.h */
void changes_touch(struct changes *changes, enum change_collection collection,
		   const char *name, uint64_t revision,
		   const struct audience *before, const char *principal)
{
	size_t room = changes->room ? 2 * changes->room : 16;
	struct touched *touched = changes->touched;

	if (changes->n_touched == changes->room) {
		touched = reallocarray(touched, room, sizeof(*touched));
		if (!touched) {
			changes->lost = true;
			return;
		}
		changes->touched = touched;
		changes->room = room;
	}
	touched += changes->n_touched++;
	*touched = (struct touched){
		.collection = collection,
		.revision = revision,
		.before = *before,
	};
	str_copy(touched->name, sizeof(touched->name), name);
	str_copy(touched->principal, sizeof(touched->principal), principal);
}

/* logged_new() - See changes.h */
struct logged *logged_new(const struct touched *touched, size_t size)
{
	size_t tail = strlen(touched->principal) + 1;
	struct logged *entry = calloc(1, sizeof(*entry) + size + tail);

	if (!entry)
		return NULL;
	memcpy(entry->data + size, touched->principal, tail);
	entry->principal = (const char *)entry->data + size;
	entry->revision = touched->revision;
	entry->at_us = clock_real_us();
	entry->collection = touched->collection;
	str_copy(entry->name, sizeof(entry->name), touched->name);
	entry->before = touched->before;
	entry->size = size;
	return entry;
}

/* changes_add_consume() - See changes.h */
void changes_add_consume(struct changes *changes, struct logged *entry,
			 uint64_t revision)
{
	if (!entry) {
		changes_begin(changes, revision);
		return;
	}
	if (changes->n == (changes->kept ? changes->kept : CHANGES_MAX))
		drop_oldest(changes);
	changes->ring[(changes->first + changes->n) & (CHANGES_MAX - 1)] =
		entry;
	changes->n++;
	changes->bytes += sizeof(*entry) + entry->size;
	/* One alone is kept whatever its size: a packet bounds that. */
	while (changes->bytes > CHANGES_BYTES_MAX && changes->n > 1)
		drop_oldest(changes);
}

/* changes_done() - See changes.h. Room for a scan of thousands of new devices
 * is not kept for ever.
 */
void changes_done(struct changes *changes, uint64_t revision)
{
	changes->n_touched = 0;
	if (changes->lost)
		changes_begin(changes, revision);
	changes->lost = false;
	if (changes->room > ROOM_KEPT) {
		free(changes->touched);
		changes->touched = NULL;
		changes->room = 0;
	}
}

/* changes_next() - See changes.h. They are in order: half of them is left out
 * at each look.
 */
int changes_next(const struct changes *changes, uint64_t after,
		 const struct logged **ret)
{
	size_t low = 0, high = changes->n;

	if (after < changes->floor)
		return -ESTALE;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_at(changes, middle)->revision > after)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low < changes->n ? entry_at(changes, low) : NULL;
	return 0;
}
