/* SPDX-License-Identifier: Apache-2.0
 *
 * attribute.h - the files of a PCI function in sysfs, by way of a helper
 */
#ifndef IOASIDD_KERNEL_ATTRIBUTE_H
#define IOASIDD_KERNEL_ATTRIBUTE_H

#include "kernel/helper.h"

/**
 * attribute_open() - Open a file of a function
 * @sysfs:	An open sysfs
 * @bdf:	The function, checked to be an address
 * @name:	The file, "driver/unbind"
 * @flags:	O_RDWR, O_WRONLY or O_RDONLY
 * @ret_fd:	The file
 * @err:	Filled on failure
 *
 * Opening takes no lock of the device.
 *
 * Return: 0; -ENODEV, device.not-found; -ENOENT if only the file is missing;
 * open(2) errors.
 */
int attribute_open(int sysfs, const char *bdf, const char *name, int flags,
		   int *ret_fd, struct error *err);

/**
 * attribute_run() - Let a helper process do something to a function
 * @bdf:	The function
 * @job:	What; without @what and @bdf, which are filled in here
 * @name:	The file, for messages
 *
 * The rest as in helper_run().
 */
int attribute_run(const char *bdf, const struct helper_job *job,
		  const char *name, unsigned int timeout_ms, char *ret,
		  size_t size, struct kernel_stuck *ret_stuck,
		  struct error *err);

#endif
