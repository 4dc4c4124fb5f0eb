/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - spaces and what is on them
 */
#include "model/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * space_deinit() - See space.h
 */
void space_deinit(struct space *space)
{
	free(space->windows);
	strv_deinit(&space->devices);
	strv_deinit(&space->labels);
	free(space->ranges);
	*space = SPACE_NULL;
}

/**
 * copy_array() - Copy an array
 * @from:	Its elements, @n of @size bytes; may be NULL if there are none
 * @ret:	The copy; NULL if there are none
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_array(const void *from, size_t n, size_t size, void *ret)
{
	void *copy = NULL;

	if (n) {
		copy = reallocarray(NULL, n, size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from, n * size);
	}
	*(void **)ret = copy;
	return 0;
}

/**
 * space_copy() - See space.h
 */
int space_copy(const struct space *space, struct space *ret)
{
	struct space copy = *space;
	int r;

	copy.devices = STRV_NULL;
	copy.labels = STRV_NULL;
	copy.windows = NULL;
	copy.ranges = NULL;
	r = copy_array(space->windows, space->n_windows,
		       sizeof(*space->windows), &copy.windows);
	if (r == 0)
		r = copy_array(space->ranges, space->n_ranges,
			       sizeof(*space->ranges), &copy.ranges);
	if (r == 0)
		r = strv_copy(&space->devices, &copy.devices);
	if (r == 0)
		r = strv_copy(&space->labels, &copy.labels);
	if (r < 0)
		space_deinit(&copy);
	*ret = copy;
	return r;
}
