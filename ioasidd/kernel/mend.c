/* SPDX-License-Identifier: Apache-2.0
 *
 * mend.c - seeing that a function answers and has its BARs
 */
#include "kernel/mend.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/attribute.h"
#include "kernel/inventory.h"
#include "kernel/pci.h"
#include "kernel/sysfs.h"

#define MOST_FIXES (PCI_FIXES + PCI_EXPRESS_FIXES)

/**
 * struct patient - A function that is looked at
 * @sysfs:	An open sysfs
 * @bdf:	Its address
 * @config:	Its configuration space, open for reading and writing; borrowed
 * @timeout_ms:	How long to wait for each call
 * @stuck:	Where the helper goes that did not come back
 */
struct patient {
	int sysfs;
	const char *bdf;
	int config;
	unsigned int timeout_ms;
	struct kernel_stuck *stuck;
};

/**
 * may_sleep() - Does the kernel put the function to sleep when it is idle?
 * @p:		The function
 *
 * Not where the kernel was built without CONFIG_PM, or somebody has written
 * "on" there.
 */
static bool may_sleep(const struct patient *p)
{
	char path[64], text[8];

	(void)str_format(path, sizeof(path),
			 "bus/pci/devices/%s/power/control", p->bdf);
	return sysfs_text(p->sysfs, path, text, sizeof(text)) == 0 &&
	       str_eq(text, "auto");
}

/**
 * set_sleep() - Let a function sleep, or wake it and keep it awake
 * @p:		The function
 * @may:	It may
 *
 * Source: power/control in Documentation/ABI/testing/sysfs-devices-power. The
 * write takes the device's lock, and comes back when it is awake.
 *
 * Return: 0 or as helper_run().
 */
static int set_sleep(const struct patient *p, bool may, struct error *err)
{
	struct helper_job job = {
		.call = "power",
		.text = may ? "auto" : "on",
	};
	_cleanup_fd_ int fd = -1;
	int r;

	r = attribute_open(p->sysfs, p->bdf, "power/control", O_WRONLY, &fd,
			   err);
	if (r < 0)
		return r;
	job.fd = fd;
	return attribute_run(p->bdf, &job, "power/control", p->timeout_ms,
			     NULL, 0, p->stuck, err);
}

/**
 * port_payload() - Which payload does the port above a function use?
 * @p:		The function
 * @ret:	As pci_payload() says; 0, which all understand, if there is none
 *
 * Return: 0 or as helper_run().
 */
static int port_payload(const struct patient *p, unsigned int *ret,
			struct error *err)
{
	struct helper_job job = { .call = "config", .read = true, .raw = true };
	uint8_t config[PCI_CONFIG_SIZE] = { 0 };
	_cleanup_fd_ int fd = -1;
	int r;

	*ret = 0;
	/* The function's folder is in that of its port. */
	if (attribute_open(p->sysfs, p->bdf, "../config", O_RDONLY, &fd,
			   NULL) < 0)
		return 0;
	job.fd = fd;
	r = attribute_run(p->bdf, &job, "../config", p->timeout_ms,
			  (char *)config, sizeof(config), p->stuck, err);
	if (r == 0)
		*ret = pci_payload(config);
	return r;
}

/**
 * find_lost() - What does a function answer, and which registers has it lost?
 * @p:		The function
 * @ret:	What is to be written
 *
 * Return: how many; -EIO, device.unhealthy; as helper_run().
 */
static int find_lost(const struct patient *p,
		     struct config_fix ret[MOST_FIXES], struct error *err)
{
	struct helper_job job = { .call = "config", .fd = p->config,
				  .read = true, .raw = true };
	char resource[SYSFS_MAX], path[64];
	uint8_t config[PCI_CONFIG_SIZE] = { 0 };
	struct kernel_device dev;
	unsigned int payload;
	int n, r;

	r = inventory_device(p->sysfs, p->bdf, &dev, err);
	if (r == 0)
		r = attribute_run(p->bdf, &job, "config", p->timeout_ms,
				  (char *)config, sizeof(config), p->stuck,
				  err);
	if (r < 0)
		return r;
	/* The ids alone would not do: those of a VF are ones. */
	if (pci_u32(config) == ~0U && pci_u32(config + PCI_OFF_COMMAND) == ~0U)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s answers all ones: it does not respond on the bus",
				 p->bdf);
	/* BARs of a VF are in its PF. */
	(void)str_format(path, sizeof(path), "bus/pci/devices/%s/resource",
			 p->bdf);
	if (dev.physfn[0] || fd_read_file(p->sysfs, path, resource,
					  sizeof(resource)) < 0)
		return 0;

	r = pci_lost_bars(config, resource, ret);
	if (r < 0)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s has lost its BARs, and where they were on its bus is not known",
				 p->bdf);
	if (r == 0)
		return 0;
	n = r;
	r = port_payload(p, &payload, err);
	if (r < 0)
		return r;
	return n + pci_lost_express(config, payload, ret + n);
}

/**
 * write_lost() - Give a function what it has lost, and see that it keeps it
 * @p:		The function
 * @fixes:	What is to be written
 * @n:		How many of them
 *
 * Return: 0; -EIO, device.unhealthy; as helper_run().
 */
static int write_lost(const struct patient *p,
		      struct config_fix fixes[MOST_FIXES], int n,
		      struct error *err)
{
	struct helper_job job = { .call = "config", .fd = p->config };
	int r;

	for (int i = 0; i < n; i++) {
		job.data = fixes[i].bytes;
		job.n_data = sizeof(fixes[i].bytes);
		job.at = (off_t)fixes[i].at;
		r = attribute_run(p->bdf, &job, "config", p->timeout_ms, NULL,
				  0, p->stuck, err);
		if (r < 0)
			return r;
	}
	r = find_lost(p, fixes, err);
	if (r > 0)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s has lost its BARs, and does not keep them when they are written again",
				 p->bdf);
	return r;
}

/* mend_config() - See that a function answers and has its BARs */
int mend_config(int sysfs, const char *bdf, unsigned int timeout_ms,
		bool *ret_mended, struct kernel_stuck *ret_stuck,
		struct error *err)
{
	struct config_fix fixes[MOST_FIXES];
	_cleanup_fd_ int config = -1;
	struct patient p = {
		.sysfs = sysfs,
		.bdf = bdf,
		.timeout_ms = timeout_ms,
		.stuck = ret_stuck,
	};
	bool sleeps;
	int n, r;

	r = attribute_open(sysfs, bdf, "config", O_RDWR, &config, err);
	if (r < 0)
		return r;
	p.config = config;
	sleeps = may_sleep(&p);
	if (sleeps)
		r = set_sleep(&p, false, err);
	if (r < 0)
		return r;

	n = find_lost(&p, fixes, err);
	r = n > 0 ? write_lost(&p, fixes, n, err) : n;
	/* A call that did not come back may have the lock that this takes. */
	if (sleeps && r != -ETIMEDOUT) {
		int s = set_sleep(&p, true, r < 0 ? NULL : err);

		if (r == 0)
			r = s;
	}
	if (r < 0)
		return r;

	*ret_mended = n > 0;
	return 0;
}
