/* SPDX-License-Identifier: Apache-2.0
 *
 * mapped.h - what is mapped for a guarded lease
 *
 * DOC: Theory of Operation
 *
 * A guarded lease can have tens of thousands of mappings, so they are no part of
 * what is copied with it: all copies of the lease share one struct mapped. What
 * it says is never less than what the kernel has: a mapping is entered, and
 * durable, before the kernel makes it, and taken out after it has ended there.
 *
 * One operation at a time changes it, or anything that its check has looked at:
 * maps, unmaps, new windows, the end of a space, the fence. It holds @busy, over
 * calls into the kernel. Who holds @busy takes neither the registry's lock, but
 * for a look, nor claims devices (lease_own()) meanwhile; the other way around is
 * right. @lock is for readers, who wait for nobody.
 */
#ifndef IOASIDD_MODEL_MAPPED_H
#define IOASIDD_MODEL_MAPPED_H

#include <pthread.h>

#include "base/str.h"
#include "model/window.h"

/* Of one lease. A guest of 128 GiB in pieces of 2 MiB has as many. */
#define MAPPINGS_MAX 65536

/* Memfds that are made for one lease. */
#define MEMORIES_MAX 256

/**
 * struct mapping - Memory at an address
 * @iova:	Where, bytes
 * @length:	How much, bytes, not 0
 * @memory:	Of which, see struct memory
 * @offset:	From where on in it, bytes
 * @writable:	For devices
 */
struct mapping {
	uint64_t iova, length, memory, offset;
	bool writable;
};

/**
 * struct memory - A memfd that we have made for a lease
 * @inode:	Its number, unique for a boot
 * @size:	Bytes, when it was made
 * @page_size:	Of hugetlbfs, bytes; 0 for other memory
 */
struct memory {
	uint64_t inode, size, page_size;
};

struct mapped_space;

/**
 * struct mapped - What is mapped for one lease
 * @refs:	Every thread
 * @busy:	Held by the operation that is at work
 * @closed:	It is over: no more is mapped
 * @lock:	Guards what follows; changed with @busy held too
 * @spaces:	Those with mappings, by name; @n_spaces of them
 * @memories:	What was made; @n_memories of them
 * @n:		Mappings
 * @bytes:	How much they pin
 */
struct mapped {
	_Atomic unsigned int refs;
	pthread_mutex_t busy;
	_Atomic bool closed;
	pthread_mutex_t lock;
	struct mapped_space *spaces;
	size_t n_spaces;
	struct memory memories[MEMORIES_MAX];
	size_t n_memories;
	size_t n;
	uint64_t bytes;
};

/* mapped_new() - Nothing is mapped. Return: NULL without memory. */
struct mapped *mapped_new(void);

/* mapped_ref() - Hold on to it; NULL is allowed. Return: @mapped. */
struct mapped *mapped_ref(struct mapped *mapped);

/* mapped_unref() - Let go; NULL is allowed. Return: NULL. */
struct mapped *mapped_unref(struct mapped *mapped);

/* mapping_inside() - Is all of a mapping inside one of the windows? */
bool mapping_inside(const struct mapping *mapping,
		    const struct window *windows, size_t n);

/**
 * mapped_add() - Enter a mapping
 * @space:	Name of the space
 * @mapping:	Does not wrap
 * @limit:	How much may be pinned in all, bytes
 * @ret_other:	With -EEXIST: what is there
 *
 * Return: 0; -EEXIST; -ENOSPC: there are MAPPINGS_MAX; -EDQUOT; -ENOMEM.
 */
int mapped_add(struct mapped *mapped, const char *space,
	       const struct mapping *mapping, uint64_t limit,
	       struct mapping *ret_other);

/* mapped_remove() - Take out the mapping that begins there, if there is one. */
void mapped_remove(struct mapped *mapped, const char *space, uint64_t iova);

/**
 * mapped_next() - The first mapping of a space that ends at or after an address
 *
 * Return: true; false if there is none.
 */
bool mapped_next(struct mapped *mapped, const char *space, uint64_t iova,
		 struct mapping *ret);

/* mapped_drop_space() - Nothing is mapped in a space any more. */
void mapped_drop_space(struct mapped *mapped, const char *space);

/* mapped_clear() - Nothing is mapped any more, in any space. */
void mapped_clear(struct mapped *mapped);

/**
 * mapped_count() - How much is mapped
 * @space:	In this one; NULL for all
 */
void mapped_count(struct mapped *mapped, const char *space, size_t *ret_n,
		  uint64_t *ret_bytes);

/* mapped_made() - Enter a memfd. Return: 0; -ENOSPC: there are MEMORIES_MAX. */
int mapped_made(struct mapped *mapped, const struct memory *memory);

/* mapped_forget() - Take one out again. */
void mapped_forget(struct mapped *mapped, uint64_t inode);

/* mapped_memory() - Was it made for this lease? */
bool mapped_memory(struct mapped *mapped, uint64_t inode, struct memory *ret);

#endif
