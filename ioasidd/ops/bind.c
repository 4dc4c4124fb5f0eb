/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.c - VFIO_DEVICE_BIND_IOMMUFD, and VFIO_GROUP_GET_DEVICE_FD, with patience
 */
#include "ops/bind.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* BIND resets the function and does not wait for its lock: EAGAIN while somebody
 * else has that, for a driver switch or a reset by sysfs. Both end soon, or never.
 */
#define BIND_TRIES 50
#define BIND_PAUSE_NS 100000000

/**
 * bind_device() - See bind.h
 */
int bind_device(struct host *host, const char *bdf, int cdev, int iommufd,
		uint32_t *ret_dev_id, uint64_t *ret_us, struct error *err)
{
	const struct timespec pause = { .tv_nsec = BIND_PAUSE_NS };
	uint64_t start, us = 0;
	int i, r = 0;

	for (i = 0; i < BIND_TRIES; i++) {
		start = clock_mono_ns();
		r = host->kernel->ops->vfio_bind(host->kernel, bdf, cdev,
						 iommufd, ret_dev_id, err);
		us = (clock_mono_ns() - start) / 1000;
		if (r != -EAGAIN)
			break;
		(void)nanosleep(&pause, NULL); /* short is fine */
	}
	if (r == 0 && ret_us)
		*ret_us = us;
	return r;
}

/**
 * bind_group_device() - See bind.h
 */
int bind_group_device(struct host *host, const char *bdf, int group,
		      int *ret_fd, struct error *err)
{
	const struct timespec pause = { .tv_nsec = BIND_PAUSE_NS };
	int r = -EAGAIN;

	for (int i = 0; i < BIND_TRIES && r == -EAGAIN; i++) {
		if (i)
			(void)nanosleep(&pause, NULL); /* short is fine */
		r = host->kernel->ops->group_device(host->kernel, group, bdf,
						    ret_fd, err);
	}
	return r;
}
