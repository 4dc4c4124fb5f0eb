/* SPDX-License-Identifier: Apache-2.0
 *
 * sim-cdev.h - a simulated machine for tests of its VFIO cdevs
 *
 * The caller is this process: its memory is read and written, and numbers in
 * structures are its descriptors.
 */
#ifndef TESTS_UNIT_SIM_CDEV_H
#define TESTS_UNIT_SIM_CDEV_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/function.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/vfio.h"

#define MIB (1ULL << 20)
#define CONFIG SIM_VFIO_OFFSET(UAPI_PCI_CONFIG_REGION_INDEX)

#define EDU0 "0000:01:00.0"	/* alone on its bus, reset "bus" */
#define PAIR0 "0000:02:00.0"	/* one group, one bus, no function reset */
#define PAIR1 "0000:02:00.1"
#define NVME "0000:03:00.0"	/* alone, FLR */
#define PF "0000:04:00.0"	/* with a host driver; its VF on its bus */
#define VF "0000:04:10.0"
#define ROOT "0000:00:05.0"	/* no bridge in front of it */
#define PORT "0000:00:01.0"	/* a bridge in the group of ROOT */

/* --- a machine --- */

static const struct {
	const char *bdf;
	uint16_t vendor, device;
	uint32_t class;
	int group;
	const char *resets, *physfn, *driver;
	bool bridge;
	uint64_t bars[SIM_BARS];
} kinds[] = {
	{ EDU0, 0x1234, 0x11e8, 0x00ff00, 1, "bus", "", "vfio-pci", false,
	  { MIB } },
	{ PAIR0, 0x1234, 0x11e8, 0x00ff00, 2, "", "", "vfio-pci", false,
	  { MIB } },
	{ PAIR1, 0x1234, 0x11e8, 0x00ff00, 2, "", "", "vfio-pci", false,
	  { MIB } },
	{ NVME, 0x1b36, 0x0010, 0x010802, 3, "flr bus", "", "vfio-pci", false,
	  { 16384 } },
	{ PF, 0x8086, 0x10c9, 0x020000, 4, "flr", "", "igb", false,
	  { 131072 } },
	{ VF, 0x8086, 0x10ca, 0x020000, 5, "flr", PF, "vfio-pci", false,
	  { 16384 } },
	{ ROOT, 0x8086, 0x1000, 0x020000, 6, "flr", "", "vfio-pci", false,
	  { 4096 } },
	{ PORT, 0x1b36, 0x000c, 0x060400, 6, "", "", "pcieport", true, { 0 } },
};

/**
 * struct world - The machine of a test, and what it has open
 */
struct world {
	struct sim *sim;
	struct sim_caller self;
	int other; /* a descriptor that is none of the machine's */
};

/**
 * struct opened - An open file, as a client has it
 */
struct opened {
	struct sim_file *file;
	int fd, far;
};

/* add_device() - Put one into the machine, with its driver */
static inline void add_device(struct sim *sim, size_t i)
{
	struct sim_device *device = calloc(1, sizeof(*device));
	struct kernel_device *facts = &device->facts;
	struct sim_group *group = sim_group_known(sim, kinds[i].group);

	if (!group) {
		group = calloc(1, sizeof(*group));
		group->facts.number = kinds[i].group;
		group->iommu = sim->iommus[0];
		assert_int_equal(sim_add_group_consume(sim, group), 0);
	}
	(void)str_copy(facts->bdf, sizeof(facts->bdf), kinds[i].bdf);
	(void)str_copy(facts->physfn, sizeof(facts->physfn), kinds[i].physfn);
	(void)str_copy(facts->reset_methods, sizeof(facts->reset_methods),
		       kinds[i].resets);
	(void)str_copy(device->host_driver, sizeof(device->host_driver),
		       str_eq(kinds[i].driver, "vfio-pci") ? "uio" :
		       kinds[i].driver);
	(void)str_copy(device->override, sizeof(device->override),
		       kinds[i].driver);
	facts->vendor = kinds[i].vendor;
	facts->device = kinds[i].device;
	facts->class = kinds[i].class;
	facts->bridge = kinds[i].bridge;
	facts->group = kinds[i].group;
	if (str_eq(kinds[i].bdf, PF))
		facts->sriov_total = 8;
	memcpy(device->bar_size, kinds[i].bars, sizeof(device->bar_size));
	device->group = group;
	device->present = true;
	assert_int_equal(sim_add_device_consume(sim, device), 0);
	assert_int_equal(driver_settle(sim, device), 0);
}

static inline int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sim_iommu *iommu = calloc(1, sizeof(*iommu));

	assert_int_equal(sim_new(&w->sim), 0);
	sim_lock(w->sim);
	w->sim->info.iommufd = true;
	w->sim->isolated_msi = ISOLATED_MSI_YES;
	(void)str_copy(w->sim->vfio_drivers[0], DRIVER_SIZE, "vfio-pci");
	w->sim->n_vfio_drivers = 1;
	(void)str_copy(iommu->facts.name, sizeof(iommu->facts.name), "dmar0");
	iommu->aperture.last = (1ULL << 48) - 1;
	iommu->alignment = SIM_PAGE;
	assert_int_equal(sim_add_iommu_consume(w->sim, iommu), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		add_device(w->sim, i);
	w->self.pid = getpid();
	w->self.uid = getuid();
	w->other = open("/dev/null", O_RDWR | O_CLOEXEC);

	*state = w;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *w = *state;

	while (w->sim->files)
		(void)sim_close(w->sim->files);
	for (size_t i = 0; i < w->sim->n_groups; i++) {
		assert_int_equal(w->sim->groups[i]->n_bound, 0);
		assert_null(w->sim->groups[i]->owner);
	}
	for (size_t i = 0; i < w->sim->n_devices; i++) {
		assert_int_equal(w->sim->devices[i]->n_files, 0);
		assert_int_equal(w->sim->devices[i]->lock_owner, 0);
		assert_null(w->sim->devices[i]->bound);
	}
	sim_unlock(w->sim);
	(void)sim_free(w->sim);
	close(w->other);
	free(w);

	return 0;
}

static inline struct sim_device *device(const struct world *w, const char *bdf)
{
	return sim_device_known(w->sim, bdf);
}

/* numbered() - Give an open file a descriptor, as the server does */
static inline struct opened numbered(struct sim_file *file)
{
	struct opened o = { .file = file };
	struct stat st;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    ends), 0);
	o.fd = ends[0];
	o.far = ends[1];
	assert_int_equal(fstat(o.fd, &st), 0);
	file->inode = st.st_ino;
	return o;
}

static inline struct opened open_cdev(struct world *w, const char *bdf)
{
	struct sim_file *file;

	assert_int_equal(sim_open_cdev(w->sim, bdf, &file), 0);
	return numbered(file);
}

static inline struct opened open_iommufd(struct world *w)
{
	struct sim_file *file;

	assert_int_equal(sim_open_iommufd(w->sim, &file), 0);
	return numbered(file);
}

static inline void shut(struct opened *o)
{
	o->file = sim_close(o->file);
	close(o->fd);
	close(o->far);
}

/* --- calls --- */

static inline long call(struct world *w, const struct opened *o,
			unsigned long request, void *arg)
{
	return sim_ioctl(o->file, &w->self, request, (uintptr_t)arg);
}

static inline long bind_fd(struct world *w, const struct opened *o, int fd,
			   uint32_t *ret_id)
{
	struct uapi_device_bind_iommufd cmd = { .argsz = sizeof(cmd),
						.iommufd = fd };
	long r = call(w, o, UAPI_DEVICE_BIND_IOMMUFD, &cmd);

	if (ret_id)
		*ret_id = cmd.out_devid;
	return r;
}

static inline long bind_to(struct world *w, const struct opened *o,
			   const struct opened *iommufd)
{
	return bind_fd(w, o, iommufd->fd, NULL);
}

static inline uint32_t new_ioas(struct world *w, const struct opened *iommufd)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	assert_int_equal(call(w, iommufd, UAPI_IOAS_ALLOC, &cmd), 0);
	return cmd.out_ioas_id;
}

static inline long attach(struct world *w, const struct opened *o,
			  uint32_t pt_id)
{
	struct uapi_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd),
						     .pt_id = pt_id };

	return call(w, o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

static inline long detach(struct world *w, const struct opened *o)
{
	struct uapi_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return call(w, o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static inline long destroy(struct world *w, const struct opened *o, uint32_t id)
{
	struct uapi_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(w, o, UAPI_DESTROY, &cmd);
}

static inline uint32_t info_flags(struct world *w, const struct opened *o)
{
	struct uapi_device_info cmd = { .argsz = sizeof(cmd) };

	assert_int_equal(call(w, o, UAPI_DEVICE_GET_INFO, &cmd), 0);
	return cmd.flags;
}

static inline long get(struct world *w, const struct opened *o, uint64_t at,
		       void *buf, size_t size)
{
	return sim_pread(o->file, &w->self, (uintptr_t)buf, size, at);
}

static inline long put(struct world *w, const struct opened *o, uint64_t at,
		       const void *buf, size_t size)
{
	return sim_pwrite(o->file, &w->self, (uintptr_t)buf, size, at);
}

/* get32() - A word that can be read */
static inline uint32_t get32(struct world *w, const struct opened *o,
			     uint64_t at)
{
	uint8_t bytes[4];

	assert_int_equal(get(w, o, at, bytes, 4), 4);
	return pci_u32(bytes);
}

static inline void put32(struct world *w, const struct opened *o, uint64_t at,
			 uint32_t value)
{
	uint8_t bytes[4] = { value & 0xff, value >> 8 & 0xff,
			     value >> 16 & 0xff, value >> 24 };

	assert_int_equal(put(w, o, at, bytes, 4), 4);
}

#endif
