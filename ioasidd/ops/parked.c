/* SPDX-License-Identifier: Apache-2.0
 *
 * parked.c - descriptors of hold and guarded leases that the service manager has
 * kept while we were not there
 */
#include "ops/parked.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "store/fdstore.h"

/* The first descriptor that a process is given; those before are stdio. */
#define FIRST_FD 3

/**
 * struct one - A descriptor
 * @name:	Its name with the manager
 * @fd:		-1 once it is taken out
 */
struct one {
	char name[FDSTORE_NAME_MAX + 1];
	int fd;
};

/**
 * struct parked - All of them
 */
struct parked {
	struct one *all;
	size_t n;
};

/**
 * want() - Is it one of ours? For fdstore_take()
 * @data:	struct parked
 *
 * Whose it is, and whether it is what it says, is looked at when the database
 * has been read.
 */
static bool want(void *data, const char *name, int fd)
{
	struct parked *parked = data;
	struct one *more;

	if (!str_starts(name, "iommufd-") && !str_starts(name, "cdev-") &&
	    !str_starts(name, "faults-") && !str_starts(name, "container-") &&
	    !str_starts(name, "group-"))
		return false;
	more = reallocarray(parked->all, parked->n + 1, sizeof(*more));
	if (!more)
		return false;
	parked->all = more;
	more[parked->n].fd = fd;
	(void)str_copy(more[parked->n++].name, sizeof(more->name),
		       name); /* as long */
	return true;
}

/* parked_take() - See parked.h */
int parked_take(struct parked **ret, struct error *err)
{
	struct parked *parked = calloc(1, sizeof(*parked));
	int r;

	if (!parked)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	r = fdstore_take(want, parked, err);
	if (r < 0) {
		parked_free(parked);
		return r;
	}
	*ret = parked;
	return 0;
}

/* parked_top() - See parked.h */
int parked_top(const struct parked *parked)
{
	int top = FIRST_FD;

	for (size_t i = 0; parked && i < parked->n; i++)
		if (parked->all[i].fd >= top)
			top = parked->all[i].fd + 1;
	return top;
}

/* parked_find() - See parked.h */
int parked_find(struct parked *parked, const char *name)
{
	for (size_t i = 0; parked && i < parked->n; i++)
		if (str_eq(parked->all[i].name, name))
			return TAKE_FD(parked->all[i].fd);
	return -1;
}

/* parked_drop() - See parked.h */
void parked_drop(struct parked *parked)
{
	struct error err = ERROR_NULL;

	for (size_t i = 0; parked && i < parked->n; i++) {
		if (parked->all[i].fd < 0)
			continue;
		parked->all[i].fd = fd_close(parked->all[i].fd);
		if (fdstore_remove(parked->all[i].name, &err) < 0)
			log_problem(LOG_LEVEL_WARNING, &err,
				    "'%s' is kept in vain",
				    parked->all[i].name);
	}
}

/* parked_free() - See parked.h */
struct parked *parked_free(struct parked *parked)
{
	if (!parked)
		return NULL;
	while (parked->n)
		fd_close(parked->all[--parked->n].fd);
	free(parked->all);
	free(parked);
	return NULL;
}
