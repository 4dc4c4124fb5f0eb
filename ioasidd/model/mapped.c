/* SPDX-License-Identifier: Apache-2.0
 *
 * mapped.c - what is mapped for a guarded lease
 */
#include "model/mapped.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/**
 * struct mapped_space - What is mapped in one space
 * @name:	The space's
 * @items:	By address, none overlapping; @n of them, room for @room
 * @bytes:	How much they pin
 */
struct mapped_space {
	char name[NAME_SIZE];
	struct mapping *items;
	size_t n, room;
	uint64_t bytes;
};

/* last_of() - The last byte of a mapping. */
static uint64_t last_of(const struct mapping *mapping)
{
	return mapping->iova + (mapping->length - 1);
}

/**
 * mapped_new() - See mapped.h
 */
struct mapped *mapped_new(void)
{
	struct mapped *mapped = calloc(1, sizeof(*mapped));

	if (!mapped)
		return NULL;
	atomic_init(&mapped->refs, 1);
	pthread_mutex_init(&mapped->busy, NULL);
	pthread_mutex_init(&mapped->lock, NULL);
	return mapped;
}

/**
 * mapped_ref() - See mapped.h
 */
struct mapped *mapped_ref(struct mapped *mapped)
{
	if (mapped)
		atomic_fetch_add(&mapped->refs, 1);
	return mapped;
}

/**
 * mapped_unref() - See mapped.h
 */
struct mapped *mapped_unref(struct mapped *mapped)
{
	if (!mapped || atomic_fetch_sub(&mapped->refs, 1) != 1)
		return NULL;
	mapped_clear(mapped);
	free(mapped->spaces);
	pthread_mutex_destroy(&mapped->lock);
	pthread_mutex_destroy(&mapped->busy);
	free(mapped);
	return NULL;
}

/**
 * mapping_inside() - See mapped.h
 */
bool mapping_inside(const struct mapping *mapping,
		    const struct window *windows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (windows[i].start <= mapping->iova &&
		    last_of(mapping) <= windows[i].last)
			return true;
	return false;
}

/**
 * space_of() - What is mapped in a space
 *
 * Under the lock.
 *
 * Return: NULL for nothing.
 */
static struct mapped_space *space_of(const struct mapped *mapped,
				     const char *name)
{
	for (size_t i = 0; i < mapped->n_spaces; i++)
		if (str_eq(mapped->spaces[i].name, name))
			return &mapped->spaces[i];
	return NULL;
}

/**
 * space_or_new() - The same; one with nothing if there is none
 *
 * Return: NULL without memory.
 */
static struct mapped_space *space_or_new(struct mapped *mapped,
					 const char *name)
{
	struct mapped_space *space = space_of(mapped, name), *more;

	if (space)
		return space;
	more = reallocarray(mapped->spaces, mapped->n_spaces + 1,
			    sizeof(*more));
	if (!more)
		return NULL;
	mapped->spaces = more;
	space = &mapped->spaces[mapped->n_spaces++];
	*space = (struct mapped_space){ .n = 0 };
	str_copy(space->name, sizeof(space->name), name);
	return space;
}

/**
 * find() - The first mapping that ends at or after an address
 *
 * Return: its index; @space->n for none.
 */
static size_t find(const struct mapped_space *space, uint64_t iova)
{
	size_t low = 0, high = space->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (last_of(&space->items[middle]) < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * insert() - Enter a mapping at its place
 *
 * Return: 0 or -ENOMEM.
 */
static int insert(struct mapped_space *space, size_t at,
		  const struct mapping *mapping)
{
	size_t room = space->room ? 2 * space->room : 16;
	struct mapping *more;

	if (space->n == space->room) {
		more = reallocarray(space->items, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		space->items = more;
		space->room = room;
	}
	memmove(space->items + at + 1, space->items + at,
		(space->n - at) * sizeof(*space->items));
	space->items[at] = *mapping;
	space->n++;
	space->bytes += mapping->length;
	return 0;
}

/**
 * add_locked() - mapped_add() under the lock
 */
static int add_locked(struct mapped *mapped, const char *name,
		      const struct mapping *mapping, uint64_t limit,
		      struct mapping *ret_other)
{
	struct mapped_space *space;
	size_t at;
	int r;

	if (mapped->n >= MAPPINGS_MAX)
		return -ENOSPC;
	if (mapped->bytes > limit || mapping->length > limit - mapped->bytes)
		return -EDQUOT;
	space = space_or_new(mapped, name);
	if (!space)
		return -ENOMEM;
	at = find(space, mapping->iova);
	if (at < space->n && space->items[at].iova <= last_of(mapping)) {
		*ret_other = space->items[at];
		return -EEXIST;
	}
	r = insert(space, at, mapping);
	if (r < 0)
		return r;
	mapped->n++;
	mapped->bytes += mapping->length;
	return 0;
}

/**
 * mapped_add() - See mapped.h
 */
int mapped_add(struct mapped *mapped, const char *space,
	       const struct mapping *mapping, uint64_t limit,
	       struct mapping *ret_other)
{
	int r;

	pthread_mutex_lock(&mapped->lock);
	r = add_locked(mapped, space, mapping, limit, ret_other);
	pthread_mutex_unlock(&mapped->lock);
	return r;
}

/**
 * mapped_remove() - See mapped.h
 */
void mapped_remove(struct mapped *mapped, const char *name, uint64_t iova)
{
	struct mapped_space *space;
	size_t at;

	pthread_mutex_lock(&mapped->lock);
	space = space_of(mapped, name);
	at = space ? find(space, iova) : 0;
	if (space && at < space->n && space->items[at].iova == iova) {
		space->bytes -= space->items[at].length;
		mapped->bytes -= space->items[at].length;
		mapped->n--;
		memmove(space->items + at, space->items + at + 1,
			(--space->n - at) * sizeof(*space->items));
	}
	pthread_mutex_unlock(&mapped->lock);
}

/**
 * mapped_next() - See mapped.h
 */
bool mapped_next(struct mapped *mapped, const char *name, uint64_t iova,
		 struct mapping *ret)
{
	struct mapped_space *space;
	bool found = false;
	size_t at;

	pthread_mutex_lock(&mapped->lock);
	space = space_of(mapped, name);
	if (space) {
		at = find(space, iova);
		found = at < space->n;
		if (found)
			*ret = space->items[at];
	}
	pthread_mutex_unlock(&mapped->lock);
	return found;
}

/**
 * drop() - Forget what is mapped in one space
 *
 * Under the lock.
 */
static void drop(struct mapped *mapped, struct mapped_space *space)
{
	mapped->n -= space->n;
	mapped->bytes -= space->bytes;
	free(space->items);
	*space = mapped->spaces[--mapped->n_spaces];
}

/**
 * mapped_drop_space() - See mapped.h
 */
void mapped_drop_space(struct mapped *mapped, const char *name)
{
	struct mapped_space *space;

	pthread_mutex_lock(&mapped->lock);
	space = space_of(mapped, name);
	if (space)
		drop(mapped, space);
	pthread_mutex_unlock(&mapped->lock);
}

/**
 * mapped_clear() - See mapped.h
 */
void mapped_clear(struct mapped *mapped)
{
	pthread_mutex_lock(&mapped->lock);
	while (mapped->n_spaces)
		drop(mapped, &mapped->spaces[mapped->n_spaces - 1]);
	pthread_mutex_unlock(&mapped->lock);
}

/**
 * mapped_count() - See mapped.h
 */
void mapped_count(struct mapped *mapped, const char *name, size_t *ret_n,
		  uint64_t *ret_bytes)
{
	const struct mapped_space *space;

	pthread_mutex_lock(&mapped->lock);
	space = name ? space_of(mapped, name) : NULL;
	if (name) {
		*ret_n = space ? space->n : 0;
		*ret_bytes = space ? space->bytes : 0;
	} else {
		*ret_n = mapped->n;
		*ret_bytes = mapped->bytes;
	}
	pthread_mutex_unlock(&mapped->lock);
}

/**
 * mapped_made() - See mapped.h
 */
int mapped_made(struct mapped *mapped, const struct memory *memory)
{
	int r = 0;

	pthread_mutex_lock(&mapped->lock);
	if (mapped->n_memories < MEMORIES_MAX)
		mapped->memories[mapped->n_memories++] = *memory;
	else
		r = -ENOSPC;
	pthread_mutex_unlock(&mapped->lock);
	return r;
}

/**
 * mapped_forget() - See mapped.h
 */
void mapped_forget(struct mapped *mapped, uint64_t inode)
{
	pthread_mutex_lock(&mapped->lock);
	for (size_t i = 0; i < mapped->n_memories; i++)
		if (mapped->memories[i].inode == inode)
			mapped->memories[i] =
				mapped->memories[--mapped->n_memories];
	pthread_mutex_unlock(&mapped->lock);
}

/**
 * mapped_memory() - See mapped.h
 */
bool mapped_memory(struct mapped *mapped, uint64_t inode, struct memory *ret)
{
	bool found = false;

	pthread_mutex_lock(&mapped->lock);
	for (size_t i = 0; i < mapped->n_memories && !found; i++) {
		found = mapped->memories[i].inode == inode;
		if (found)
			*ret = mapped->memories[i];
	}
	pthread_mutex_unlock(&mapped->lock);
	return found;
}
