/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table-use.c - the methods of the PageTables service for page tables at
 *		      work: invalidate, dirty tracking, faults
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "front/handlers.h"
#include "front/page-tables.h"

/* Linux 6.3: nobody can execute it. Older headers lack it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Bytes of bitmap in one answer. A memfd is our memory as long as its receiver
 * keeps it.
 */
#define BITMAP_IN_REPLY (64u << 10)
#define BITMAP_IN_MEMFD (2u << 20)

/* What takes memory of a memfd at once. */
#define MEMFD_PAGE 4096

/* What a bit can stand for. */
#define DIRTY_PAGE_MIN UINT64_C(4096)
#define DIRTY_PAGE_MAX (UINT64_C(1) << 30)

/* Bytes of entries in one request, which has to fit what is read of strangers
 * (STRANGER_BUDGET); and of one of them.
 */
#define ENTRIES_MAX (32u << 10)
#define ENTRY_MAX 256

/* --- InvalidatePageTable --- */

/* invalidate_page_table() - PageTables.InvalidatePageTable */
int invalidate_page_table(struct call *call, struct error *err)
{
	const Ioasid__V1__InvalidatePageTableRequest *in =
		(const void *)call->input;
	struct change change = { in->name, "", "", in->dry_run, "" };
	Ioasid__V1__InvalidatePageTableResponse *reply;
	uint32_t n;
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r < 0)
		return r;
	if (!in->entry_size || in->entry_size > ENTRY_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field entry_size: %u, not 1 to %u",
				 in->entry_size, ENTRY_MAX);
	if (!in->entries.len || in->entries.len > ENTRIES_MAX ||
	    in->entries.len % in->entry_size)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field entries: %zu bytes, not some entries of %u, %u bytes at most",
				 in->entries.len, in->entry_size, ENTRIES_MAX);
	n = (uint32_t)(in->entries.len / in->entry_size);
	r = page_table_invalidate(call->host, call->caller, &change,
				  in->data_type, in->entries.data,
				  in->entry_size, &n, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(invalidate_page_table_response));
	if (reply)
		reply->done = n;
	return handler_reply(call, reply, err);
}

/* --- SetDirtyTracking, GetDirtyBitmap --- */

/* set_dirty_tracking() - PageTables.SetDirtyTracking */
int set_dirty_tracking(struct call *call, struct error *err)
{
	const Ioasid__V1__SetDirtyTrackingRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = page_table_track(call->host, call->caller, &change, in->on,
				     err);
	return r < 0 ? r : reply_page_table(call, in->name, err);
}

/**
 * take_range() - Take over what of the record is wanted, as much as fits
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int take_range(const Ioasid__V1__GetDirtyBitmapRequest *in,
		      struct dirty_range *ret, struct error *err)
{
	const uint64_t bytes = in->as_memfd ? BITMAP_IN_MEMFD :
					      BITMAP_IN_REPLY;
	const uint64_t page = in->page_size;

	if (page < DIRTY_PAGE_MIN || page > DIRTY_PAGE_MAX ||
	    page & (page - 1))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field page_size: %llu is no power of two, 4096 to 2^30",
				 (unsigned long long)page);
	if (in->iova % page)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field iova: 0x%llx is no multiple of page_size",
				 (unsigned long long)in->iova);
	if (!in->length || in->length % page ||
	    in->iova + (in->length - 1) < in->iova)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field length: 0x%llx is 0, no multiple of page_size, or more than there is",
				 (unsigned long long)in->length);
	*ret = (struct dirty_range){ in->iova, in->length, page, in->keep };
	if (ret->length / page > bytes * 8)
		ret->length = bytes * 8 * page;
	return 0;
}

/* bitmap_size() - Bytes of the bitmap of a range, whole words of it */
static size_t bitmap_size(const struct dirty_range *range)
{
	return (size_t)((range->length / range->page_size + 63) / 64 * 8);
}

/**
 * count_bits() - How many bits of a bitmap are set
 * @size:	Bytes of it, whole words
 */
static uint64_t count_bits(const uint64_t *bitmap, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size / sizeof(*bitmap); i++)
		n += (uint64_t)__builtin_popcountll(bitmap[i]);
	return n;
}

/**
 * write_pages() - Write into a memfd, and leave holes where there are zeroes
 *
 * Return: whether that worked; otherwise errno is set.
 */
static bool write_pages(int fd, const uint64_t *words, size_t size)
{
	for (size_t at = 0; at < size; at += MEMFD_PAGE) {
		size_t n = size - at < MEMFD_PAGE ? size - at : MEMFD_PAGE;
		const uint64_t *page = words + at / sizeof(*words);

		if (count_bits(page, n) &&
		    pwrite(fd, page, n, (off_t)at) != (ssize_t)n)
			return false;
	}
	return true;
}

/**
 * sealed_memfd() - A memfd with these words, and never others
 *
 * Return: the descriptor; -errno, kernel.system.
 */
static int sealed_memfd(const uint64_t *words, size_t size, struct error *err)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	_cleanup_fd_ int fd = memfd_create("ioasid-dirty",
					   flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ioasid-dirty", flags);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    !write_pages(fd, words, size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
				   F_SEAL_WRITE) < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "make a memfd of %zu bytes: %m", size);
	return TAKE_FD(fd);
}

/**
 * hand_over() - Send a reply with a descriptor, at once
 * @reply:	NULL if there was no memory for it
 *
 * Return: 0; -errno, lease.peer-unreachable; -ENOMEM.
 */
static int hand_over(struct call *call, const ProtobufCMessage *reply, int fd,
		     struct error *err)
{
	int r = reply && arena_ok(call->arena) ?
		call->hand_over(call->data, reply, &fd, 1) : -ENOMEM;

	if (r < 0)
		return error_set(err, r, r == -ENOMEM ?
					 ERROR_DAEMON_NO_MEMORY :
					 ERROR_LEASE_PEER_UNREACHABLE,
				 "the descriptor could not be sent to process %d: %m",
				 (int)call->caller->process.pid);
	call->sent = true;
	return 0;
}

/**
 * reply_dirty() - Answer with what was written
 * @bitmap:	Its bits; NULL on a dry run
 */
static int reply_dirty(struct call *call, const struct dirty_range *range,
		       const uint64_t *bitmap, struct error *err)
{
	const Ioasid__V1__GetDirtyBitmapRequest *in =
		(const void *)call->input;
	Ioasid__V1__GetDirtyBitmapResponse *reply =
		arena_message(call->arena, PB(get_dirty_bitmap_response));
	const size_t size = bitmap ? bitmap_size(range) : 0;
	_cleanup_fd_ int fd = -1;

	if (!reply)
		return handler_reply(call, NULL, err);
	reply->length = range->length;
	if (range->length < in->length)
		reply->next_iova = range->iova + range->length;
	reply->dirty_pages = bitmap ? count_bits(bitmap, size) : 0;
	if (!bitmap || !in->as_memfd) {
		reply->bitmap.data = size ? arena_alloc(call->arena, size) :
					    NULL;
		if (reply->bitmap.data)
			memcpy(reply->bitmap.data, bitmap, size);
		reply->bitmap.len = reply->bitmap.data ? size : 0;
		return handler_reply(call, reply, err);
	}
	reply->memfd_size = size;
	fd = sealed_memfd(bitmap, size, err);
	return fd < 0 ? fd : hand_over(call, &reply->base, fd, err);
}

/* get_dirty_bitmap() - PageTables.GetDirtyBitmap */
int get_dirty_bitmap(struct call *call, struct error *err)
{
	const Ioasid__V1__GetDirtyBitmapRequest *in =
		(const void *)call->input;
	struct change change = { in->name, "", "", in->dry_run, "" };
	_cleanup_free_ uint64_t *bitmap = NULL;
	/* Filled below; until then of what can be divided, for an analyzer. */
	struct dirty_range range = { .length = 1, .page_size = 1 };
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = take_range(in, &range, err);
	if (r < 0)
		return r;
	if (in->as_memfd && call->caller->via_api)
		return error_set(err, -EACCES,
				 ERROR_PERMISSION_NATIVE_SOCKET_ONLY,
				 "field as_memfd: descriptors never go through ioasid-api");
	bitmap = calloc(1, bitmap_size(&range));
	if (!bitmap)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the bitmap");
	r = page_table_read_dirty(call->host, call->caller, &change, &range,
				  bitmap, err);
	return r < 0 ? r : reply_dirty(call, &range,
				       in->dry_run ? NULL : bitmap, err);
}

/* --- OpenFaultQueue --- */

/* open_fault_queue() - PageTables.OpenFaultQueue */
int open_fault_queue(struct call *call, struct error *err)
{
	const Ioasid__V1__OpenFaultQueueRequest *in = (const void *)call->input;
	struct change change = { in->name, "", "", in->dry_run, "" };
	pb_page_table *reply = NULL;
	_cleanup_fd_ int fd = -1;
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = page_table_open_faults(call->host, call->caller, &change,
					   &fd, err);
	if (r == 0)
		r = page_table_view_now(call, in->name, &reply, err);
	if (r < 0)
		return r;
	return in->dry_run ? handler_reply(call, reply, err) :
			     hand_over(call, &reply->base, fd, err);
}
