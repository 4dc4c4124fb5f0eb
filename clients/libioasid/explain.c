/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - the words for what the kernel refuses of mappings and spaces
 */
#include "libioasid/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "libioasid/fail.h"

/* More than any machine has holes; what is beyond is not named. */
#define RANGES_MAX 32

/**
 * struct usable - Where a space can have mappings
 * @known:	The kernel has said it
 * @ranges:	@n of them
 * @alignment:	Of addresses and lengths, bytes
 */
struct usable {
	bool known;
	struct ioasid_range ranges[RANGES_MAX];
	size_t n;
	uint64_t alignment;
};

/* read_usable() - Ask for it. Return: 0 or -errno; then it is not known. */
static int read_usable(int iommufd, uint32_t ioas, struct usable *ret)
{
	size_t n = RANGES_MAX;
	int r;

	*ret = (struct usable){ .alignment = 1 };
	r = ioasid_ioas_ranges(iommufd, ioas, ret->ranges, &n, &ret->alignment,
			       NULL);
	if (r < 0 && r != -EMSGSIZE)
		return r;

	ret->n = n < RANGES_MAX ? n : RANGES_MAX;
	ret->known = true;
	return 0;
}

/* last_of() - The last address of a range, as far as there are any */
static uint64_t last_of(uint64_t start, uint64_t length)
{
	uint64_t last;

	return __builtin_add_overflow(start, length - 1, &last) ? UINT64_MAX :
								  last;
}

/* is_usable() - Is all of a range in one of those that are? */
static bool is_usable(const struct usable *usable, uint64_t start,
		      uint64_t last)
{
	for (size_t i = 0; i < usable->n; i++)
		if (usable->ranges[i].start <= start &&
		    last <= usable->ranges[i].last)
			return true;

	return false;
}

/**
 * remedy_ranges() - What would work: an address in one of the ranges
 * @fmt:	What is said before them
 *
 * As many as there is room for.
 */
static void remedy_ranges(struct ioasid_error *err, const char *what,
			  const struct usable *usable)
{
	char words[sizeof(err->remedy)];
	int n = snprintf(words, sizeof(words), "%s", what);

	for (size_t i = 0; i < usable->n; i++) {
		char one[64];
		int m = snprintf(one, sizeof(one), "%s0x%" PRIx64 "-0x%" PRIx64,
				 i ? ", " : " ", usable->ranges[i].start,
				 usable->ranges[i].last);

		/* Room for "..." has to be left. */
		if ((size_t)(n + m) + 5 > sizeof(words)) {
			(void)snprintf(words + n, sizeof(words) - (size_t)n,
				       ", ...");
			break;
		}
		memcpy(words + n, one, (size_t)m + 1);
		n += m;
	}
	fail_remedy(err, words);
}

/* remedied() - Say what would work. Return: @r. */
static int remedied(int r, struct ioasid_error *err, const char *remedy)
{
	fail_remedy(err, remedy);

	return r;
}

/* other() - There are no better words */
static int other(int error, const char *call, struct ioasid_error *err)
{
	return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m", call);
}

/* no_object() - There is none of that id */
static int no_object(int error, const char *kind, uint32_t id,
		     struct ioasid_error *err)
{
	return fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
			"there is no %s %" PRIu32 " in this context", kind, id);
}

/* limited() - It would be too much locked memory */
static int limited(uint64_t bytes, struct ioasid_error *err)
{
	struct rlimit limit = { 0 };

	(void)getrlimit(RLIMIT_MEMLOCK, &limit); /* cannot fail */
	(void)fail_set(err, -ENOMEM, IOASID_ERROR_MAP_LIMIT,
		       "%" PRIu64 " bytes more cannot be pinned: RLIMIT_MEMLOCK"
		       " is %" PRIu64 " bytes for all mappings together",
		       bytes, (uint64_t)limit.rlim_cur);

	return remedied(-ENOMEM, err,
			"Ask for a lease with more memlock, or map less.");
}

/* explain_descriptor() - See explain.h. */
bool explain_descriptor(int error, const char *call, int fd, const char *what,
			struct ioasid_error *err)
{
	if (error == EBADF && fcntl(fd, F_GETFD) < 0) {
		(void)fail_set(err, -error, IOASID_ERROR_ARGUMENT,
			       "%s: descriptor %d is not open", call, fd);
		return true;
	}
	if (error == ENOTTY) {
		(void)fail_set(err, -error, IOASID_ERROR_UNSUPPORTED,
			       "%s: descriptor %d is not %s, or this kernel is "
			       "too old for the call", call, fd, what);
		return true;
	}
	if (error == ENODEV) {
		(void)fail_set(err, -error, IOASID_ERROR_KERNEL,
			       "%s: the simulated machine, or the device, is "
			       "no more", call);
		return true;
	}
	if (error == EOPNOTSUPP) {
		(void)fail_set(err, -error, IOASID_ERROR_UNSUPPORTED,
			       "%s: a flag that this kernel or IOMMU does not "
			       "know", call);
		return true;
	}

	return false;
}

/* --- mappings --- */

/* context_of() - What the descriptor has to be that has a space */
static const char *context_of(uint32_t ioas)
{
	return ioas == IOASID_SPACE_OF_CONTAINER ? "a VFIO container" :
						   "an iommufd";
}

/* call_of() - Name of the kernel's call */
static const char *call_of(const struct wish *wish)
{
	if (wish->ioas == IOASID_SPACE_OF_CONTAINER)
		return "VFIO_IOMMU_MAP_DMA";

	switch (wish->source) {
	case SOURCE_MEMORY:
		return "IOMMU_IOAS_MAP";
	case SOURCE_FILE:
		return "IOMMU_IOAS_MAP_FILE";
	case SOURCE_SPACE:
		return "IOMMU_IOAS_COPY";
	}

	return "";
}

/* no_memory() - What is to be mapped is not there. Return: -@error. */
static int no_memory(int error, const struct wish *wish,
		     struct ioasid_error *err)
{
	const char *mode = wish->flags & IOASID_MAP_WRITE ? "writing" :
							    "reading";

	switch (wish->source) {
	case SOURCE_MEMORY:
		return fail_set(err, -error, IOASID_ERROR_MAP_MEMORY,
				"the process has no memory for %s at 0x%" PRIx64
				"-0x%" PRIx64, mode, wish->at,
				last_of(wish->at, wish->length));
	case SOURCE_FILE:
		return fail_set(err, -error, IOASID_ERROR_MAP_MEMORY,
				"descriptor %d is none that is open",
				(int)wish->from);
	case SOURCE_SPACE:
		return fail_set(err, -error, IOASID_ERROR_MAP_MEMORY,
				"what space %" PRIu32 " maps at 0x%" PRIx64
				" is memory that its process has no more",
				wish->from, wish->at);
	}

	return -error;
}

/* unsuitable_file() - Is it the file? Return: true if so; @err is filled. */
static bool unsuitable_file(const struct wish *wish, struct ioasid_error *err)
{
	int fd = (int)wish->from;
	struct stat st;

	if (wish->source != SOURCE_FILE || fstat(fd, &st) < 0)
		return false;

	if (S_ISREG(st.st_mode) &&
	    last_of(wish->at, wish->length) >= (uint64_t)st.st_size) {
		(void)fail_set(err, -EINVAL, IOASID_ERROR_MAP_MEMORY,
			       "file %d has %" PRIu64 " bytes, so none at 0x%"
			       PRIx64 "-0x%" PRIx64, fd, (uint64_t)st.st_size,
			       wish->at, last_of(wish->at, wish->length));
		fail_remedy(err, "Make it longer first (ftruncate).");
		return true;
	}
	(void)fail_set(err, -EINVAL, IOASID_ERROR_MAP_MEMORY,
		       "file %d cannot be pinned: it is no memfd, shmem or "
		       "hugetlbfs", fd);
	return true;
}

/* unaligned() - Is it the alignment? Return: true if so; @err is filled. */
static bool unaligned(const struct wish *wish, const struct usable *usable,
		      struct ioasid_error *err)
{
	uint64_t rest = usable->alignment - 1;
	const char *what;
	uint64_t value;

	if (wish->length & rest) {
		what = "length";
		value = wish->length;
	} else if (wish->flags & IOASID_MAP_FIXED && wish->iova & rest) {
		what = "address";
		value = wish->iova;
	} else if (wish->at & rest) {
		what = wish->source == SOURCE_FILE   ? "offset in the file" :
		       wish->source == SOURCE_MEMORY ? "address in the process" :
						       "address copied from";
		value = wish->at;
	} else {
		return false;
	}

	(void)fail_set(err, -EINVAL, IOASID_ERROR_MAP_ALIGNMENT,
		       "the %s 0x%" PRIx64 " is no multiple of 0x%" PRIx64
		       ", as space %" PRIu32 " needs it", what, value,
		       usable->alignment, wish->ioas);
	return true;
}

/* invalid_map() - EINVAL of a mapping. Return: it. */
static int invalid_map(const struct wish *wish, struct ioasid_error *err)
{
	uint64_t last = last_of(wish->iova, wish->length);
	struct usable usable;
	int r;

	if (!wish->length)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"the length is 0");
	if (!(wish->flags & (IOASID_MAP_READ | IOASID_MAP_WRITE)))
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"neither IOASID_MAP_READ nor IOASID_MAP_WRITE");

	r = read_usable(wish->iommufd, wish->ioas, &usable);
	if (r < 0)
		return other(EINVAL, call_of(wish), err);
	if (unaligned(wish, &usable, err))
		return -EINVAL;

	if (wish->flags & IOASID_MAP_FIXED &&
	    !is_usable(&usable, wish->iova, last)) {
		(void)fail_set(err, -EINVAL, IOASID_ERROR_MAP_RANGE,
			       "0x%" PRIx64 "-0x%" PRIx64 " is not usable with "
			       "the devices of space %" PRIu32, wish->iova,
			       last, wish->ioas);
		remedy_ranges(err, "Map in one of", &usable);
		return -EINVAL;
	}
	if (unsuitable_file(wish, err))
		return -EINVAL;

	return other(EINVAL, call_of(wish), err);
}

/* missing() - ENOENT of a mapping: which object, or a hole. Return: it. */
static int missing(const struct wish *wish, struct ioasid_error *err)
{
	struct usable usable;

	if (read_usable(wish->iommufd, wish->ioas, &usable) == -ENOENT)
		return no_object(ENOENT, "space", wish->ioas, err);
	if (wish->source != SOURCE_SPACE)
		return other(ENOENT, call_of(wish), err);
	if (read_usable(wish->iommufd, wish->from, &usable) == -ENOENT)
		return no_object(ENOENT, "space", wish->from, err);

	return fail_set(err, -ENOENT, IOASID_ERROR_NOT_MAPPED,
			"space %" PRIu32 " does not map all of 0x%" PRIx64
			"-0x%" PRIx64, wish->from, wish->at,
			last_of(wish->at, wish->length));
}

/* overflowing() - EOVERFLOW of a mapping. Return: it. */
static int overflowing(const struct wish *wish, struct ioasid_error *err)
{
	uint64_t start = wish->iova;

	/* Which of the two it was. */
	if (!(wish->flags & IOASID_MAP_FIXED) ||
	    start + (wish->length - 1) >= start)
		start = wish->at;

	return fail_set(err, -EOVERFLOW, IOASID_ERROR_MAP_RANGE,
			"0x%" PRIx64 " bytes from 0x%" PRIx64
			" on are more than there are", wish->length, start);
}

/* no_room() - ENOSPC of a mapping. Return: it. */
static int no_room(const struct wish *wish, struct ioasid_error *err)
{
	if (wish->ioas == IOASID_SPACE_OF_CONTAINER) {
		(void)fail_set(err, -ENOSPC, IOASID_ERROR_MAP_FULL,
			       "the container has as many mappings as the "
			       "kernel allows one (dma_entry_limit of "
			       "vfio_iommu_type1)");
		return remedied(-ENOSPC, err, "Unmap something, or map larger "
				"pieces.");
	}
	(void)fail_set(err, -ENOSPC, IOASID_ERROR_MAP_FULL,
		       "no free addresses for %" PRIu64 " bytes in the windows "
		       "of space %" PRIu32, wish->length, wish->ioas);

	return remedied(-ENOSPC, err, "Unmap something, map smaller pieces, "
			"add a window, or say the address (IOASID_MAP_FIXED).");
}

/* explain_map() - See explain.h. */
int explain_map(int error, const struct wish *wish, struct ioasid_error *err)
{
	uint64_t last = last_of(wish->iova, wish->length);

	if (!err || explain_descriptor(error, call_of(wish), wish->iommufd,
				       context_of(wish->ioas), err))
		return -error;

	switch (error) {
	case EEXIST:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_TAKEN,
			       "space %" PRIu32 " has a mapping in 0x%" PRIx64
			       "-0x%" PRIx64, wish->ioas, wish->iova, last);
		return remedied(-error, err, "Unmap it first, whole.");
	case EINVAL:
		return invalid_map(wish, err);
	case ENOENT:
		return missing(wish, err);
	case EOVERFLOW:
		return overflowing(wish, err);
	case ENOSPC:
		return no_room(wish, err);
	case EFAULT:
	case EBADF:
		return no_memory(error, wish, err);
	case ENOMEM:
		return limited(wish->length, err);
	case EPERM:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_ACCESS,
			       "what space %" PRIu32 " maps at 0x%" PRIx64
			       " is for reading only", wish->from, wish->at);
		return remedied(-error, err, "Leave IOASID_MAP_WRITE out.");
	default:
		return other(error, call_of(wish), err);
	}
}

/* explain_unmap() - See explain.h. */
int explain_unmap(int error, int iommufd, uint32_t ioas, uint64_t iova,
		  uint64_t length, struct ioasid_error *err)
{
	const char *call = ioas == IOASID_SPACE_OF_CONTAINER ?
			   "VFIO_IOMMU_UNMAP_DMA" : "IOMMU_IOAS_UNMAP";
	uint64_t last = last_of(iova, length);
	struct usable usable;

	if (!err || explain_descriptor(error, call, iommufd, context_of(ioas),
				       err))
		return -error;

	switch (error) {
	case ENOENT:
		if (read_usable(iommufd, ioas, &usable) == -ENOENT)
			return no_object(ENOENT, "space", ioas, err);
		(void)fail_set(err, -error, IOASID_ERROR_NOT_MAPPED,
			       "space %" PRIu32 " maps nothing in 0x%" PRIx64
			       "-0x%" PRIx64 ", or a mapping sticks out of it",
			       ioas, iova, last);
		return remedied(-error, err,
				"Unmap whole mappings, as they were made.");
	case EINVAL:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"the length is 0");
	case EOVERFLOW:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_RANGE,
			       "0x%" PRIx64 " bytes from 0x%" PRIx64
			       " on are more than there are", length, iova);
		return remedied(-error, err, "ioasid_unmap_all() ends all.");
	case EBUSY:
		return fail_set(err, -error, IOASID_ERROR_IN_USE,
				"another thread is at work on a mapping in 0x%"
				PRIx64 "-0x%" PRIx64, iova, last);
	default:
		return other(error, call, err);
	}
}

/* --- objects --- */

/* explain_allow() - See explain.h. */
int explain_allow(int error, int iommufd, uint32_t ioas,
		  const struct ioasid_range *windows, size_t n,
		  struct ioasid_error *err)
{
	struct usable usable;

	if (!err)
		return -error;
	if (error == EINVAL)
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"windows overlap, or one has fewer than two "
				"addresses");
	if (error != EADDRINUSE || read_usable(iommufd, ioas, &usable) < 0)
		return explain_object(error, "IOMMU_IOAS_ALLOW_IOVAS", iommufd,
				      "space", ioas, err);

	for (size_t i = 0; i < n; i++) {
		if (is_usable(&usable, windows[i].start, windows[i].last))
			continue;
		(void)fail_set(err, -error, IOASID_ERROR_MAP_RANGE,
			       "window 0x%" PRIx64 "-0x%" PRIx64 " is not "
			       "usable with the devices of space %" PRIu32,
			       windows[i].start, windows[i].last, ioas);
		remedy_ranges(err, "Have windows within", &usable);
		return -error;
	}

	return other(error, "IOMMU_IOAS_ALLOW_IOVAS", err);
}

/* explain_object() - See explain.h. */
int explain_object(int error, const char *call, int iommufd, const char *kind,
		   uint32_t id, struct ioasid_error *err)
{
	if (!err || explain_descriptor(error, call, iommufd, "an iommufd", err))
		return -error;

	switch (error) {
	case ENOENT:
		return no_object(error, kind, id, err);
	case EBUSY:
		(void)fail_set(err, -error, IOASID_ERROR_IN_USE,
			       "something uses %s %" PRIu32, kind, id);
		return remedied(-error, err, "Detach its devices, and destroy "
				"the page tables made for it, first.");
	default:
		return other(error, call, err);
	}
}

/* explain_attach() - See explain.h. */
int explain_attach(int error, const char *call, int fd, const char *what,
		   uint32_t id, struct ioasid_error *err)
{
	if (err && error == ENODEV)
		return fail_set(err, -error, IOASID_ERROR_KERNEL,
				"%s: the simulated machine, or the device, is "
				"no more; or page table %" PRIu32 " has a fault "
				"queue, and the device asks for no pages", call,
				id);
	if (!err || explain_descriptor(error, call, fd, what, err))
		return -error;

	switch (error) {
	case ENOENT:
		return fail_set(err, -error, IOASID_ERROR_NO_OBJECT,
				"there is no space, page table or device of "
				"that id in this context: %" PRIu32, id);
	case EADDRINUSE:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_RANGE,
			       "space %" PRIu32 " maps, or promises by a "
			       "window, what the device reserves or its IOMMU "
			       "does not translate; or a mapping is not "
			       "aligned to pages", id);
		return remedied(-error, err, "Unmap it, or change the windows; "
				"the device's ranges are in its capabilities.");
	case EFAULT:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_MEMORY,
			       "space %" PRIu32 " maps memory that its process "
			       "has no more", id);
		return remedied(-error, err, "Unmap it.");
	case ENOMEM:
		(void)fail_set(err, -error, IOASID_ERROR_MAP_LIMIT,
			       "what space %" PRIu32 " maps is more than may "
			       "be locked (RLIMIT_MEMLOCK)", id);
		return remedied(-error, err,
				"Ask for a lease with more memlock.");
	case EBUSY:
		return fail_set(err, -error, IOASID_ERROR_IN_USE,
				"the device, or one of its group, is being "
				"reset");
	case EINVAL:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"the device is not bound, another one of its "
				"group is on another space than %" PRIu32
				", or a file that is mapped has become "
				"shorter", id);
	default:
		return other(error, call, err);
	}
}

/* explain_pin() - See explain.h. */
int explain_pin(int error, int iommufd, uint32_t ioas, uint32_t device,
		struct ioasid_error *err)
{
	struct usable usable;

	if (err && error == ENOENT)
		return no_object(error, "device", device, err);
	/* That is how this call says that there is no such space. */
	if (err && error == EINVAL &&
	    read_usable(iommufd, ioas, &usable) == -ENOENT)
		return no_object(error, "space", ioas, err);

	return explain_attach(error, "IOMMU_HWPT_ALLOC", iommufd, "an iommufd",
			      ioas, err);
}
