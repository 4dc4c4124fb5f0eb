/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.c - what resets a function and does not wait for its lock, with patience
 */
#include "ops/bind.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* BIND, and the first open of a group's device, reset the function and do not
 * wait for its lock: EAGAIN while somebody else has that, for a driver switch or a
 * reset by sysfs. Both end soon, or never.
 */
#define BIND_TRIES 50
#define BIND_PAUSE_NS 100000000

/**
 * again() - Is it to be tried once more? Then a pause is made
 * @r:		What came of it
 * @inout_tries: How many were made
 */
static bool again(int r, int *inout_tries)
{
	const struct timespec pause = { .tv_nsec = BIND_PAUSE_NS };

	if (r != -EAGAIN || ++*inout_tries == BIND_TRIES)
		return false;
	(void)nanosleep(&pause, NULL); /* short is fine */
	return true;
}

/**
 * bind_device() - See bind.h
 */
int bind_device(struct host *host, const char *bdf, int cdev, int iommufd,
		uint32_t *ret_dev_id, uint64_t *ret_us, struct error *err)
{
	uint64_t start, us;
	int r, tries = 0;

	do {
		start = clock_mono_ns();
		r = host->kernel->ops->vfio_bind(host->kernel, bdf, cdev,
						 iommufd, ret_dev_id, err);
		us = (clock_mono_ns() - start) / 1000;
	} while (again(r, &tries));
	if (r == 0 && ret_us)
		*ret_us = us;
	return r;
}

/**
 * open_device() - See bind.h
 */
int open_device(struct host *host, int group, const char *bdf, int *ret_fd,
		uint64_t *ret_us, struct error *err)
{
	uint64_t start, us;
	int r, tries = 0;

	do {
		start = clock_mono_ns();
		r = host->kernel->ops->group_device(host->kernel, group, bdf,
						    ret_fd, err);
		us = (clock_mono_ns() - start) / 1000;
	} while (again(r, &tries));
	if (r == 0 && ret_us)
		*ret_us = us;
	return r;
}
