/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h - memory of one message: taken bit by bit, with a budget, freed whole
 *
 * What a stranger sends decides how much memory reading it takes: protobuf-c
 * needs some 90 times the bytes of a packet full of empty submessages. So all
 * memory of a message comes from an arena that says no in time.
 */
#ifndef IOASIDD_BASE_ARENA_H
#define IOASIDD_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

/**
 * struct arena - Memory that is freed at once; one thread at a time
 * @allocator:	Takes from here; for protobuf-c
 * @budget:	Bytes that may be taken
 * @used:	Bytes taken, chunk heads included
 * @exceeded:	The budget was not enough; stays set
 * @failed:	The process had no memory; stays set
 * @chunks:	What was taken, newest first
 */
struct arena {
	ProtobufCAllocator allocator;
	size_t budget;
	size_t used;
	bool exceeded;
	bool failed;
	struct arena_chunk *chunks;
};

/* arena_init() - An empty arena, not to be moved. Ends with arena_deinit(). */
void arena_init(struct arena *arena, size_t budget);

/* arena_deinit() - Free all that was taken; the arena is empty afterwards. */
void arena_deinit(struct arena *arena);

#define _cleanup_arena_ __attribute__((cleanup(arena_deinit)))

/**
 * arena_alloc() - Take memory, zeroed and aligned for anything
 * @size:	Bytes
 *
 * Return: the memory; NULL if the budget or the memory is not enough, then
 * @arena->exceeded or @arena->failed is set.
 */
void *arena_alloc(struct arena *arena, size_t size);

/**
 * arena_text() - A copy of a string, made fit for protobuf (str_clean())
 *
 * Return: the copy; "" if there is no memory for it, see arena_alloc().
 */
char *arena_text(struct arena *arena, const char *s);

/* arena_message() - An empty message. Return: NULL as arena_alloc(). */
void *arena_message(struct arena *arena,
		    const ProtobufCMessageDescriptor *type);

/* arena_ok() - Was there memory for all that was asked for? */
static inline bool arena_ok(const struct arena *arena)
{
	return !arena->exceeded && !arena->failed;
}

#endif
