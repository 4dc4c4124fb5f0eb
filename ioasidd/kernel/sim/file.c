/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c - open files of the simulated machine: what a descriptor stands for
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/vfio.h"

/**
 * add_file() - A new one, in the machine's list
 *
 * Return: NULL: no memory.
 */
static struct sim_file *add_file(struct sim *sim, enum sim_file_kind kind)
{
	struct sim_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->sim = sim;
	file->kind = kind;
	file->next = sim->files;
	sim->files = file;

	return file;
}

/* sim_open_iommufd() - open(2) of /dev/iommu */
int sim_open_iommufd(struct sim *sim, struct sim_file **ret)
{
	struct sim_context *context;
	struct sim_file *file;
	int r;

	if (!sim->info.iommufd)
		return -ENOENT;
	r = sim_context_new(sim, &context);
	if (r < 0)
		return r;
	file = add_file(sim, SIM_FILE_IOMMUFD);
	if (!file) {
		(void)sim_context_unref(context);
		return -ENOMEM;
	}
	file->context = context;

	*ret = file;
	return 0;
}

/* sim_open_cdev() - open(2) of the function's cdev */
int sim_open_cdev(struct sim *sim, const char *bdf, struct sim_file **ret)
{
	struct sim_device *device = sim_device(sim, bdf);
	struct sim_file *file;

	if (!device)
		return -ENODEV;
	if (!device->facts.cdev)
		return -ENOENT;
	if (!sim_rule(SIM_RULE_CDEV_OPENS_ARE_SHARED) && device->n_files)
		return -EBUSY;
	file = add_file(sim, SIM_FILE_CDEV);
	if (!file)
		return -ENOMEM;
	file->device = device;
	file->minor = minor(device->facts.cdev);
	device->n_files++;

	*ret = file;
	return 0;
}

/* sim_open_faults() - The descriptor of a fault queue, which keeps its context */
int sim_open_faults(struct sim_context *context, uint32_t id,
		    struct sim_file **ret)
{
	struct sim_file *file = add_file(sim_context_machine(context),
					 SIM_FILE_FAULTS);

	if (!file)
		return -ENOMEM;
	file->context = sim_context_ref(context);
	file->dev_id = id;

	*ret = file;
	return 0;
}

/**
 * drop_bound() - Release what is bound to a context that is closed
 *
 * The mistake that SIM_RULE_BOUND_KEEPS_CONTEXT is about.
 */
static void drop_bound(struct sim *sim, const struct sim_context *context)
{
	struct sim_file *next;

	for (struct sim_file *file = sim->files; file; file = next) {
		next = file->next;
		if (file->kind != SIM_FILE_CDEV || file->context != context)
			continue;
		sim_vfio_release(file);
		next = sim->files; /* it may have waited */
	}
}

/**
 * close_iommufd() - Its context ends, unless a bound device keeps it
 */
static void close_iommufd(struct sim_file *file)
{
	if (!sim_rule(SIM_RULE_BOUND_KEEPS_CONTEXT))
		drop_bound(file->sim, file->context);
	(void)sim_context_unref(file->context);
}

/**
 * close_cdev() - The function is free, and whoever waits for that is told
 *
 * Only files of the cdev that the function has now are counted; while unbind
 * waits it has none, and what is open is what it waits for.
 */
static void close_cdev(struct sim_file *file)
{
	struct sim_device *device = file->device;
	dev_t cdev = device->facts.cdev;

	sim_vfio_release(file);
	if (device->n_files && (!cdev || minor(cdev) == file->minor))
		device->n_files--;
}

/* sim_close() - The last close */
struct sim_file *sim_close(struct sim_file *file)
{
	struct sim_file **p;
	struct sim *sim;

	if (!file)
		return NULL;

	sim = file->sim;
	switch (file->kind) {
	case SIM_FILE_IOMMUFD:
		close_iommufd(file);
		break;
	case SIM_FILE_CDEV:
		close_cdev(file);
		break;
	case SIM_FILE_FAULTS:
		sim_faults_closed(file->context, file->dev_id);
		(void)sim_context_unref(file->context);
		break;
	}
	for (p = &sim->files; *p && *p != file; p = &(*p)->next)
		;
	if (*p)
		*p = file->next;
	free(file);
	sim_changed(sim);

	return NULL;
}

/* sim_caller_file() - The file behind a descriptor of the caller's */
int sim_caller_file(struct sim *sim, const struct sim_caller *caller, int fd,
		    struct sim_file **ret)
{
	_cleanup_fd_ int copy = -1;
	struct sim_file *file;
	struct stat st;
	int r;

	r = sim_caller_fd(caller, fd, &copy);
	if (r < 0)
		return r;
	if (fstat(copy, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -EINVAL;
	for (file = sim->files; file; file = file->next)
		if (file->inode == st.st_ino)
			break;
	if (!file)
		return -EINVAL;

	*ret = file;
	return 0;
}

/* sim_ioctl() - ioctl(2) */
long sim_ioctl(struct sim_file *file, const struct sim_caller *caller,
	       unsigned long request, uint64_t arg)
{
	switch (file->kind) {
	case SIM_FILE_IOMMUFD:
		return sim_context_ioctl(file->context, caller, request, arg);
	case SIM_FILE_CDEV:
		return sim_vfio_ioctl(file, caller, request, arg);
	case SIM_FILE_FAULTS:
		break; /* it has none */
	}

	return -ENOTTY;
}

/* sim_pread() - pread(2) */
ssize_t sim_pread(struct sim_file *file, const struct sim_caller *caller,
		  uint64_t buf, size_t size, uint64_t at)
{
	switch (file->kind) {
	case SIM_FILE_IOMMUFD:
		return -EINVAL; /* it has no read */
	case SIM_FILE_CDEV:
		return sim_vfio_rw(file, caller, buf, size, at, false);
	case SIM_FILE_FAULTS:
		return sim_faults_read(size, at);
	}

	return -EINVAL;
}

/* sim_pwrite() - pwrite(2) */
ssize_t sim_pwrite(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t buf, size_t size, uint64_t at)
{
	switch (file->kind) {
	case SIM_FILE_IOMMUFD:
		return -EINVAL;
	case SIM_FILE_CDEV:
		return sim_vfio_rw(file, caller, buf, size, at, true);
	case SIM_FILE_FAULTS:
		return sim_faults_write(caller, buf, size, at);
	}

	return -EINVAL;
}
