/* SPDX-License-Identifier: Apache-2.0
 *
 * space.h - spaces: the I/O address spaces of a lease that ioasidd keeps
 *
 * Pure. A space is part of its lease, and is guarded and copied with it.
 */
#ifndef IOASIDD_MODEL_SPACE_H
#define IOASIDD_MODEL_SPACE_H

#include "base/str.h"
#include "model/request.h"
#include "model/window.h"

/* Of one lease. A lease with as many, each with as many windows and labels, has
 * to fit a packet together with all else that it has.
 */
#define SPACES_MAX 16

/* Of one space. */
#define SPACE_LABELS_MAX 16

/**
 * struct space - One I/O address space
 * @name:	"spaces/<ULID>"
 * @windows:	What it promises, by address; @n_windows of them
 * @devices:	Names of those on it
 * @labels:	Pairs: key, value, key, value
 * @kernel_id:	The IOAS in the lease's iommufd; 0 if there is none now, or it is
 *		a container's own
 * @ranges:	Where memory can be mapped with these devices, as the kernel said
 *		last; @n_ranges of them
 * @alignment:	Of every mapping, bytes; likewise
 * @created_us:	When it was made
 * @request_id:	Of the request that made it alone; empty for none
 * @fingerprint: Of that request
 * @maker:	Who asked for it, see struct caller
 */
struct space {
	char name[NAME_SIZE];
	struct window *windows;
	size_t n_windows;
	struct strv devices;
	struct strv labels;
	uint32_t kernel_id;
	struct kernel_range *ranges;
	size_t n_ranges;
	uint64_t alignment;
	uint64_t created_us;
	char request_id[REQUEST_ID_MAX + 1];
	char fingerprint[REQUEST_FINGERPRINT_SIZE];
	char maker[PRINCIPAL_SIZE];
};

/**
 * struct space_wish - A space that somebody needs
 * @windows:	What it is to promise; @n_windows of them
 * @devices:	Names of the lease's that are to be on it
 * @labels:	Pairs: key, value, key, value
 */
struct space_wish {
	struct window_wish *windows;
	size_t n_windows;
	struct strv devices;
	struct strv labels;
};

#define SPACE_NULL ((struct space){ .devices = STRV_NULL, .labels = STRV_NULL })

/* space_deinit() - Free what it has; it is empty afterwards. */
void space_deinit(struct space *space);

#define _cleanup_space_ __attribute__((cleanup(space_deinit)))

/* space_copy() - Copy all of it. Return: 0; -ENOMEM: @ret is empty. */
int space_copy(const struct space *space, struct space *ret);

#endif
