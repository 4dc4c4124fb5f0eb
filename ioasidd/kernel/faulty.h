/* SPDX-License-Identifier: Apache-2.0
 *
 * faulty.h - a machine whose calls can fail, in builds with FAULTS=1 alone
 */
#ifndef IOASIDD_KERNEL_FAULTY_H
#define IOASIDD_KERNEL_FAULTY_H

#include <errno.h>

#include "kernel/kernel.h"

#ifdef IOASID_FAULTS

/**
 * kernel_faulty_consume() - Let every call of a machine pass fault_point()
 * @real:	The machine; ends with the one in front of it, and on failure
 * @ret:	Ends with its ops->free()
 *
 * A call that lies is done and fails, or, if it reads, answers something that
 * could be true and is not.
 *
 * Return: 0 or -ENOMEM.
 */
int kernel_faulty_consume(struct kernel *real, struct kernel **ret,
			  struct error *err);

#else

static inline int kernel_faulty_consume(struct kernel *real,
					struct kernel **ret,
					struct error *err)
{
	*ret = real;
	return 0;
}

#endif
#endif
