/* SPDX-License-Identifier: Apache-2.0
 *
 * inventory.c - what sysfs says of IOMMUs, groups and PCI functions
 *
 * DOC: Theory of Operation
 *
 * Thousands of functions are to be read in the time of a request, so each costs
 * as few system calls as it can: its folder is opened once, and modalias gives
 * all ids in one file. None of the files read here takes the device's lock, on
 * any kernel that we know: driver_override, sriov_numvfs and, on some releases,
 * uevent do, and a reader of them hangs, for good, on a device whose driver
 * hangs. The files "config" and "secondary_bus_number" are not read either:
 * that wakes a sleeping device.
 *
 * What is absent is left at its "none" value: a kernel without NUMA has no
 * numa_node, a function without IOMMU no iommu_group.
 */
#include "kernel/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/platform.h"
#include "base/str.h"
#include "kernel/sysfs.h"

#define DEVICES "bus/pci/devices"
#define GROUPS "kernel/iommu_groups"
#define IOMMUS "class/iommu"
#define IRQS "kernel/irq"
#define NO_IOMMU "module/vfio/parameters/enable_unsafe_noiommu_mode"

/* An attribute that is larger than this is not one that we know. */
#define RESERVED_MAX 65536

/* Read as an array that grows; a line below the first is one element. */
struct array {
	void *items;
	size_t n, room, size;
};

/**
 * array_add() - Make room for one more
 * @a:		The array; @size says how large an element is
 *
 * Return: the new element, zero; NULL if there is no memory.
 */
static void *array_add(struct array *a)
{
	void *item;

	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 16;
		void *items = reallocarray(a->items, room, a->size);

		if (!items)
			return NULL;
		a->items = items;
		a->room = room;
	}
	item = (char *)a->items + a->n++ * a->size;

	return memset(item, 0, a->size);
}

/* kernel_inventory_free() - NULL is allowed. */
struct kernel_inventory *kernel_inventory_free(struct kernel_inventory *inv)
{
	if (!inv)
		return NULL;

	for (size_t i = 0; i < inv->n_groups; i++)
		free(inv->groups[i].reserved);
	free(inv->devices);
	free(inv->groups);
	free(inv->iommus);
	free(inv);

	return NULL;
}

static void inventory_freep(struct kernel_inventory **inv)
{
	*inv = kernel_inventory_free(*inv);
}

/* kernel_no_iommu() - Is there no IOMMU in front of a function? */
bool kernel_no_iommu(const struct kernel_device *facts)
{
	return facts->group < 0 || str_starts(facts->cdev_name, "noiommu-");
}

/* --- PCI functions --- */

/**
 * read_ids() - Read vendor, device, subsystem and class
 * @dir:	The function's folder
 * @dev:	Filled; zero where the file is none that we know
 *
 * Source: modalias, "pci:v00008086d000010C9sv00001AF4sd00001100bc02sc00i00".
 *
 * Return: 0; -errno if there is no such file: the function is gone.
 */
static int read_ids(int dir, struct kernel_device *dev)
{
	unsigned int v, d, sv, sd, bc, sc, i;
	char text[128];
	int r;

	r = sysfs_text(dir, "modalias", text, sizeof(text));
	if (r < 0)
		return r;

	if (sscanf(text, "pci:v%8xd%8xsv%8xsd%8xbc%2xsc%2xi%2x", &v, &d, &sv,
		   &sd, &bc, &sc, &i) != 7)
		return 0;
	dev->vendor = (uint16_t)v;
	dev->device = (uint16_t)d;
	dev->subsystem_vendor = (uint16_t)sv;
	dev->subsystem_device = (uint16_t)sd;
	dev->class = bc << 16 | sc << 8 | i;

	return 0;
}

/**
 * read_cdev() - Find the function's VFIO cdev
 * @dir:	The function's folder
 * @dev:	@vfio, @cdev and @cdev_name are filled
 *
 * Source: vfio-dev/vfioN, there while a VFIO driver is bound; its attribute dev
 * only with CONFIG_VFIO_DEVICE_CDEV.
 */
static void read_cdev(int dir, struct kernel_device *dev)
{
	_cleanup_dir_ DIR *entries = NULL;
	const char *name;

	if (sysfs_dir(dir, "vfio-dev", &entries) < 0)
		return;
	dev->vfio = true;

	while ((name = sysfs_next(entries))) {
		unsigned int major, minor;
		char path[64], text[32];

		if (!str_format(path, sizeof(path), "vfio-dev/%s/dev", name) ||
		    sysfs_text(dir, path, text, sizeof(text)) < 0 ||
		    sscanf(text, "%u:%u", &major, &minor) != 2 ||
		    !str_copy(dev->cdev_name, sizeof(dev->cdev_name), name))
			continue;
		dev->cdev = makedev(major, minor);
		return;
	}
	dev->cdev_name[0] = '\0';
}

/**
 * in_no_iommu_group() - Is a function with VFIO although it has no IOMMU?
 * @dir:	The function's folder
 *
 * Its group is one that VFIO has made up. The name of its cdev tells as much, but
 * here is none.
 */
static bool in_no_iommu_group(int dir)
{
	char name[32];

	return !sysfs_text(dir, "iommu_group/name", name, sizeof(name)) &&
	       str_eq(name, "vfio-noiommu");
}

/**
 * read_device() - Read one function
 * @devices:	The folder of them all
 * @bdf:	Which
 * @dev:	Filled, but for @sriov_num
 *
 * Return: 0; -errno if it is gone.
 */
static int read_device(int devices, const char *bdf, struct kernel_device *dev)
{
	_cleanup_fd_ int dir = -1;
	char text[64];
	uint64_t n;
	int r;

	*dev = (struct kernel_device){ .numa_node = -1, .group = -1 };
	if (!str_copy(dev->bdf, sizeof(dev->bdf), bdf))
		return -EINVAL;

	dir = sysfs_open(devices, bdf);
	if (dir < 0)
		return dir;
	r = read_ids(dir, dev);
	if (r < 0)
		return r;

	if (!sysfs_u64(dir, "revision", 0, &n))
		dev->revision = (uint8_t)n;
	/* Every bridge has this file, whatever class it says it is of. */
	dev->bridge = dev->class >> 16 == 0x06 ||
		      !faccessat(dir, "secondary_bus_number", F_OK, 0);
	/* "-1" is no number to sysfs_u64(), and means what absence means. */
	if (!sysfs_u64(dir, "numa_node", 10, &n) && n <= INT32_MAX)
		dev->numa_node = (int)n;
	if (!sysfs_link(dir, "iommu_group", text, sizeof(text)) &&
	    !str_u64(text, 10, INT32_MAX, &n))
		dev->group = (int)n;
	(void)sysfs_link(dir, "iommu", dev->iommu, sizeof(dev->iommu));
	(void)sysfs_link(dir, "physfn", dev->physfn, sizeof(dev->physfn));
	if (!sysfs_u64(dir, "sriov_totalvfs", 10, &n))
		dev->sriov_total = (unsigned int)n;
	(void)sysfs_text(dir, "reset_method", dev->reset_methods,
			 sizeof(dev->reset_methods));
	if (!sysfs_link(dir, "driver", dev->driver, sizeof(dev->driver)))
		read_cdev(dir, dev);
	if (dev->vfio && !dev->cdev_name[0] && in_no_iommu_group(dir))
		dev->group = -1;

	return 0;
}

/**
 * compare_devices() - Order by address; for qsort(3) and bsearch(3)
 */
static int compare_devices(const void *a, const void *b)
{
	const struct kernel_device *x = a, *y = b;

	return strcmp(x->bdf, y->bdf);
}

/**
 * count_vfs() - Count the VFs of each PF
 * @inv:	Its devices are read and sorted; @sriov_num is filled
 *
 * The number that sriov_numvfs holds can only be read under the device's lock.
 */
static void count_vfs(struct kernel_inventory *inv)
{
	for (size_t i = 0; i < inv->n_devices; i++) {
		struct kernel_device key = { .group = -1 }, *pf;

		if (!inv->devices[i].physfn[0])
			continue;
		(void)str_copy(key.bdf, sizeof(key.bdf),
			       inv->devices[i].physfn);
		pf = bsearch(&key, inv->devices, inv->n_devices,
			     sizeof(*inv->devices), compare_devices);
		if (pf)
			pf->sriov_num++;
	}
}

/**
 * read_devices() - Read all functions
 * @sysfs:	An open sysfs
 * @inv:	@devices is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int read_devices(int sysfs, struct kernel_inventory *inv,
			struct error *err)
{
	struct array list = { .size = sizeof(struct kernel_device) };
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_dir(sysfs, DEVICES, &dir);
	if (r == -ENOENT) /* a machine without PCI */
		return 0;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSFS,
				 "open sysfs folder '%s': %m", DEVICES);

	while ((name = sysfs_next(dir))) {
		struct kernel_device *dev;
		char bdf[BDF_SIZE];

		if (bdf_parse(name, bdf) < 0 || !str_eq(name, bdf))
			continue;
		dev = array_add(&list);
		/* What was read is freed with @inv, also on failure. */
		inv->devices = list.items;
		if (!dev)
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory to list PCI functions");
		if (read_device(dirfd(dir), name, dev) < 0)
			list.n--;
	}

	inv->n_devices = list.n;
	if (list.n)
		qsort(inv->devices, list.n, list.size, compare_devices);
	count_vfs(inv);

	return 0;
}

/**
 * inventory_device() - Read one function
 *
 * Its VFs are the virtfnN links in its folder.
 */
int inventory_device(int sysfs, const char *bdf, struct kernel_device *ret,
		     struct error *err)
{
	_cleanup_fd_ int devices = -1;
	_cleanup_dir_ DIR *dir = NULL;
	struct kernel_device dev;
	char kernels[BDF_SIZE];
	const char *name;
	int r;

	if (bdf_parse(bdf, kernels) < 0 || !str_eq(bdf, kernels))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "'%s' is no PCI address", bdf);

	devices = sysfs_open(sysfs, DEVICES);
	r = devices < 0 ? devices : read_device(devices, bdf, &dev);
	if (r == -ENOENT || r == -ENODEV)
		return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
				 "there is no PCI function %s", bdf);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSFS,
				 "read PCI function %s in sysfs: %m", bdf);

	if (dev.sriov_total && !sysfs_dir(devices, bdf, &dir)) {
		while ((name = sysfs_next(dir)))
			if (str_starts(name, "virtfn"))
				dev.sriov_num++;
	}

	*ret = dev;
	return 0;
}

/* --- groups --- */

/**
 * read_reserved() - Read a group's reserved regions
 * @dir:	The group's folder
 * @group:	@reserved is filled; the caller frees it
 *
 * Source: reserved_regions, a line "0xstart 0xlast type" each. A line that does
 * not look like that is passed over.
 *
 * Return: 0 or -ENOMEM.
 */
static int read_reserved(int dir, struct kernel_group *group)
{
	struct array list = { .size = sizeof(struct kernel_reserved) };
	_cleanup_free_ char *text = malloc(RESERVED_MAX);
	char *rest = text, *line;

	if (!text)
		return -ENOMEM;
	if (fd_read_file(dir, "reserved_regions", text, RESERVED_MAX) < 0)
		return 0;

	while ((line = strsep(&rest, "\n"))) {
		struct kernel_reserved region = { 0 }, *item;

		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %23s", &region.start,
			   &region.last, region.type) != 3)
			continue;
		item = array_add(&list);
		group->reserved = list.items;
		if (!item)
			return -ENOMEM;
		*item = region;
	}
	group->n_reserved = list.n;

	return 0;
}

/**
 * compare_groups() - Order by number; for qsort(3)
 */
static int compare_groups(const void *a, const void *b)
{
	const struct kernel_group *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/**
 * read_groups() - Read all IOMMU groups
 * @sysfs:	An open sysfs
 * @inv:	@groups is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int read_groups(int sysfs, struct kernel_inventory *inv,
		       struct error *err)
{
	struct array list = { .size = sizeof(struct kernel_group) };
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_dir(sysfs, GROUPS, &dir);
	if (r == -ENOENT) /* a kernel without IOMMU support */
		return 0;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSFS,
				 "open sysfs folder '%s': %m", GROUPS);

	while ((name = sysfs_next(dir))) {
		_cleanup_fd_ int sub = -1;
		struct kernel_group *group;
		uint64_t number;

		if (str_u64(name, 10, INT32_MAX, &number) < 0)
			continue;
		sub = sysfs_open(dirfd(dir), name);
		if (sub < 0)
			continue;
		group = array_add(&list);
		inv->groups = list.items;
		if (!group)
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory to list IOMMU groups");
		inv->n_groups = list.n;
		group->number = (int)number;
		(void)sysfs_text(sub, "type", group->type,
				 sizeof(group->type));
		if (read_reserved(sub, group) < 0)
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory to list IOMMU groups");
	}

	if (list.n)
		qsort(inv->groups, list.n, list.size, compare_groups);

	return 0;
}

/* --- IOMMUs --- */

/**
 * read_registers() - Read what sysfs shows of an IOMMU's registers
 * @dir:	The IOMMU's folder
 * @folder:	Where they are
 * @names:	Which, ended with NULL
 * @iommu:	@registers is filled
 */
static void read_registers(int dir, const char *folder,
			   const char *const *names, struct kernel_iommu *iommu)
{
	for (; *names && iommu->n_registers < ARRAY_SIZE(iommu->registers);
	     names++) {
		struct kernel_register *reg =
			&iommu->registers[iommu->n_registers];
		char path[64];

		if (!str_format(path, sizeof(path), "%s/%s", folder, *names) ||
		    sysfs_text(dir, path, reg->value, sizeof(reg->value)) < 0)
			continue;
		(void)str_copy(reg->name, sizeof(reg->name), *names);
		iommu->n_registers++;
	}
}

/**
 * is_carried() - Is an IOMMU's parent such a device?
 * @iommus:	The folder of the IOMMUs, whose entries are links
 * @name:	Which
 * @carrier:	See struct platform
 *
 * virtio-iommu names its IOMMU after the device that carries it: a PCI address,
 * or the name of a platform device.
 */
static bool is_carried(int iommus, const char *name, const char *carrier)
{
	char target[512], bdf[BDF_SIZE];
	ssize_t n;

	if (!bdf_parse(name, bdf))
		return true;
	n = readlinkat(iommus, name, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';

	return strstr(target, carrier) != NULL;
}

/**
 * is_of() - Is an IOMMU of a family?
 * @iommus:	The folder of them all
 * @name:	Which
 * @dir:	Its folder
 */
static bool is_of(int iommus, const char *name, int dir,
		  const struct platform *platform)
{
	if (platform->folder)
		return !faccessat(dir, platform->folder, F_OK, 0);
	if (platform->prefix)
		return str_starts(name, platform->prefix);
	return platform->carrier &&
	       is_carried(iommus, name, platform->carrier);
}

/**
 * read_iommu() - Read one IOMMU
 * @iommus:	The folder of them all
 * @name:	Which
 * @iommu:	Filled
 *
 * Return: 0; -errno if it is gone.
 */
static int read_iommu(int iommus, const char *name, struct kernel_iommu *iommu)
{
	const struct platform *platforms;
	const size_t last = platform_all(&platforms) - 1;
	_cleanup_fd_ int dir = -1;
	size_t i = 0;

	if (!str_copy(iommu->name, sizeof(iommu->name), name))
		return -ENAMETOOLONG;
	dir = sysfs_open(iommus, name);
	if (dir < 0)
		return dir;

	while (i < last && !is_of(iommus, name, dir, &platforms[i]))
		i++;
	(void)str_copy(iommu->family, sizeof(iommu->family),
		       platforms[i].family);
	if (platforms[i].folder)
		read_registers(dir, platforms[i].folder,
			       platforms[i].registers, iommu);

	return 0;
}

/**
 * compare_iommus() - Order by name; for qsort(3)
 */
static int compare_iommus(const void *a, const void *b)
{
	const struct kernel_iommu *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/**
 * read_iommus() - Read all IOMMUs
 * @sysfs:	An open sysfs
 * @inv:	@iommus is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int read_iommus(int sysfs, struct kernel_inventory *inv,
		       struct error *err)
{
	struct array list = { .size = sizeof(struct kernel_iommu) };
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_dir(sysfs, IOMMUS, &dir);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSFS,
				 "open sysfs folder '%s': %m", IOMMUS);

	while ((name = sysfs_next(dir))) {
		struct kernel_iommu *iommu = array_add(&list);

		inv->iommus = list.items;
		if (!iommu)
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory to list IOMMUs");
		if (read_iommu(dirfd(dir), name, iommu) < 0)
			list.n--;
	}

	inv->n_iommus = list.n;
	if (list.n)
		qsort(inv->iommus, list.n, list.size, compare_iommus);

	return 0;
}

/**
 * read_isolated_msi() - Does the host remap interrupts?
 * @ret:	See inventory_isolated_msi()
 *
 * Return: 0, also where nothing tells; -errno if what tells cannot be read.
 */
static int read_isolated_msi(int sysfs, enum kernel_isolated_msi *ret)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r;

	*ret = ISOLATED_MSI_UNKNOWN;
	r = sysfs_dir(sysfs, IRQS, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;

	while ((name = sysfs_next(dir))) {
		char path[280], chip[32];

		if (!str_format(path, sizeof(path), "%s/chip_name", name) ||
		    sysfs_text(dirfd(dir), path, chip, sizeof(chip)) < 0)
			continue;
		if (str_starts(chip, "IR-")) {
			*ret = ISOLATED_MSI_YES;
			return 0;
		}
		if (str_eq(chip, "IO-APIC"))
			*ret = ISOLATED_MSI_NO;
	}

	return 0;
}

/* inventory_isolated_msi() - Does the host remap interrupts? */
enum kernel_isolated_msi inventory_isolated_msi(int sysfs)
{
	enum kernel_isolated_msi found;

	(void)read_isolated_msi(sysfs, &found); /* then it is not known */
	return found;
}

/**
 * no_iommu_mode() - Does VFIO take functions without an IOMMU?
 *
 * Source: parameter of module vfio, there with CONFIG_VFIO_NOIOMMU. Whether such
 * functions have cdevs (CONFIG_IOMMUFD_NOIOMMU) nothing tells before there is
 * one.
 */
static bool no_iommu_mode(int sysfs)
{
	char text[8];

	return !sysfs_text(sysfs, NO_IOMMU, text, sizeof(text)) &&
	       text[0] == 'Y';
}

/* inventory_read() - Read the whole machine */
int inventory_read(int sysfs, struct kernel_inventory **ret, struct error *err)
{
	__attribute__((cleanup(inventory_freep)))
	struct kernel_inventory *inv = calloc(1, sizeof(*inv));
	int r;

	if (!inv)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for an inventory");

	r = read_iommus(sysfs, inv, err);
	if (!r)
		r = read_groups(sysfs, inv, err);
	if (!r)
		r = read_devices(sysfs, inv, err);
	if (r < 0)
		return r;
	r = read_isolated_msi(sysfs, &inv->isolated_msi);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSFS,
				 "open sysfs folder '%s': %m", IRQS);
	inv->no_iommu_mode = no_iommu_mode(sysfs);

	*ret = TAKE_PTR(inv);
	return 0;
}
