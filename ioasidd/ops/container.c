/* SPDX-License-Identifier: Apache-2.0
 *
 * container.c - the context of a hold lease on a host without iommufd: a VFIO
 *		 container (type1, SPAPR TCE), its groups, its devices
 */
#include "ops/container.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "model/tce.h"
#include "ops/bind.h"

/* is_tce() - Are containers of SPAPR TCE on this host? */
static bool is_tce(struct host *host)
{
	return host_backend(host) == KERNEL_BACKEND_SPAPR;
}

/**
 * settle_tce() - See to what is otherwise of a lease whose container is of SPAPR
 *		  TCE
 * @lease:	Is left without a time for a successor
 *
 * Return: 0; -EOPNOTSUPP backend.unsupported: its devices are of two groups.
 */
static int settle_tce(struct host *host, struct lease *lease,
		      const struct draft *draft, struct error *err)
{
	int r;

	lease->grace_ms = 0;
	for (size_t i = 1; i < draft->n; i++) {
		if (draft->copies[i].facts.group ==
		    draft->copies[0].facts.group)
			continue;
		r = container_refuse(host, lease, "on POWER each group has windows of its own, and so a container, and a lease",
				     err);
		error_object(err, "%s", draft->copies[i].name);
		return r;
	}
	return 0;
}

/**
 * container_choose() - See container.h
 */
int container_choose(struct host *host, struct lease *lease,
		     const struct draft *draft, struct error *err)
{
	int r;

	lease->container = kernel_has_groups(host_backend(host));
	if (lease->mode != LEASE_GUARDED)
		return is_tce(host) ? settle_tce(host, lease, draft, err) : 0;
	r = container_refuse(host, lease, "there are no guarded leases, since what is mapped in a container is memory of the process that maps it, and ioasidd cannot map for a holder",
			     err);
	if (r < 0)
		error_remedy(err, "Trust the holder, and use hold");
	return r;
}

/**
 * container_refuse() - See container.h
 */
int container_refuse(struct host *host, const struct lease *lease,
		     const char *why, struct error *err)
{
	if (!lease->container)
		return 0;
	return error_set(err, -EOPNOTSUPP, ERROR_BACKEND_UNSUPPORTED,
			 "backend %s: %s",
			 kernel_backend_name(host_backend(host)), why);
}

/* --- its space --- */

/* tce_of() - Which windows the container of a space's devices can have, by their
 * probe. Return: false if they are gone.
 */
static bool tce_of(struct host *host, const struct space *space,
		   struct kernel_tce_info *ret)
{
	const struct device *device = NULL;
	bool found;

	registry_lock(host->registry);
	if (space->devices.n)
		device = registry_device(host->registry,
					 space->devices.items[0]);
	found = device && device->caps;
	if (found)
		*ret = device->caps->tce;
	registry_unlock(host->registry);
	return found;
}

/**
 * read_tce() - Say where memory can be mapped in a container of SPAPR TCE, once
 *		its holder has the windows of the space
 *
 * The kernel is not asked: it does not tell which windows there are, and answers
 * nobody but the holder any more. The default window is there, unless it is to
 * make room for another.
 *
 * Return: 0; -ENOMEM.
 */
static int read_tce(struct host *host, struct space *space, struct error *err)
{
	struct kernel_range *ranges, one;
	struct kernel_tce_info tce = { .dma32_size = 0 };
	size_t n = 0;

	if (!tce_of(host, space, &tce))
		return 0;
	ranges = calloc(1 + space->n_windows, sizeof(*ranges));
	if (!ranges)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	one = (struct kernel_range){ tce.dma32_start, tce.dma32_start +
						      (tce.dma32_size - 1) };
	if (tce.dma32_size && (tce.max_windows > 1 || !space->n_windows ||
			       space->windows[0].last <= one.last))
		ranges[n++] = one;
	for (size_t i = 0; i < space->n_windows; i++)
		if (!n || space->windows[i].start > ranges[0].last)
			ranges[n++] = (struct kernel_range){
				space->windows[i].start,
				space->windows[i].last };
	free(space->ranges);
	space->ranges = ranges;
	space->n_ranges = n;
	space->alignment = UINT64_C(1) << TCE_DEFAULT_SHIFT;
	return 0;
}

/**
 * container_read() - See container.h
 */
int container_read(struct host *host, int container, struct space *space,
		   struct error *err)
{
	struct kernel_container_info info;
	int r;

	if (is_tce(host))
		return read_tce(host, space, err);
	r = host->kernel->ops->container_info(host->kernel, container, &info,
					      err);
	if (r < 0)
		return r;
	free(space->ranges);
	space->ranges = info.ranges;
	space->n_ranges = info.n_ranges;
	/* The smallest page: its lowest bit. */
	space->alignment = info.page_sizes & (~info.page_sizes + 1);
	return 0;
}

/**
 * is_inside() - Is a window in one of the ranges?
 */
static bool is_inside(const struct space *space, const struct window *window)
{
	for (size_t i = 0; i < space->n_ranges; i++)
		if (space->ranges[i].start <= window->start &&
		    window->last <= space->ranges[i].last)
			return true;
	return false;
}

/**
 * container_promise() - See container.h
 */
int container_promise(struct host *host, const struct space *space,
		      struct error *err)
{
	/* What was planned is what there will be: see read_tce(). */
	if (is_tce(host))
		return 0;
	for (size_t i = 0; i < space->n_windows; i++) {
		const struct window *window = &space->windows[i];

		if (is_inside(space, window))
			continue;
		error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
			  "0x%llx-0x%llx is not all in where memory can be mapped in the container with its devices",
			  (unsigned long long)window->start,
			  (unsigned long long)window->last);
		error_object(err, "%s", space->name);
		return -EADDRINUSE;
	}
	return 0;
}

/**
 * fill_space() - Have all devices of a lease on its one space
 *
 * Return: 0; -EOPNOTSUPP backend.unsupported: it is not one; -ENOMEM.
 */
static int fill_space(struct host *host, struct lease *lease, struct error *err)
{
	if (lease->n_spaces > 1)
		return container_refuse(host, lease, "a container has one space",
					err);
	if (!lease->n_spaces)
		return 0;
	strv_deinit(&lease->spaces[0].devices);
	return strv_copy(&lease->devices, &lease->spaces[0].devices) == 0 ? 0 :
	       error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
}

/* --- its groups and devices --- */

/**
 * struct making - A container at work
 * @fds:	See container_make(); @n of them are there
 * @groups:	Numbers of the groups, @n_groups of them
 */
struct making {
	struct host *host;
	int *fds;
	size_t n;
	int groups[LEASE_DEVICES_MAX];
	size_t n_groups;
};

/**
 * find_group() - Which of the groups is it?
 *
 * Return: its place; how many there are if it is none of them.
 */
static size_t find_group(const struct making *m, int number)
{
	size_t i = 0;

	while (i < m->n_groups && m->groups[i] != number)
		i++;
	return i;
}

/**
 * add_group() - Open a group, and put it into the container
 * @space:	Gets where memory can be mapped then; NULL for none
 *
 * Return: 0; -EADDRINUSE window.unavailable: it takes some of it away; -errno.
 */
static int add_group(struct making *m, int number, struct space *space,
		     struct error *err)
{
	const struct kernel_ops *k = m->host->kernel->ops;
	int r;

	r = k->group_open(m->host->kernel, number, &m->fds[m->n], err);
	if (r < 0)
		return r;
	m->groups[m->n_groups++] = number;
	r = k->container_attach(m->host->kernel, m->fds[0], m->fds[m->n++],
				number, err);
	if (r == 0 && space)
		r = container_read(m->host, m->fds[0], space, err);
	return r == 0 && space ? container_promise(m->host, space, err) : r;
}

/**
 * open_groups() - Open each group of the devices, once
 */
static int open_groups(struct making *m, const struct draft *draft,
		       struct space *space, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < draft->n && r == 0; i++) {
		const int number = draft->copies[i].facts.group;

		if (find_group(m, number) < m->n_groups)
			continue;
		r = add_group(m, number, space, err);
		error_object(r < 0 ? err : NULL, "%s", draft->copies[i].name);
	}
	return r;
}

/**
 * open_devices() - Open each device, which resets it
 */
static int open_devices(struct making *m, const struct draft *draft,
			struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < draft->n && r == 0; i++) {
		const struct device *device = &draft->copies[i];
		const size_t group = find_group(m, device->facts.group);

		r = open_device(m->host, m->fds[1 + group], device->facts.bdf,
				&m->fds[m->n], NULL, err);
		m->n += r == 0;
		error_object(r < 0 ? err : NULL, "%s", device->name);
	}
	return r;
}

/**
 * container_make() - See container.h
 */
int container_make(struct host *host, struct lease *lease,
		   const struct draft *draft, int *fds, size_t *ret_n,
		   size_t *ret_groups, struct error *err)
{
	struct making m = { .host = host, .fds = fds };
	int r;

	*ret_n = 0;
	r = fill_space(host, lease, err);
	if (r == 0)
		r = host->kernel->ops->container_open(host->kernel, &fds[0],
						      err);
	if (r < 0)
		return r;
	m.n = 1;
	r = open_groups(&m, draft, lease->n_spaces ? lease->spaces : NULL, err);
	if (r == 0)
		r = open_devices(&m, draft, err);
	*ret_n = m.n;
	*ret_groups = m.n_groups;
	return r;
}

/* --- what is kept of it --- */

/**
 * struct known - What the registry knows of a device
 * @bdf:	As in its facts
 * @group:	Place of its group among the lease's
 */
struct known {
	char bdf[BDF_SIZE];
	size_t group;
};

/**
 * look_up() - What the registry knows of all devices of a lease
 * @ret:	LEASE_DEVICES_MAX of them
 *
 * Return: of how many groups they are; 0 if one is gone.
 */
static size_t look_up(struct host *host, const struct lease *lease,
		      struct known *ret)
{
	struct making m = { .n_groups = 0 };
	bool gone = false;

	registry_lock(host->registry);
	for (size_t i = 0; i < lease->devices.n && !gone; i++) {
		const struct device *device = registry_device(
			host->registry, lease->devices.items[i]);

		gone = !device || device->facts.group < 0;
		if (gone)
			break;
		ret[i].group = find_group(&m, device->facts.group);
		if (ret[i].group == m.n_groups)
			m.groups[m.n_groups++] = device->facts.group;
		str_copy(ret[i].bdf, sizeof(ret[i].bdf), device->facts.bdf);
	}
	registry_unlock(host->registry);
	return gone ? 0 : m.n_groups;
}

/**
 * container_count_groups() - See container.h
 */
size_t container_count_groups(struct host *host, const struct lease *lease)
{
	struct known known[LEASE_DEVICES_MAX];

	return look_up(host, lease, known);
}

/**
 * is_device() - Is it a descriptor of a device, and a group that of its group?
 *
 * That the group gives the device says that it is its group, and that it is in a
 * container. To have it a second time does nothing to it.
 */
static bool is_device(struct host *host, const struct known *known, int group,
		      int fd)
{
	const struct kernel_ops *k = host->kernel->ops;
	_cleanup_fd_ int again = -1;

	return k->group_device(host->kernel, group, known->bdf, &again,
			       NULL) == 0 &&
	       k->vfio_is(host->kernel, fd, known->bdf, NULL) == 0;
}

/**
 * translates() - Is it a container with a group in it?
 *
 * To who is not its holder one of SPAPR TCE says no more than that it is that.
 */
static bool translates(struct host *host, int container)
{
	struct space space = SPACE_NULL;
	struct kernel_tce_info tce;
	int r;

	if (is_tce(host)) {
		r = host->kernel->ops->container_tce_info(
			host->kernel, container, &tce, NULL);
		return r == 0 || r == -EPERM;
	}
	r = container_read(host, container, &space, NULL);
	space_deinit(&space);
	return r == 0;
}

/**
 * container_is_whole() - See container.h
 */
bool container_is_whole(struct host *host, const struct lease *lease,
			const int *fds, size_t n_groups)
{
	struct known known[LEASE_DEVICES_MAX] = { { .group = 0 } };

	if (!n_groups || look_up(host, lease, known) != n_groups ||
	    !translates(host, fds[0]))
		return false;
	for (size_t i = 0; i < lease->devices.n; i++)
		if (!is_device(host, &known[i], fds[1 + known[i].group],
			       fds[1 + n_groups + i]))
			return false;
	return true;
}

/* --- its end --- */

/**
 * reset_all() - Reset each device of a lease
 * @devices:	Their descriptors
 *
 * Return: 0; -errno of the first that cannot be; the others were.
 */
static int reset_all(struct host *host, const struct lease *lease,
		     const int *devices, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < lease->devices.n; i++) {
		struct error each = ERROR_NULL;
		int one = host->kernel->ops->vfio_reset(host->kernel,
							devices[i], &each);

		if (one < 0 && r == 0) {
			r = one;
			if (err)
				*err = each;
			error_object(err, "%s", lease->devices.items[i]);
		}
	}
	return r;
}

/**
 * container_fence_method() - See container.h
 */
const char *container_fence_method(struct host *host)
{
	return is_tce(host) ? "reset" : "unmap all, or reset";
}

/**
 * container_fence() - See container.h
 */
int container_fence(struct host *host, const struct lease *lease,
		    int container, const int *devices, uint64_t *ret_bytes,
		    struct error *err)
{
	struct error why = ERROR_NULL;
	int r;

	if (is_tce(host))
		return reset_all(host, lease, devices, err);
	r = host->kernel->ops->container_unmap_all(host->kernel, container,
						   ret_bytes, &why);
	if (r == 0)
		return 0;
	log_problem(LOG_LEVEL_NOTICE, &why, "%s: its devices are reset instead",
		    lease->name);
	return reset_all(host, lease, devices, err);
}
