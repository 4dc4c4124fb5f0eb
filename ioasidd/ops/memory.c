/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c - memfds of guarded leases: made here, and looked at when they come
 * back
 *
 * What comes is a stranger's, but it is memory, whatever file system that is of
 * (base/receive.h): fstat(2) and the like do not wait for him.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/receive.h"
#include "base/str.h"
#include "ops/guarded.h"

#define PAGE_SIZE UINT64_C(4096)

/* Sizes of pages that hugetlbfs may have, as powers of two: 64 KiB to 16 GiB. */
#define HUGE_FIRST 16
#define HUGE_LAST 34

/* <linux/memfd.h> and <linux/fcntl.h>, of which glibc has not all. */
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/**
 * struct kind - A file system that memfds are of
 * @there:	This host has it
 * @dev:	Its st_dev
 */
struct kind {
	bool there;
	dev_t dev;
};

/* What this host has; filled once. kinds[0] is the one of small pages, kinds[n]
 * that of pages of 2^n bytes.
 */
static struct kind kinds[HUGE_LAST + 1];
static pthread_once_t kinds_once = PTHREAD_ONCE_INIT;

/**
 * make() - Make a memfd
 * @name:	Shown as /memfd:<name>
 * @order:	0, or of its pages: 2^order bytes
 *
 * Return: the descriptor or -errno.
 */
static int make(const char *name, unsigned int order)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	if (order)
		flags |= MFD_HUGETLB | order << MFD_HUGE_SHIFT;
	fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

/**
 * find_kinds() - Find out which memfds there are, by making one of each
 */
static void find_kinds(void)
{
	struct stat st;

	for (unsigned int i = 0; i <= HUGE_LAST; i++) {
		_cleanup_fd_ int fd = -1;

		if (i && i < HUGE_FIRST)
			continue;
		fd = make("ioasid-probe", i);
		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		kinds[i] = (struct kind){ true, st.st_dev };
	}
}

/**
 * order_of() - Which kind has pages of a size?
 *
 * Return: 0 for small ones; -EINVAL if there is none.
 */
static int order_of(uint64_t page_size)
{
	(void)pthread_once(&kinds_once, find_kinds); /* never fails */
	if (!page_size)
		return 0;
	for (int i = HUGE_FIRST; i <= HUGE_LAST; i++)
		if (page_size == UINT64_C(1) << i && kinds[i].there)
			return i;
	return -EINVAL;
}

/**
 * find_kind() - Of which kind is a file?
 * @ret_page_size:	As of struct memory
 *
 * Return: false: of none.
 */
static bool find_kind(const struct stat *st, uint64_t *ret_page_size)
{
	(void)pthread_once(&kinds_once, find_kinds); /* never fails */
	for (size_t i = 0; i <= HUGE_LAST; i++) {
		if (!kinds[i].there || kinds[i].dev != st->st_dev)
			continue;
		*ret_page_size = i ? UINT64_C(1) << i : 0;
		return true;
	}
	return false;
}

/**
 * memory_is_memfd() - See guarded.h
 */
bool memory_is_memfd(int fd)
{
	uint64_t page_size;
	struct stat st;

	return fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &st) == 0 &&
	       find_kind(&st, &page_size);
}

/* --- making it --- */

/**
 * struct making - A memfd that is made
 * @lease:	Name of the lease
 * @memory:	What it is
 */
struct making {
	const char *lease;
	struct memory memory;
};

/* put() - Write it; a store_fn. */
static int put(struct store_tx *tx, void *data, struct error *err)
{
	const struct making *making = data;

	return store_put_memory(tx, making->lease, &making->memory, err);
}

/* drop() - Forget it; a store_fn. */
static int drop(struct store_tx *tx, void *data, struct error *err)
{
	const struct making *making = data;

	return store_drop_memory(tx, making->lease, making->memory.inode, err);
}

/**
 * make_for() - Make the memfd of a lease
 * @making:	Size and page size; gets the inode
 *
 * Return: 0; -EINVAL memory.range, memory.page-size; -errno.
 */
static int make_for(struct making *making, int *ret, struct error *err)
{
	const struct memory *memory = &making->memory;
	const uint64_t page = memory->page_size ?: PAGE_SIZE;
	int order = order_of(memory->page_size);
	_cleanup_fd_ int fd = -1;
	struct stat st;
	char name[64];

	if (order < 0)
		return error_set(err, -EINVAL, ERROR_MEMORY_PAGE_SIZE,
				 "the host has no pages of %llu bytes",
				 (unsigned long long)memory->page_size);
	if (!memory->size || memory->size % page || memory->size > INT64_MAX)
		return error_set(err, -EINVAL, ERROR_MEMORY_RANGE,
				 "field size: not a multiple of %llu, the size of its pages",
				 (unsigned long long)page);
	str_format(name, sizeof(name), "ioasid-lease-%s",
		   str_starts(making->lease, "leases/"));
	fd = make(name, (unsigned int)order);
	if (fd < 0)
		return error_set(err, fd, ERROR_KERNEL_SYSTEM,
				 "memfd_create: %m");
	if (ftruncate(fd, (off_t)memory->size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "make a memfd of %llu bytes: %m",
				 (unsigned long long)memory->size);
	making->memory.inode = st.st_ino;
	*ret = TAKE_FD(fd);
	return 0;
}

/**
 * remember() - Make durable that a memfd is the lease's
 *
 * Return: 0; -EAGAIN limit.memories; -EIO.
 */
static int remember(struct host *host, struct lease *lease,
		    struct making *making, struct error *err)
{
	int r;

	if (mapped_made(lease->mapped, &making->memory) < 0)
		return error_set(err, -EAGAIN, ERROR_LIMIT_MEMORIES,
				 "%s has %d memfds", lease->name,
				 MEMORIES_MAX);
	r = store_write(host->store, put, making, err);
	if (r < 0)
		mapped_forget(lease->mapped, making->memory.inode);
	return r;
}

/**
 * memory_create() - See guarded.h
 */
int memory_create(struct host *host, const struct caller *caller,
		  const char *name, uint64_t size, uint64_t page_size,
		  int (*send)(void *data, uint64_t memory, int fd),
		  void *data, struct error *err)
{
	struct making making = {
		.lease = name,
		.memory = { .size = size, .page_size = page_size },
	};
	_cleanup_fd_ int fd = -1;
	struct lease *lease;
	int r;

	r = guarded_begin(host, caller, name, &lease, err);
	if (r < 0)
		return r;
	r = make_for(&making, &fd, err);
	if (r == 0)
		r = remember(host, lease, &making, err);
	if (r == 0) {
		r = send(data, making.memory.inode, fd);
		if (r < 0) {
			mapped_forget(lease->mapped, making.memory.inode);
			(void)store_write(host->store, drop, &making,
					  NULL); /* kept in vain */
			error_set(err, r, ERROR_LEASE_PEER_UNREACHABLE,
				  "the memfd could not be sent to process %d: %m",
				  (int)caller->process.pid);
		}
	}
	error_object(r < 0 ? err : NULL, "%s", name);
	guarded_done(lease);
	return r;
}

/* --- looking at it --- */

/**
 * what_is() - What is it that was not received?
 *
 * Return: words.
 */
static const char *what_is(int kind)
{
	switch (kind) {
	case RECEIVE_PIPE:
		return "a pipe";
	case RECEIVE_SOCKET:
		return "a socket";
	case RECEIVE_DMABUF:
		return "a dma-buf";
	case RECEIVE_KERNEL:
		return "an object of the kernel";
	default:
		return "a file, a device, or open as a path alone";
	}
}

/**
 * look_seals() - Is it memory that cannot shrink, and of whom?
 *
 * Each kind counts its inodes itself: a memfd of another kind with the number of
 * one that we have made is not that one.
 *
 * Return: 0; -EINVAL memory.not-memory, memory.not-ours, memory.shrinkable.
 */
static int look_seals(struct looked *it, struct mapped *mapped,
		      struct error *err)
{
	int seals = it->fd < 0 ? -1 : fcntl(it->fd, F_GET_SEALS);
	uint64_t page_size;
	struct stat st;

	if (seals < 0)
		return error_set(err, -EINVAL, ERROR_MEMORY_NOT_MEMORY,
				 "it is %s", what_is(it->fd));
	if (fstat(it->fd, &st) < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "fstat: %m");
	if (!find_kind(&st, &page_size))
		return error_set(err, -EINVAL, ERROR_MEMORY_NOT_MEMORY,
				 "it is a file of a file system in memory, such as /dev/shm, which has a name");
	if (!(seals & F_SEAL_SHRINK))
		return error_set(err, -EINVAL, ERROR_MEMORY_SHRINKABLE,
				 "it has no F_SEAL_SHRINK");
	if (!mapped_memory(mapped, st.st_ino, &it->memory) ||
	    it->memory.page_size != page_size)
		return error_set(err, -EINVAL, ERROR_MEMORY_NOT_OURS,
				 "it is a memfd that was not made for this lease");
	it->size = (uint64_t)st.st_size;
	it->full = (uint64_t)st.st_blocks * 512 >= it->size;
	it->sealed = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	return 0;
}

/**
 * memory_look() - See guarded.h
 */
void memory_look(int fd, struct mapped *mapped, struct looked *ret)
{
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);

	*ret = (struct looked){ .fd = fd };
	ret->readable = (flags & O_ACCMODE) != O_WRONLY;
	ret->writable = (flags & O_ACCMODE) == O_RDWR;
	ret->r = look_seals(ret, mapped, &ret->why);
}

/**
 * check_pages() - Are the pages of a part there?
 *
 * A page that was allocated and never written is a hole to lseek(2), seen on
 * 6.18; and hugetlbfs knows no holes. But what cannot grow has no blocks beyond
 * its end, so with as many as it is large it has all of its pages.
 *
 * Return: 0; -EINVAL memory.not-populated.
 */
static int check_pages(const struct looked *looked,
		       const struct mapping *mapping, struct error *err)
{
	const uint64_t end = mapping->offset + mapping->length;
	off_t hole;

	if (looked->full)
		return 0;
	if (looked->memory.page_size)
		return error_set(err, -EINVAL, ERROR_MEMORY_NOT_POPULATED,
				 "memory of huge pages has to have all of them");
	hole = lseek(looked->fd, (off_t)mapping->offset, SEEK_HOLE);
	if (hole < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "lseek: %m");
	if ((uint64_t)hole < end)
		return error_set(err, -EINVAL, ERROR_MEMORY_NOT_POPULATED,
				 "there is no page at offset 0x%llx",
				 (unsigned long long)hole);
	return 0;
}

/**
 * memory_check() - See guarded.h
 */
int memory_check(const struct looked *looked, const struct mapping *mapping,
		 struct error *err)
{
	if (!looked->readable)
		return error_set(err, -EINVAL, ERROR_MEMORY_READ_ONLY,
				 "the descriptor is open for writing only");
	if (mapping->writable && looked->sealed)
		return error_set(err, -EINVAL, ERROR_MEMORY_SEALED,
				 "it has F_SEAL_WRITE or F_SEAL_FUTURE_WRITE");
	if (mapping->writable && !looked->writable)
		return error_set(err, -EINVAL, ERROR_MEMORY_READ_ONLY,
				 "the descriptor is open for reading only");
	if (mapping->offset > looked->size ||
	    mapping->length > looked->size - mapping->offset)
		return error_set(err, -EINVAL, ERROR_MEMORY_RANGE,
				 "0x%llx bytes at offset 0x%llx are beyond its end, 0x%llx",
				 (unsigned long long)mapping->length,
				 (unsigned long long)mapping->offset,
				 (unsigned long long)looked->size);
	return check_pages(looked, mapping, err);
}
