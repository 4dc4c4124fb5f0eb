/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c - memory of guarded leases, which the daemon maps
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ioasid/v1/memory.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"

#ifndef __clang__
/* gcc 12's -fanalyzer overlooks that a message is NULL until it came. */
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

/* Of one request, as of the contract. */
#define ENTRIES_MAX 1000
#define FDS_MAX 64

/* ioasid_memory_create() - See ioasid.h. */
int ioasid_memory_create(struct ioasid *conn, const char *lease,
			 uint64_t size, uint64_t page_size, int *ret_fd,
			 struct ioasid_error *err)
{
	Ioasid__V1__CreateMemoryRequest request =
		IOASID__V1__CREATE_MEMORY_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct channel_fds fds;
	int r;

	request.lease = (char *)lease;
	request.size = size;
	request.page_size = page_size;
	r = channel_call_fds(conn, "Memory/CreateMemory", &request.base,
			     &ioasid__v1__create_memory_response__descriptor,
			     &fds, &reply, err);
	if (r < 0)
		return r;
	if (fds.n != 1) {
		channel_fds_close(&fds);
		return channel_broken(conn, "memory without one descriptor",
				      err);
	}
	*ret_fd = fds.fds[0];
	return 0;
}

/**
 * struct outcome - What has become of entries
 * @refusals:	Where the first of them has its refusal
 * @stride:	From one to the next
 * @r:		0, or -EREMOTEIO if one was refused
 * @err:	Of the first that was; may be NULL
 */
struct outcome {
	char *refusals;
	size_t stride;
	int r;
	struct ioasid_error *err;
};

/**
 * refuse() - An entry was refused
 * @i:		Which
 * @id:		Why
 */
static void refuse(struct outcome *outcome, size_t i, const char *id)
{
	(void)str_copy(outcome->refusals + i * outcome->stride,
		       IOASID_REFUSAL_SIZE, id); /* as far as there is room */
}

/**
 * take_results() - Take the results of one request over
 * @first:	Its first entry
 * @n:		How many it had
 *
 * Return: 0; -EPROTO if they are not one for each.
 */
static int take_results(struct ioasid *conn, struct outcome *outcome,
			size_t first, size_t n, const uint32_t *results,
			size_t n_results, Ioasid__V1__Error *const *errors,
			size_t n_errors, struct ioasid_error *err)
{
	if (n_results != n)
		return channel_broken(conn, "not one result for each entry",
				      err);
	for (size_t i = 0; i < n; i++) {
		const Ioasid__V1__Error *error;

		if (results[i] > n_errors ||
		    (results[i] && !errors[results[i] - 1]->id[0]))
			return channel_broken(conn, "a result without its "
					      "reason", err);
		if (!results[i])
			continue;
		error = errors[results[i] - 1];
		refuse(outcome, first + i, error->id);
		if (outcome->r == 0)
			outcome->r = fail_remote(outcome->err, error);
	}
	return 0;
}

/**
 * give_up() - A request failed: so have its entries, and those after it
 * @r:		How
 */
static int give_up(struct outcome *outcome, size_t first, size_t n, int r,
		   const struct ioasid_error *err)
{
	for (size_t i = first; r == -EREMOTEIO && i < n; i++)
		refuse(outcome, i, err->id);
	if (outcome->err && outcome->r == 0)
		*outcome->err = *err;
	return r;
}

/**
 * struct packing - One request that is being filled
 * @request:	It
 * @items:	Its entries
 * @pointers:	To them
 * @fds:	Its descriptors, each once
 */
struct packing {
	Ioasid__V1__MapMemoryRequest request;
	Ioasid__V1__MapEntry items[ENTRIES_MAX];
	Ioasid__V1__MapEntry *pointers[ENTRIES_MAX];
	struct channel_fds fds;
};

/**
 * number_of() - Which of the descriptors one is, or becomes
 *
 * Return: its number; -1: there is no room.
 */
static int number_of(struct channel_fds *fds, int fd)
{
	/* Neighbours are of one memory more often than not. */
	for (size_t i = fds->n; i-- > 0;)
		if (fds->fds[i] == fd)
			return (int)i;
	if (fds->n == FDS_MAX)
		return -1;
	fds->fds[fds->n] = fd;
	return (int)fds->n++;
}

/**
 * pack() - Put as many entries as fit into a request
 *
 * Return: how many.
 */
static size_t pack(struct packing *packing, const char *lease,
		   const struct ioasid_memory_entry *entries, size_t n)
{
	size_t i;

	ioasid__v1__map_memory_request__init(&packing->request);
	packing->fds.n = 0;
	for (i = 0; i < n && i < ENTRIES_MAX; i++) {
		Ioasid__V1__MapEntry *item = &packing->items[i];
		int number = number_of(&packing->fds, entries[i].fd);

		if (number < 0)
			break;
		ioasid__v1__map_entry__init(item);
		item->space = (char *)entries[i].space;
		item->descriptor = (uint32_t)number;
		item->offset = entries[i].offset;
		item->length = entries[i].length;
		item->iova = entries[i].iova;
		item->writable = entries[i].writable;
		packing->pointers[i] = item;
	}
	packing->request.lease = (char *)lease;
	packing->request.entries = packing->pointers;
	packing->request.n_entries = i;
	return i;
}

/**
 * map_some() - Send one request
 * @first:	Of its entries, in all of them
 *
 * Return: 0: each has its result; others, see ioasid.h.
 */
static int map_some(struct ioasid *conn, const struct packing *packing,
		    size_t first, struct outcome *outcome,
		    struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *message = NULL;
	const Ioasid__V1__MapMemoryResponse *reply;
	int r;

	r = channel_call_with(conn, "Memory/MapMemory",
			      &packing->request.base, &packing->fds,
			      &ioasid__v1__map_memory_response__descriptor,
			      &message, err);
	if (r < 0)
		return r;
	reply = (const Ioasid__V1__MapMemoryResponse *)message;
	return take_results(conn, outcome, first, packing->request.n_entries,
			    reply->results, reply->n_results, reply->errors,
			    reply->n_errors, err);
}

/* ioasid_memory_map() - See ioasid.h. */
int ioasid_memory_map(struct ioasid *conn, const char *lease,
		      struct ioasid_memory_entry *entries, size_t n_entries,
		      struct ioasid_error *err)
{
	_cleanup_free_ struct packing *packing = calloc(1, sizeof(*packing));
	struct outcome outcome = {
		.refusals = n_entries ? entries[0].refusal : NULL,
		.stride = sizeof(*entries), .err = err,
	};
	struct ioasid_error each;
	int r;

	if (!packing)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	for (size_t i = 0; i < n_entries; i++)
		entries[i].refusal[0] = '\0';
	for (size_t i = 0; i < n_entries;) {
		size_t n = pack(packing, lease, entries + i, n_entries - i);

		r = map_some(conn, packing, i, &outcome, &each);
		if (r < 0)
			return give_up(&outcome, i, n_entries, r, &each);
		i += n;
	}
	return outcome.r;
}

/**
 * unmap_some() - Send one request to unmap
 * @ranges:	All of them
 * @first:	The first of this request; @n of them
 */
static int unmap_some(struct ioasid *conn, const char *lease,
		      const struct ioasid_memory_range *ranges, size_t first,
		      size_t n, struct outcome *outcome, uint64_t *bytes,
		      struct ioasid_error *err)
{
	Ioasid__V1__UnmapMemoryRequest request =
		IOASID__V1__UNMAP_MEMORY_REQUEST__INIT;
	_cleanup_free_ Ioasid__V1__UnmapEntry *items = NULL;
	_cleanup_free_ Ioasid__V1__UnmapEntry **pointers = NULL;
	_cleanup_message_ ProtobufCMessage *message = NULL;
	const Ioasid__V1__UnmapMemoryResponse *reply;
	int r;

	items = calloc(n, sizeof(*items));
	pointers = calloc(n, sizeof(*pointers));
	if (!items || !pointers)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	for (size_t i = 0; i < n; i++) {
		ioasid__v1__unmap_entry__init(&items[i]);
		items[i].space = (char *)ranges[first + i].space;
		items[i].iova = ranges[first + i].iova;
		items[i].length = ranges[first + i].length;
		pointers[i] = &items[i];
	}
	request.lease = (char *)lease;
	request.entries = pointers;
	request.n_entries = n;
	r = channel_call(conn, "Memory/UnmapMemory", &request.base,
			 &ioasid__v1__unmap_memory_response__descriptor,
			 &message, err);
	if (r < 0)
		return r;
	reply = (const Ioasid__V1__UnmapMemoryResponse *)message;
	*bytes += reply->bytes;
	return take_results(conn, outcome, first, n, reply->results,
			    reply->n_results, reply->errors, reply->n_errors,
			    err);
}

/* ioasid_memory_unmap() - See ioasid.h. */
int ioasid_memory_unmap(struct ioasid *conn, const char *lease,
			struct ioasid_memory_range *ranges, size_t n_ranges,
			uint64_t *ret_bytes, struct ioasid_error *err)
{
	struct outcome outcome = {
		.refusals = n_ranges ? ranges[0].refusal : NULL,
		.stride = sizeof(*ranges), .err = err,
	};
	struct ioasid_error each;
	uint64_t bytes = 0;
	int r;

	for (size_t i = 0; i < n_ranges; i++)
		ranges[i].refusal[0] = '\0';
	for (size_t i = 0; i < n_ranges; i += ENTRIES_MAX) {
		size_t n = n_ranges - i;

		if (n > ENTRIES_MAX)
			n = ENTRIES_MAX;
		r = unmap_some(conn, lease, ranges, i, n, &outcome, &bytes,
			       &each);
		if (r < 0)
			return give_up(&outcome, i, n_ranges, r, &each);
	}
	if (ret_bytes)
		*ret_bytes = bytes;
	return outcome.r;
}
