/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.c - memory of one message: taken bit by bit, with a budget, freed whole
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Far below glibc's M_MMAP_THRESHOLD (128 KiB, mallopt(3)), so that freeing
 * chunks does not raise that, and with it what the process keeps.
 */
#define CHUNK_SIZE 16384

/**
 * struct arena_chunk - One piece of memory
 * @next:	The one before
 * @size:	Of @data
 * @used:	How much of it is taken
 * @data:	What is given out
 */
struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) uint8_t data[];
};

/**
 * protobuf_alloc() - arena_alloc() as protobuf-c calls it
 * @data:	The arena
 * @size:	Bytes
 */
static void *protobuf_alloc(void *data, size_t size)
{
	return arena_alloc(data, size);
}

/**
 * protobuf_free() - Nothing: all is freed at once
 * @data:	The arena
 * @p:		What protobuf-c is done with
 */
static void protobuf_free(void *data, void *p)
{
}

/* arena_init() - An empty arena */
void arena_init(struct arena *arena, size_t budget)
{
	*arena = (struct arena){
		.allocator = {
			.alloc = protobuf_alloc,
			.free = protobuf_free,
			.allocator_data = arena,
		},
		.budget = budget,
	};
}

/* arena_deinit() - Free all that was taken */
void arena_deinit(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	arena_init(arena, arena->budget);
}

/**
 * grow() - Take another chunk from the process
 * @arena:	The arena
 * @size:	What must fit, aligned
 *
 * The last chunk of a budget is cut to what is left of it.
 *
 * Return: true if there is one now.
 */
static bool grow(struct arena *arena, size_t size)
{
	size_t left = arena->budget - arena->used;
	struct arena_chunk *chunk;
	size_t want = CHUNK_SIZE - sizeof(*chunk);

	if (want < size)
		want = size;
	if (left < sizeof(*chunk) || left - sizeof(*chunk) < size) {
		arena->exceeded = true;
		return false;
	}
	if (want > left - sizeof(*chunk))
		want = left - sizeof(*chunk);

	chunk = calloc(1, sizeof(*chunk) + want);
	if (!chunk) {
		arena->failed = true;
		return false;
	}
	chunk->size = want;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->used += sizeof(*chunk) + want;

	return true;
}

/* arena_alloc() - Take memory */
void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t mask = _Alignof(max_align_t) - 1;
	struct arena_chunk *chunk = arena->chunks;
	void *p;

	if (size > arena->budget) {
		arena->exceeded = true;
		return NULL;
	}
	/* Not even nothing has the address of something else. */
	size = size ? (size + mask) & ~mask : mask + 1;

	if (!chunk || chunk->size - chunk->used < size) {
		if (!grow(arena, size))
			return NULL;
		chunk = arena->chunks;
	}
	p = chunk->data + chunk->used;
	chunk->used += size;

	return p;
}

/* arena_text() - A copy of a string, made fit for protobuf */
char *arena_text(struct arena *arena, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy;

	if (!*s)
		return (char *)protobuf_c_empty_string;
	copy = arena_alloc(arena, size);
	if (!copy)
		return (char *)protobuf_c_empty_string;

	return str_clean(memcpy(copy, s, size));
}

/* arena_message() - An empty message of a type */
void *arena_message(struct arena *arena,
		    const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);

	if (message)
		protobuf_c_message_init(type, message);

	return message;
}
