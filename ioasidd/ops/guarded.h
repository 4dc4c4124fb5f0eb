/* SPDX-License-Identifier: Apache-2.0
 *
 * guarded.h - leases whose holder has no iommufd: we map its memory for it
 *
 * DOC: Theory of Operation
 *
 * Who has a bound cdev can attach the device to every object of its iommufd, by
 * ids that are easily guessed, and detach it. So a guarded lease's context has
 * nothing but spaces, all with the same windows, and in a space nothing but what
 * was mapped here: inside the windows, and within what the lease may pin.
 *
 * Mapped are memfds that we have made for this lease (memory_create()), which
 * cannot shrink, and whose pages are there: their holder has put them there, and
 * they are charged to its control group. What is beyond that is looked at each
 * time a descriptor comes back (memory_look()), since the kernel looks at
 * nothing. We neither map nor read it. A hole that is punched after it was mapped
 * costs as much once more, since the pinned page stays: that is bounded by what
 * may be pinned.
 *
 * A change of what is mapped has it taken (mapped->busy, see mapped.h) from its
 * check to its end: guarded_take(). Rows are durable before the kernel is asked
 * to map, and go when the kernel has unmapped, with one commit a request each.
 * Large mappings are made in pieces, and between two of them it is looked at
 * whether there is still somebody to map for: the fence waits for one piece, not
 * for a request (guarded_end()).
 */
#ifndef IOASIDD_OPS_GUARDED_H
#define IOASIDD_OPS_GUARDED_H

#include "ops/ops.h"

/* What the kernel is asked to map at once: a page that is pinned takes some
 * 100 ns, and nobody can interrupt that.
 */
#define MAP_PIECE (UINT64_C(1) << 30)

/* Refusals with words of their own in one answer; what else is refused is told by
 * the kind alone.
 */
#define REFUSALS_OWN 64
#define REFUSALS_MAX 128

/**
 * struct refusal - Why something was not mapped or unmapped
 * @kind:	The error
 * @msg:	Its words
 * @object:	What it is about
 */
struct refusal {
	enum error_id kind;
	char msg[256];
	char object[NAME_SIZE];
};

/**
 * struct outcome - What has become of the entries of a request
 * @results:	One for each: 0, or the number of its refusal, from 1 on; the
 *		caller's
 * @refusals:	@n_refusals of them, at most REFUSALS_MAX; to be freed
 * @bytes:	How much was mapped, or unmapped
 */
struct outcome {
	uint32_t *results;
	struct refusal *refusals;
	size_t n_refusals;
	uint64_t bytes;
};

/**
 * struct map_wish - A piece of memory that is to be mapped
 * @space:	Name of the space
 * @descriptor:	Which of the descriptors
 * @mapping:	What, and where; its @memory is found
 */
struct map_wish {
	const char *space;
	uint32_t descriptor;
	struct mapping mapping;
};

/**
 * struct unmap_wish - A range that is to be unmapped
 * @space:	Name of the space
 * @iova:	Where
 * @length:	How much; UINT64_MAX with @iova 0 for all
 */
struct unmap_wish {
	const char *space;
	uint64_t iova, length;
};

/**
 * memory_create() - Make a memfd for a lease (Memory.CreateMemory)
 * @lease:	Its name
 * @page_size:	0, or of hugetlbfs
 * @send:	Sends the reply with the descriptor, once all else is done
 *
 * Return: 0: it was sent; -errno, as in memory.proto: there is none.
 */
int memory_create(struct host *host, const struct caller *caller,
		  const char *lease, uint64_t size, uint64_t page_size,
		  int (*send)(void *data, uint64_t memory, int fd),
		  void *data, struct error *err);

/**
 * memory_map() - Map memory for a lease (MapMemory)
 * @fds:	What came with the request; borrowed, @n_fds of them
 * @wishes:	@n of them
 * @outcome:	Has room for @n results
 *
 * Return: 0: each has its result; -errno, as in memory.proto: nothing is mapped.
 */
int memory_map(struct host *host, const struct caller *caller,
	       const char *lease, const int *fds, size_t n_fds,
	       const struct map_wish *wishes, size_t n,
	       struct outcome *outcome, struct error *err);

/* memory_unmap() - Unmap (UnmapMemory). Return: likewise; -EIO: some may be. */
int memory_unmap(struct host *host, const struct caller *caller,
		 const char *lease, const struct unmap_wish *wishes, size_t n,
		 struct outcome *outcome, struct error *err);

/* outcome_refuse() - The @i-th entry is refused, for the reason in @err. */
void outcome_refuse(struct outcome *outcome, size_t i,
		    const struct error *err);

/* memory_is_memfd() - Is it of a memfd, of whoever? */
bool memory_is_memfd(int fd);

/* guarded_holder() - Does the caller hold a guarded lease now? */
bool guarded_holder(struct host *host, const struct caller *caller);

/* guarded_check_store() - Would somebody keep a lease, if it needs that?
 * Return: 0; -ENOTCONN store.absent.
 */
int guarded_check_store(const struct lease *lease, struct error *err);

/* guarded_take() - Take what is mapped for a lease, waiting for who has it.
 * Return: it, for guarded_leave(); NULL if it is not of this mode.
 */
struct mapped *guarded_take(const struct lease *lease);

/* guarded_leave() - Let go of it; NULL is allowed. */
void guarded_leave(struct mapped *mapped);

/* guarded_end() - From now on nothing is mapped for a lease; nothing for one of
 * another mode.
 */
void guarded_end(const struct lease *lease);

/**
 * guarded_fence() - See that nothing stays mapped for a lease that nobody will
 *		     keep; it is logged if that fails
 * @lease:	Of this mode, or a copy of it; ours, and kept
 */
void guarded_fence(struct host *host, struct lease *lease);

/* guarded_stop() - We end: see that nothing stays mapped for leases that nobody
 * keeps. No worker is left.
 */
void guarded_stop(struct host *host);

/* --- of memory.c, for map.c --- */

/**
 * struct looked - What is known of a descriptor
 * @fd:		It; borrowed
 * @r:		0; or -errno with @why: it cannot be mapped at all
 * @memory:	Which memory it is
 * @size:	How large it is now, bytes
 * @writable:	It may be written through this descriptor, and no seal forbids
 * @readable:	It may be read
 * @sealed:	A seal forbids to write
 * @full:	All pages of it are there
 */
struct looked {
	int fd;
	int r;
	struct error why;
	struct memory memory;
	uint64_t size;
	bool writable, readable, sealed, full;
};

/* memory_look() - Look at what a stranger has sent. Never waits for him. */
void memory_look(int fd, struct mapped *mapped, struct looked *ret);

/**
 * memory_check() - Can a part of it be mapped?
 * @looked:	The memory, which can be
 * @mapping:	Which part, and how
 *
 * Return: 0; -errno memory.read-only, memory.sealed, memory.range,
 * memory.not-populated.
 */
int memory_check(const struct looked *looked, const struct mapping *mapping,
		 struct error *err);

/**
 * guarded_begin() - Take a lease for its holder
 * @name:	The lease
 * @ret:	A copy of it; guarded_done()
 *
 * Return: 0; -ENOENT lease.not-found; -EINVAL memory.mode, lease.state; -EPERM
 * lease.not-claimant; -ESTALE context.lost; -EBUSY device.busy.
 */
int guarded_begin(struct host *host, const struct caller *caller,
		  const char *name, struct lease **ret, struct error *err);

/* guarded_done() - Let go of it. */
void guarded_done(struct lease *lease);

/* guarded_over() - Is there nobody to map for any more? */
bool guarded_over(const struct lease *lease, const struct caller *caller);

#endif
