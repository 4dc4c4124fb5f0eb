/* SPDX-License-Identifier: Apache-2.0
 *
 * stored.c - what the service manager keeps of leases' contexts
 */
#include "ops/stored.h"

#include "base/log.h"
#include "base/str.h"
#include "store/fdstore.h"

/**
 * name_of() - What a descriptor is called with the service manager
 * @lease:	The lease's name
 * @i:		0 for the iommufd or container, then the groups, then the devices
 * @n_groups:	How many groups there are: 0 with an iommufd
 */
static void name_of(const char *lease, size_t i, size_t n_groups,
		    char ret[FDSTORE_NAME_MAX + 1])
{
	const char *ulid = str_starts(lease, "leases/");

	if (i == 0)
		str_format(ret, FDSTORE_NAME_MAX + 1, "%s-%s",
			   n_groups ? "container" : "iommufd", ulid);
	else if (i <= n_groups)
		str_format(ret, FDSTORE_NAME_MAX + 1, "group-%s-%zu", ulid,
			   i - 1);
	else
		str_format(ret, FDSTORE_NAME_MAX + 1, "cdev-%s-%zu", ulid,
			   i - 1 - n_groups);
}

/**
 * stored_take_room() - See stored.h
 */
bool stored_take_room(struct stored *stored, const char *what, size_t n)
{
	const size_t room = fdstore_room();
	bool fits;

	if (!room)
		return false;
	pthread_mutex_lock(&stored->lock);
	fits = stored->n + n <= room;
	if (fits)
		stored->n += n;
	pthread_mutex_unlock(&stored->lock);
	if (!fits)
		log_warning("%s: the service manager keeps %zu descriptors and no more (FileDescriptorStoreMax=)",
			    what, room);
	return fits;
}

/**
 * stored_give_room() - See stored.h
 */
void stored_give_room(struct stored *stored, size_t n)
{
	pthread_mutex_lock(&stored->lock);
	stored->n -= n;
	pthread_mutex_unlock(&stored->lock);
}

/**
 * stored_drop() - See stored.h
 */
void stored_drop(struct stored *stored, const char *lease, size_t n,
		 size_t n_groups)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;

	stored_give_room(stored, n);
	for (size_t i = 0; i < n; i++) {
		name_of(lease, i, n_groups, name);
		if (fdstore_remove(name, &err) < 0)
			log_problem(LOG_LEVEL_WARNING, &err,
				    "'%s' is kept in vain", name);
	}
}

/**
 * stored_put() - See stored.h
 */
bool stored_put(struct stored *stored, const char *lease, const int *fds,
		size_t n, size_t n_groups)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;
	int r = 0;

	if (!stored_take_room(stored, lease, n))
		return false;
	for (size_t i = 0; i < n && r == 0; i++) {
		name_of(lease, i, n_groups, name);
		r = fdstore_put(name, fds[i], &err);
	}
	if (r == 0)
		return true;
	log_problem(LOG_LEVEL_WARNING, &err,
		    "%s: the service manager does not keep it", lease);
	stored_drop(stored, lease, n, n_groups);
	return false;
}

/**
 * stored_find() - See stored.h
 */
size_t stored_find(struct stored *stored, struct parked *parked,
		   const char *lease, int *fds, size_t n, size_t n_groups)
{
	char name[FDSTORE_NAME_MAX + 1];
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		name_of(lease, i, n_groups, name);
		fds[i] = parked_find(parked, name);
		found += fds[i] >= 0;
	}
	if (!found)
		return 0;
	pthread_mutex_lock(&stored->lock);
	stored->n += n;
	pthread_mutex_unlock(&stored->lock);
	return found;
}
