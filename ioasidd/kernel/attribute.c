/* SPDX-License-Identifier: Apache-2.0
 *
 * attribute.c - the files of a PCI function in sysfs, by way of a helper
 */
#include "kernel/attribute.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/inventory.h"

/* attribute_open() - Open a file of a function */
int attribute_open(int sysfs, const char *bdf, const char *name, int flags,
		   int *ret_fd, struct error *err)
{
	_cleanup_fd_ int fd = -1;
	struct kernel_device dev;
	char path[128];
	int r;

	r = inventory_device(sysfs, bdf, &dev, err);
	if (r < 0)
		return r;
	(void)str_format(path, sizeof(path), "bus/pci/devices/%s/%s", bdf,
			 name);
	fd = openat(sysfs, path, flags | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSFS,
				 "open '%s' in sysfs: %m", path);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* attribute_run() - Let a helper process do something to a function */
int attribute_run(const char *bdf, const struct helper_job *job,
		  const char *name, unsigned int timeout_ms, char *ret,
		  size_t size, struct kernel_stuck *ret_stuck,
		  struct error *err)
{
	struct helper_job named = *job;
	char what[96];

	(void)str_format(what, sizeof(what), "%s %s of %s",
			 job->text || job->n_data ? "write" : "read", name, bdf);
	named.what = what;
	named.bdf = bdf;
	return helper_run(&named, timeout_ms, ret, size, ret_stuck, err);
}
