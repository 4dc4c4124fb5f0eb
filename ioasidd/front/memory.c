/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c - the methods of the Memory service
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/handlers.h"
#include "ops/authorize.h"
#include "ops/guarded.h"

/* Entries of a request, and of those in a memfd. */
#define ENTRIES_MAX 1000
#define MORE_ENTRIES_MAX 16384
#define MORE_SIZE_MAX (2 << 20)

/* What reading those may take: a struct, a pointer and a name each. */
#define MORE_BUDGET (8 << 20)

/* A memfd with them cannot be changed any more. */
#define MORE_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Mappings of a page. */
#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

typedef Ioasid__V1__MapMemoryRequest pb_map;

/* --- making memory --- */

/**
 * memory_send() - Send the reply with its descriptor
 * @data:	The call
 */
static int memory_send(void *data, uint64_t memory, int fd)
{
	Ioasid__V1__CreateMemoryResponse *reply;
	struct call *call = data;
	int r;

	reply = arena_message(call->arena, PB(create_memory_response));
	if (!reply)
		return -ENOMEM;
	reply->memory = memory;
	r = call->hand_over(call->data, &reply->base, &fd, 1);
	call->sent = r == 0;
	return r;
}

/* create_memory() - Memory.CreateMemory */
int create_memory(struct call *call, struct error *err)
{
	const Ioasid__V1__CreateMemoryRequest *in = (const void *)call->input;
	int r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);

	return r < 0 ? r : memory_create(call->host, call->caller, in->lease,
					 in->size, in->page_size, memory_send,
					 call, err);
}

/* --- what has become of entries --- */

/**
 * view_results() - The results, as numbers
 * @ret:	Points into the arena
 *
 * Return: how many; 0 without memory, which the arena remembers.
 */
static size_t view_results(struct arena *arena, const struct outcome *outcome,
			   size_t n, uint32_t **ret)
{
	*ret = arena_alloc(arena, n * sizeof(**ret));
	if (*ret && n)
		memcpy(*ret, outcome->results, n * sizeof(**ret));
	return *ret ? n : 0;
}

/**
 * view_refusals() - Why entries were refused
 *
 * Return: how many; 0 without memory.
 */
static size_t view_refusals(struct arena *arena,
			    const struct outcome *outcome, pb_error ***ret)
{
	*ret = arena_alloc(arena, outcome->n_refusals * sizeof(**ret));
	for (size_t i = 0; *ret && i < outcome->n_refusals; i++) {
		const struct refusal *refusal = &outcome->refusals[i];
		const struct error_kind *kind = error_kind(refusal->kind);
		pb_error *one = arena_message(arena, PB(error));

		if (!one)
			return 0;
		one->id = arena_text(arena, kind->id);
		one->message = arena_text(arena, refusal->msg);
		one->object = arena_text(arena, refusal->object);
		one->remedy = arena_text(arena, kind->remedy);
		(*ret)[i] = one;
	}
	return *ret ? outcome->n_refusals : 0;
}

/* --- mapping --- */

/**
 * check_entries() - Are there as many as there may be?
 */
static int check_entries(size_t n, size_t max, struct error *err)
{
	return n <= max ? 0 : error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					"field entries: %zu, at most %zu", n,
					max);
}

/**
 * read_more() - Read the entries that come in a memfd
 * @fd:		It
 * @arena:	Where they go
 *
 * The one descriptor of a stranger that is read: it is memory, sealed, and of
 * nobody's file system.
 *
 * Return: 0; -EINVAL memory.descriptor; as wire_unpack().
 */
static int read_more(int fd, struct arena *arena, ProtobufCMessage **ret,
		     struct error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & MORE_SEALS) != MORE_SEALS ||
	    !memory_is_memfd(fd) || fstat(fd, &st) < 0)
		return error_set(err, -EINVAL, ERROR_MEMORY_DESCRIPTOR,
				 "the last descriptor is no memfd that is sealed against every change");
	if (st.st_size <= 0 || st.st_size > MORE_SIZE_MAX)
		return error_set(err, -EINVAL, ERROR_MEMORY_DESCRIPTOR,
				 "the memfd with entries has %lld bytes, not 1 to %d",
				 (long long)st.st_size, MORE_SIZE_MAX);
	data = malloc((size_t)st.st_size);
	if (!data)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the entries");
	if (pread(fd, data, (size_t)st.st_size, 0) != st.st_size)
		return error_set(err, -EINVAL, ERROR_MEMORY_DESCRIPTOR,
				 "the memfd with entries cannot be read");
	return wire_unpack(PB(map_memory_request), data, (size_t)st.st_size,
			   arena, ret, err);
}

/**
 * add_wishes() - Take entries over
 * @wishes:	Room for them
 */
static void add_wishes(const pb_map *in, struct map_wish *wishes)
{
	for (size_t i = 0; i < in->n_entries; i++) {
		const Ioasid__V1__MapEntry *entry = in->entries[i];

		wishes[i] = (struct map_wish){
			.space = entry->space,
			.descriptor = entry->descriptor,
			.mapping = {
				.iova = entry->iova,
				.length = entry->length,
				.offset = entry->offset,
				.writable = entry->writable,
			},
		};
	}
}

/**
 * reply_map() - Map, and make the reply
 * @wishes:	@n of them
 * @n_fds:	Of the call's descriptors, those that are memory
 */
static int reply_map(struct call *call, const pb_map *in,
		     const struct map_wish *wishes, size_t n, size_t n_fds,
		     struct error *err)
{
	_cleanup_free_ uint32_t *results = calloc(n ?: 1, sizeof(*results));
	struct outcome outcome = { .results = results };
	Ioasid__V1__MapMemoryResponse *reply;
	int r;

	if (!results)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the results");
	r = memory_map(call->host, call->caller, in->lease, call->fds, n_fds,
		       wishes, n, &outcome, err);
	reply = r < 0 ? NULL :
		arena_message(call->arena, PB(map_memory_response));
	if (reply) {
		reply->n_results = view_results(call->arena, &outcome, n,
						&reply->results);
		reply->n_errors = view_refusals(call->arena, &outcome,
						&reply->errors);
		reply->bytes = outcome.bytes;
	}
	free(outcome.refusals);
	return r < 0 ? r : handler_reply(call, reply, err);
}

/* map_memory() - Memory.MapMemory */
int map_memory(struct call *call, struct error *err)
{
	_cleanup_arena_ struct arena arena;
	const pb_map *in = (const void *)call->input, *more = NULL;
	_cleanup_free_ struct map_wish *wishes = NULL;
	ProtobufCMessage *message = NULL;
	size_t n, n_fds = call->n_fds;
	int r;

	arena_init(&arena, MORE_BUDGET);
	r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);
	if (r == 0)
		r = check_entries(in->n_entries, ENTRIES_MAX, err);
	if (r == 0 && in->more_entries && !n_fds)
		r = error_set(err, -EINVAL, ERROR_MEMORY_DESCRIPTOR,
			      "more_entries without a descriptor");
	else if (r == 0 && in->more_entries)
		r = read_more(call->fds[--n_fds], &arena, &message, err);
	more = (const void *)message;
	if (r == 0 && more)
		r = check_entries(more->n_entries, MORE_ENTRIES_MAX, err);
	if (r < 0)
		return r;
	n = in->n_entries + (more ? more->n_entries : 0);
	wishes = calloc(n ?: 1, sizeof(*wishes));
	if (!wishes)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the entries");
	add_wishes(in, wishes);
	if (more)
		add_wishes(more, wishes + in->n_entries);
	return reply_map(call, in, wishes, n, n_fds, err);
}

/* --- unmapping --- */

/**
 * unmap_into() - Unmap, and fill the reply
 */
static int unmap_into(struct call *call,
		      const Ioasid__V1__UnmapMemoryRequest *in,
		      const struct unmap_wish *wishes, uint32_t *results,
		      struct error *err)
{
	struct outcome outcome = { .results = results };
	Ioasid__V1__UnmapMemoryResponse *reply;
	int r;

	r = memory_unmap(call->host, call->caller, in->lease, wishes,
			 in->n_entries, &outcome, err);
	reply = r < 0 ? NULL :
		arena_message(call->arena, PB(unmap_memory_response));
	if (reply) {
		reply->n_results = view_results(call->arena, &outcome,
						in->n_entries,
						&reply->results);
		reply->n_errors = view_refusals(call->arena, &outcome,
						&reply->errors);
		reply->bytes = outcome.bytes;
	}
	free(outcome.refusals);
	return r < 0 ? r : handler_reply(call, reply, err);
}

/* unmap_memory() - Memory.UnmapMemory */
int unmap_memory(struct call *call, struct error *err)
{
	const Ioasid__V1__UnmapMemoryRequest *in = (const void *)call->input;
	struct unmap_wish *wishes;
	uint32_t *results;
	int r;

	r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);
	if (r == 0)
		r = check_entries(in->n_entries, ENTRIES_MAX, err);
	if (r < 0)
		return r;
	wishes = arena_alloc(call->arena, in->n_entries * sizeof(*wishes));
	results = arena_alloc(call->arena, in->n_entries * sizeof(*results));
	if (!wishes || !results)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the entries");
	for (size_t i = 0; i < in->n_entries; i++)
		wishes[i] = (struct unmap_wish){ in->entries[i]->space,
						 in->entries[i]->iova,
						 in->entries[i]->length };
	return unmap_into(call, in, wishes, results, err);
}

/* --- reading --- */

/**
 * struct place - Where a page of mappings begins, or ends
 * @space:	Which space of the lease, from 0 on
 * @iova:	From which address on
 */
struct place {
	size_t space;
	uint64_t iova;
};

/**
 * read_token() - Read where a page begins
 *
 * Return: 0; -EINVAL list.bad-token.
 */
static int read_token(const char *token, struct place *ret, struct error *err)
{
	unsigned int space;
	int end = 0;

	*ret = (struct place){ .space = 0 };
	if (!*token)
		return 0;
	if (sscanf(token, "%2u-%16" SCNx64 "%n", &space, &ret->iova, &end) != 2 ||
	    token[end])
		return error_set(err, -EINVAL, ERROR_LIST_BAD_TOKEN,
				 "field page_token: it is of no such list");
	ret->space = space;
	return 0;
}

/**
 * view_mapping() - One mapping
 */
static Ioasid__V1__Mapping *view_mapping(struct arena *arena,
					 const char *space,
					 const struct mapping *mapping)
{
	Ioasid__V1__Mapping *ret = arena_message(arena, PB(mapping));

	if (!ret)
		return NULL;
	ret->space = arena_text(arena, space);
	ret->iova = mapping->iova;
	ret->length = mapping->length;
	ret->memory = mapping->memory;
	ret->offset = mapping->offset;
	ret->writable = mapping->writable;
	return ret;
}

/**
 * view_mappings() - A page of what is mapped for a lease
 * @at:		Where it begins; where the next one does
 * @size:	How many at most
 *
 * Under the registry's lock. Spaces are in the order of the lease.
 *
 * Return: Are there more?
 */
static bool view_mappings(struct call *call, const struct lease *lease,
		      struct place *at, size_t size,
		      Ioasid__V1__ListMappingsResponse *ret)
{
	struct mapping mapping;

	for (; at->space < lease->n_spaces;
	     *at = (struct place){ .space = at->space + 1 }) {
		const char *name = lease->spaces[at->space].name;

		while (mapped_next(lease->mapped, name, at->iova, &mapping)) {
			Ioasid__V1__Mapping *one;

			if (ret->n_mappings == size)
				return true;
			one = view_mapping(call->arena, name, &mapping);
			if (!one)
				return false;
			ret->mappings[ret->n_mappings++] = one;
			at->iova = mapping.iova + mapping.length;
			if (!at->iova)
				break;
		}
	}
	return false;
}

/**
 * fill_page() - Fill a page of what is mapped for a lease, if it can be seen
 *
 * Return: 0; -ENOENT lease.not-found.
 */
static int fill_page(struct call *call, const char *name, struct place *at,
		     size_t size, Ioasid__V1__ListMappingsResponse *ret,
		     struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	bool more = false;
	char token[32];

	registry_lock(reg);
	lease = registry_lease(reg, name);
	if (lease && !lease_visible(reg, lease, call->caller))
		lease = NULL;
	if (lease && lease->mapped)
		more = view_mappings(call, lease, at, size, ret);
	registry_unlock(reg);
	if (more) {
		(void)str_format(token, sizeof(token), "%zu-%" PRIx64,
				 at->space, at->iova); /* it fits */
		ret->next_page_token = arena_text(call->arena, token);
	}
	if (lease)
		return 0;
	error_set(err, -ENOENT, ERROR_LEASE_NOT_FOUND,
		  "there is no lease '%s'", name);
	error_object(err, "%s", name);
	return -ENOENT;
}

/* list_mappings() - Memory.ListMappings */
int list_mappings(struct call *call, struct error *err)
{
	const Ioasid__V1__ListMappingsRequest *in = (const void *)call->input;
	const size_t size = in->page_size ?: PAGE_DEFAULT;
	Ioasid__V1__ListMappingsResponse *reply;
	struct place at = { .space = 0 };
	int r;

	r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);
	if (r == 0 && size > PAGE_MAX)
		r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			      "field page_size: at most %d", PAGE_MAX);
	if (r == 0)
		r = read_token(in->page_token, &at, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_mappings_response));
	if (reply)
		reply->mappings = arena_alloc(call->arena,
					      size *
					      sizeof(*reply->mappings));
	if (!reply || !reply->mappings)
		return handler_reply(call, NULL, err);
	r = fill_page(call, in->lease, &at, size, reply, err);
	return r < 0 ? r : handler_reply(call, reply, err);
}
