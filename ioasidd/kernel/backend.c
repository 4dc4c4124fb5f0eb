/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.c - the names of backends
 */
#include <assert.h>
#include <errno.h>

#include "base/str.h"
#include "kernel/kernel.h"

static const char *const names[] = { "none", "iommufd", "type1", "spapr" };
static_assert(ARRAY_SIZE(names) == KERNEL_BACKEND_COUNT,
	      "every backend has its name");

/* kernel_backend_name() - "none", "iommufd", "type1", "spapr" */
const char *kernel_backend_name(enum kernel_backend backend)
{
	return names[backend];
}

/* kernel_backend_from_name() - Its reverse */
int kernel_backend_from_name(const char *name, enum kernel_backend *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!str_eq(name, names[i]))
			continue;
		*ret = (enum kernel_backend)i;
		return 0;
	}
	return -EINVAL;
}
