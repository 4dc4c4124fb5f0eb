/* SPDX-License-Identifier: Apache-2.0
 *
 * ioas.h - an I/O address space: where memory may be mapped, and what is
 *
 * DOC: Theory of Operation
 *
 * Pure: no system calls, no locks, no memory behind the mappings. A space knows
 * four things, each a sorted or short array:
 *
 *	areas		what is mapped; disjoint, sorted by address
 *	reserved	what cannot be: outside of a page table's aperture, or
 *			reserved by a device. Each has an owner, with whom it
 *			goes; they may overlap
 *	windows		what every attachment has to leave usable
 *	tables		the alignment that each page table asks for
 *
 * Addresses are bytes, ranges inclusive. A space without page tables has one
 * range, all 64 bits, and no alignment.
 */
#ifndef IOASIDD_KERNEL_SIM_IOAS_H
#define IOASIDD_KERNEL_SIM_IOAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

struct sim_memory;

/**
 * struct sim_area - A mapping, or a part of one that came from several
 * @iova:	First address
 * @last:	Last address
 * @memory:	What is mapped; the caller's, nothing here looks at it
 * @offset:	Where in @memory it begins, bytes
 * @readable:	By devices
 * @writeable:	By devices
 */
struct sim_area {
	uint64_t iova, last;
	struct sim_memory *memory;
	uint64_t offset;
	bool readable, writeable;
};

/**
 * struct sim_windows - Disjoint ranges, sorted
 * @ranges:	@n of them
 */
struct sim_windows {
	struct kernel_range *ranges;
	size_t n;
};

struct sim_reserved {
	struct kernel_range range;
	const void *owner;
};

struct sim_table_need {
	const void *owner;
	uint64_t alignment;
};

/**
 * struct sim_ioas - A space
 * @alignment:		Of every mapping, bytes; a power of two
 * @small_pages:	IOMMU_OPTION_HUGE_PAGES is 0
 */
struct sim_ioas {
	struct sim_area *areas;
	size_t n_areas;
	struct sim_reserved *reserved;
	size_t n_reserved;
	struct sim_windows windows;
	struct sim_table_need *tables;
	size_t n_tables;
	uint64_t alignment;
	bool small_pages;
};

/* sim_ioas_init() - An empty space. */
void sim_ioas_init(struct sim_ioas *ioas);

/* sim_ioas_deinit() - What areas hold is the caller's to release before. */
void sim_ioas_deinit(struct sim_ioas *ioas);

/* --- mappings --- */

/* sim_ioas_find() - The first area that ends at @iova or later. Return: its
 * place in areas; n_areas for none.
 */
size_t sim_ioas_find(const struct sim_ioas *ioas, uint64_t iova);

/**
 * sim_ioas_check() - May a mapping be put there?
 *
 * Windows are not asked: they bind devices, not mappings.
 *
 * Return: 0; -EINVAL: not aligned, or reserved; -EOVERFLOW: wraps; -EEXIST:
 * something is mapped there.
 */
int sim_ioas_check(const struct sim_ioas *ioas, uint64_t iova, uint64_t length);

/**
 * sim_ioas_place() - Find room for a mapping, in the windows if there are any
 * @address:	Where the memory is in its process or file: the place has the
 *		same offset in its page, and its alignment up to 2 MiB
 * @ret_iova:	The lowest that suits; never in page 0
 *
 * Return: 0; -ENOSPC; -EOVERFLOW: half of all addresses or more; -EINVAL: what
 * @address allows is less than the space's alignment.
 */
int sim_ioas_place(const struct sim_ioas *ioas, uint64_t address,
		   uint64_t length, uint64_t *ret_iova);

/* sim_ioas_insert() - Add an area where sim_ioas_check() has found room.
 * Return: 0; -EINVAL: its memory is not aligned; -ENOMEM.
 */
int sim_ioas_insert(struct sim_ioas *ioas, const struct sim_area *area);

/* sim_ioas_remove() - Forget @n areas from place @at on. */
void sim_ioas_remove(struct sim_ioas *ioas, size_t at, size_t n);

/* --- ranges --- */

/**
 * sim_ioas_ranges() - Where memory can be mapped
 * @ret:	To be freed; sorted, never adjacent
 *
 * Return: 0 or -ENOMEM.
 */
int sim_ioas_ranges(const struct sim_ioas *ioas, struct kernel_range **ret,
		    size_t *ret_n);

/**
 * sim_ioas_reserve() - A device or page table reserves a range
 * @owner:	With whom it goes
 *
 * Return: 0; -EADDRINUSE: something is mapped there, or it is in a window;
 * -ENOMEM.
 */
int sim_ioas_reserve(struct sim_ioas *ioas, uint64_t start, uint64_t last,
		     const void *owner);

/* sim_ioas_unreserve() - All that @owner has reserved. */
void sim_ioas_unreserve(struct sim_ioas *ioas, const void *owner);

/**
 * sim_ioas_add_table() - A page table is to translate the space
 * @aperture:	What it can
 * @alignment:	What it needs; a power of two
 *
 * Return: 0; -EADDRINUSE: a mapping or window is where it cannot, or a mapping
 * is not aligned: nothing has changed; -EINVAL: pages longer than ours;
 * -ENOMEM.
 */
int sim_ioas_add_table(struct sim_ioas *ioas,
		       const struct kernel_range *aperture, uint64_t alignment,
		       const void *owner);

void sim_ioas_remove_table(struct sim_ioas *ioas, const void *owner);

/**
 * sim_ioas_huge_pages() - Allow or forbid pages longer than ours
 *
 * Return: 0; -EINVAL: to forbid, with page tables and mappings in them;
 * -EADDRINUSE: to forbid, with a mapping that is not aligned to pages.
 */
int sim_ioas_huge_pages(struct sim_ioas *ioas, bool allow);

/* --- windows --- */

#define SIM_WINDOWS_NULL { NULL, 0 }

/* sim_windows_add() - Return: 0; -EINVAL: empty or of one address, or meets
 * another; -ENOMEM.
 */
int sim_windows_add(struct sim_windows *windows,
		    const struct kernel_range *range);

void sim_windows_deinit(struct sim_windows *windows);

/**
 * sim_ioas_allow() - Replace the windows
 * @windows:	Has the old ones afterwards; on failure as before
 *
 * Return: 0; -EADDRINUSE: one meets what is reserved.
 */
int sim_ioas_allow(struct sim_ioas *ioas, struct sim_windows *windows);

#endif
