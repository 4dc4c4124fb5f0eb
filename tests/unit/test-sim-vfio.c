/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-vfio.c - VFIO cdevs of the simulated machine: who may bind, what is
 *		     answered, what the last close ends, what DMA reaches
 *
 * The caller is this process: its memory is read and written, and numbers in
 * structures are its descriptors.
 */
#include <errno.h>
#include <fcntl.h>
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
static void add_device(struct sim *sim, size_t i)
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

static int set_up(void **state)
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

static int tear_down(void **state)
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

static struct sim_device *device(const struct world *w, const char *bdf)
{
	return sim_device_known(w->sim, bdf);
}

/* numbered() - Give an open file a descriptor, as the server does */
static struct opened numbered(struct sim_file *file)
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

static struct opened open_cdev(struct world *w, const char *bdf)
{
	struct sim_file *file;

	assert_int_equal(sim_open_cdev(w->sim, bdf, &file), 0);
	return numbered(file);
}

static struct opened open_iommufd(struct world *w)
{
	struct sim_file *file;

	assert_int_equal(sim_open_iommufd(w->sim, &file), 0);
	return numbered(file);
}

static void shut(struct opened *o)
{
	o->file = sim_close(o->file);
	close(o->fd);
	close(o->far);
}

/* --- calls --- */

static long call(struct world *w, const struct opened *o, unsigned long request,
		 void *arg)
{
	return sim_ioctl(o->file, &w->self, request, (uintptr_t)arg);
}

static long bind_fd(struct world *w, const struct opened *o, int fd,
		    uint32_t *ret_id)
{
	struct uapi_device_bind_iommufd cmd = { .argsz = sizeof(cmd),
						.iommufd = fd };
	long r = call(w, o, UAPI_DEVICE_BIND_IOMMUFD, &cmd);

	if (ret_id)
		*ret_id = cmd.out_devid;
	return r;
}

static long bind_to(struct world *w, const struct opened *o,
		 const struct opened *iommufd)
{
	return bind_fd(w, o, iommufd->fd, NULL);
}

static uint32_t new_ioas(struct world *w, const struct opened *iommufd)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	assert_int_equal(call(w, iommufd, UAPI_IOAS_ALLOC, &cmd), 0);
	return cmd.out_ioas_id;
}

static long attach(struct world *w, const struct opened *o, uint32_t pt_id)
{
	struct uapi_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd),
						     .pt_id = pt_id };

	return call(w, o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

static long detach(struct world *w, const struct opened *o)
{
	struct uapi_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return call(w, o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static long destroy(struct world *w, const struct opened *o, uint32_t id)
{
	struct uapi_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(w, o, UAPI_DESTROY, &cmd);
}

static uint32_t info_flags(struct world *w, const struct opened *o)
{
	struct uapi_device_info cmd = { .argsz = sizeof(cmd) };

	assert_int_equal(call(w, o, UAPI_DEVICE_GET_INFO, &cmd), 0);
	return cmd.flags;
}

static long get(struct world *w, const struct opened *o, uint64_t at, void *buf,
		size_t size)
{
	return sim_pread(o->file, &w->self, (uintptr_t)buf, size, at);
}

static long put(struct world *w, const struct opened *o, uint64_t at,
		const void *buf, size_t size)
{
	return sim_pwrite(o->file, &w->self, (uintptr_t)buf, size, at);
}

/* get32() - A word that can be read */
static uint32_t get32(struct world *w, const struct opened *o, uint64_t at)
{
	uint8_t bytes[4];

	assert_int_equal(get(w, o, at, bytes, 4), 4);
	return pci_u32(bytes);
}

static void put32(struct world *w, const struct opened *o, uint64_t at,
		  uint32_t value)
{
	uint8_t bytes[4] = { value & 0xff, value >> 8 & 0xff,
			     value >> 16 & 0xff, value >> 24 };

	assert_int_equal(put(w, o, at, bytes, 4), 4);
}

/* --- open --- */

static void open_says_what_is_missing(void **state)
{
	struct world *w = *state;
	struct sim_file *file;

	assert_int_equal(sim_open_cdev(w->sim, PF, &file), -ENOENT);
	assert_int_equal(sim_open_cdev(w->sim, "0000:99:00.0", &file), -ENODEV);
	device(w, EDU0)->present = false;
	assert_int_equal(sim_open_cdev(w->sim, EDU0, &file), -ENODEV);
	device(w, EDU0)->present = true;
	w->sim->info.iommufd = false;
	assert_int_equal(sim_open_iommufd(w->sim, &file), -ENOENT);
}

static void a_cdev_opens_more_than_once(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, EDU0), b = open_cdev(w, EDU0);

	assert_int_equal(device(w, EDU0)->n_files, 2);
	shut(&a);
	assert_int_equal(device(w, EDU0)->n_files, 1);
	shut(&b);
	assert_int_equal(device(w, EDU0)->n_files, 0);
	assert_int_equal(device(w, EDU0)->function ?
			 device(w, EDU0)->function->n_resets : 0, 0);
}

static void descriptors_are_found_by_number(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, EDU0), b = open_iommufd(w);
	struct sim_file *found = NULL;
	int copy = dup(b.fd);

	assert_int_equal(sim_caller_file(w->sim, &w->self, a.fd, &found), 0);
	assert_ptr_equal(found, a.file);
	assert_int_equal(sim_caller_file(w->sim, &w->self, copy, &found), 0);
	assert_ptr_equal(found, b.file);
	assert_int_equal(sim_caller_file(w->sim, &w->self, w->other, &found),
			 -EINVAL);
	assert_int_equal(sim_caller_file(w->sim, &w->self, a.far, &found),
			 -EINVAL);
	assert_int_equal(sim_caller_file(w->sim, &w->self, 1000, &found),
			 -EBADF);
	close(copy);
	shut(&a);
	shut(&b);
}

/* --- before BIND --- */

static void before_bind_every_call_is_einval(void **state)
{
	static const unsigned long requests[] = {
		UAPI_DEVICE_ATTACH_IOMMUFD_PT,
		UAPI_DEVICE_DETACH_IOMMUFD_PT,
		UAPI_DEVICE_GET_INFO,
		UAPI_DEVICE_GET_REGION_INFO,
		UAPI_DEVICE_GET_IRQ_INFO,
		UAPI_DEVICE_RESET,
		UAPI_DEVICE_GET_PCI_HOT_RESET_INFO,
		UAPI_DEVICE_PCI_HOT_RESET,
		UAPI_IOAS_ALLOC,
		0,
	};
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0);
	uint32_t room[16] = { sizeof(room) };
	uint8_t byte;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		assert_int_equal(call(w, &o, requests[i], room), -EINVAL);
	assert_int_equal(get(w, &o, CONFIG, &byte, 1), -EINVAL);
	assert_int_equal(put(w, &o, CONFIG, &byte, 1), -EINVAL);
	assert_int_equal(get(w, &o, CONFIG, &byte, 0), -EINVAL);
	shut(&o);
}

/* --- BIND --- */

static void bind_gives_ids_that_count_up(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, EDU0), b = open_cdev(w, NVME);
	struct opened iommufd = open_iommufd(w);
	uint32_t id = 0, other = 0;

	assert_int_equal(bind_fd(w, &a, iommufd.fd, &id), 0);
	assert_int_equal(bind_fd(w, &b, iommufd.fd, &other), 0);
	assert_int_equal(id, 1);
	assert_int_equal(other, 2);
	assert_int_equal(device(w, EDU0)->group->n_bound, 1);
	shut(&a);
	shut(&b);
	shut(&iommufd);
}

static void bind_takes_structures_of_other_sizes(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct {
		struct uapi_device_bind_iommufd cmd;
		uint8_t rest[300];
	} big = { .cmd = { .iommufd = iommufd.fd } };
	uint32_t *argsz = &big.cmd.argsz;

	for (*argsz = 0; *argsz < 16; ++*argsz)
		assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &big),
				 -EINVAL);
	*argsz = sizeof(big);
	big.rest[sizeof(big.rest) - 1] = 1;
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &big), -E2BIG);
	big.rest[sizeof(big.rest) - 1] = 0;
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &big), 0);
	shut(&o);

	o = open_cdev(w, EDU0);
	*argsz = 16; /* of kernels without token */
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &big), 0);
	shut(&o);
	shut(&iommufd);
}

static void bind_refuses_what_it_does_not_know(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	uint8_t uuid[16] = { 1 };
	struct uapi_device_bind_iommufd cmd = { .argsz = sizeof(cmd),
						.iommufd = iommufd.fd,
						.flags = 2 };

	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &cmd), -EINVAL);
	cmd.flags = UAPI_DEVICE_BIND_FLAG_TOKEN;
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &cmd), -EFAULT);
	cmd.token_uuid_ptr = (uintptr_t)uuid;
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, &cmd), -EINVAL);
	assert_int_equal(sim_ioctl(o.file, &w->self, UAPI_DEVICE_BIND_IOMMUFD,
				   8), -EFAULT);
	assert_int_equal(bind_fd(w, &o, -1, NULL), -EINVAL);
	assert_int_equal(bind_fd(w, &o, 1000, NULL), -EBADF);
	assert_int_equal(bind_fd(w, &o, w->other, NULL), -EBADFD);
	assert_int_equal(bind_fd(w, &o, o.fd, NULL), -EBADFD);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	shut(&o);
	shut(&iommufd);
}

static void an_id_that_cannot_be_written_binds_nothing(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct uapi_device_bind_iommufd *cmd =
		mmap(NULL, SIM_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cmd->argsz = sizeof(*cmd);
	cmd->iommufd = iommufd.fd;
	mprotect(cmd, SIM_PAGE, PROT_READ);
	assert_int_equal(call(w, &o, UAPI_DEVICE_BIND_IOMMUFD, cmd), -EFAULT);
	munmap(cmd, SIM_PAGE);
	assert_null(device(w, EDU0)->bound);
	assert_null(device(w, EDU0)->group->owner);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	shut(&o);
	shut(&iommufd);
}

static void bind_is_given_once(void **state)
{
	struct world *w = *state;
	struct opened first = open_cdev(w, EDU0), second = open_cdev(w, EDU0);
	struct opened one = open_iommufd(w), other = open_iommufd(w);

	assert_int_equal(bind_to(w, &first, &one), 0);
	assert_int_equal(bind_to(w, &first, &one), -EINVAL);
	assert_int_equal(bind_to(w, &first, &other), -EINVAL);
	assert_int_equal(bind_to(w, &second, &one), -EINVAL);
	assert_int_equal(bind_to(w, &second, &other), -EINVAL);
	/* The descriptor is looked at before the device is. */
	assert_int_equal(bind_fd(w, &first, 1000, NULL), -EINVAL);
	assert_int_equal(bind_fd(w, &second, 1000, NULL), -EBADF);
	shut(&first);
	assert_int_equal(bind_to(w, &second, &other), 0);
	shut(&second);
	shut(&one);
	shut(&other);
}

static void a_group_has_one_context(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, PAIR0), b = open_cdev(w, PAIR1);
	struct opened one = open_iommufd(w), other = open_iommufd(w);
	uint32_t ioas;

	assert_int_equal(bind_to(w, &a, &one), 0);
	assert_int_equal(bind_to(w, &b, &other), -EPERM);
	assert_int_equal(bind_to(w, &b, &one), 0);
	assert_int_equal(device(w, PAIR0)->group->n_bound, 2);
	ioas = new_ioas(w, &one);
	assert_int_equal(attach(w, &a, ioas), 0);
	assert_int_equal(attach(w, &b, new_ioas(w, &one)), -EINVAL);
	assert_int_equal(attach(w, &b, ioas), 0);
	shut(&a);
	/* One of it is bound still. */
	a = open_cdev(w, PAIR0);
	assert_int_equal(bind_to(w, &a, &other), -EPERM);
	shut(&b);
	assert_int_equal(bind_to(w, &a, &other), 0);
	shut(&a);
	shut(&one);
	shut(&other);
}

static void a_sibling_with_a_host_driver_is_eperm(void **state)
{
	static const struct {
		const char *driver;
		long r;
	} drivers[] = {
		{ "uio", -EPERM },
		{ "nvme", -EPERM },
		{ "pci-stub", 0 },
		{ "pcieport", 0 },
		{ "", 0 },
	};
	struct world *w = *state;
	struct opened iommufd = open_iommufd(w);

	device(w, PAIR1)->facts.vfio = false;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		struct opened o = open_cdev(w, PAIR0);

		(void)str_copy(device(w, PAIR1)->facts.driver, DRIVER_SIZE,
			       drivers[i].driver);
		assert_int_equal(bind_to(w, &o, &iommufd), drivers[i].r);
		shut(&o);
	}
	/* One that was pulled is nobody's. */
	(void)str_copy(device(w, PAIR1)->facts.driver, DRIVER_SIZE, "uio");
	device(w, PAIR1)->present = false;
	struct opened o = open_cdev(w, PAIR0);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	shut(&o);
	shut(&iommufd);
}

static void a_bridge_in_the_group_is_no_obstacle(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, ROOT), iommufd = open_iommufd(w);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	shut(&o);
	shut(&iommufd);
}

static void interrupts_have_to_be_isolated(void **state)
{
	static const struct {
		enum kernel_isolated_msi isolated;
		bool allow;
		long r;
	} cases[] = {
		{ ISOLATED_MSI_NO, false, -EPERM },
		{ ISOLATED_MSI_UNKNOWN, false, -EPERM },
		{ ISOLATED_MSI_NO, true, 0 },
		{ ISOLATED_MSI_UNKNOWN, true, 0 },
		{ ISOLATED_MSI_YES, false, 0 },
	};
	struct world *w = *state;
	struct opened iommufd = open_iommufd(w);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct opened o = open_cdev(w, EDU0);

		w->sim->isolated_msi = cases[i].isolated;
		w->sim->allow_unsafe = cases[i].allow;
		assert_int_equal(bind_to(w, &o, &iommufd), cases[i].r);
		shut(&o);
	}
	shut(&iommufd);
}

static void while_the_lock_is_held_bind_is_eagain(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct opened pair = open_cdev(w, PAIR0);
	uint32_t id = 0;

	device(w, EDU0)->lock_owner = sim_call_new(w->sim);
	device(w, PAIR0)->lock_owner = sim_call_new(w->sim);
	assert_int_equal(bind_to(w, &o, &iommufd), -EAGAIN);
	assert_null(device(w, EDU0)->bound);
	assert_null(device(w, EDU0)->group->owner);
	/* A function without reset does not need the lock. */
	assert_int_equal(bind_fd(w, &pair, iommufd.fd, &id), 0);
	assert_int_equal(id, 1);
	device(w, EDU0)->lock_owner = 0;
	device(w, PAIR0)->lock_owner = 0;
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	shut(&o);
	shut(&pair);
	shut(&iommufd);
}

static void one_that_was_pulled_is_enodev(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);

	device(w, EDU0)->present = false;
	assert_int_equal(bind_to(w, &o, &iommufd), -ENODEV);
	shut(&o);
	shut(&iommufd);
}

static void a_file_of_an_earlier_registration_is_enodev(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);

	/* As if unbind had not waited for it, and another came meanwhile. */
	device(w, EDU0)->n_files = 0;
	device(w, EDU0)->facts.cdev += 100;
	assert_int_equal(bind_to(w, &o, &iommufd), -ENODEV);
	struct opened now = open_cdev(w, EDU0);

	shut(&o);
	assert_int_equal(device(w, EDU0)->n_files, 1);
	shut(&now);
	shut(&iommufd);
}

static void a_vf_of_a_pf_with_vfio_needs_its_token(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, VF), iommufd = open_iommufd(w);

	device(w, PF)->facts.vfio = true;
	assert_int_equal(bind_to(w, &o, &iommufd), -EACCES);
	device(w, PF)->facts.vfio = false;
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(get32(w, &o, CONFIG), 0x10ca8086);
	shut(&o);
	shut(&iommufd);
}

/* --- resets --- */

static void bind_and_close_reset_the_function(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	const struct sim_function *f = function_get(device(w, NVME));
	uint8_t word[4] = { 1, 2, 3, 4 };

	function_set_command(device(w, NVME)->function, 0,
			     PCI_COMMAND_MEMORY_BIT);
	function_bar(device(w, NVME)->function, 0, 0x14, word, 4, true);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(f->n_resets, 1);
	assert_int_equal(get32(w, &o, 0x14), 0);
	put32(w, &o, 0x14, 5);
	put32(w, &o, CONFIG + PCI_OFF_COMMAND, 6);
	assert_int_equal(get32(w, &o, 0x14), 5);
	shut(&o);
	assert_int_equal(f->n_resets, 2);
	assert_null(f->bar[0]);
	assert_int_equal(function_command(f) & PCI_COMMAND_MASTER_BIT, 0);
	shut(&iommufd);
}

static void memory_space_is_on_after_bind_and_bus_mastering_is_not(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);

	function_set_command(function_get(device(w, EDU0)), 0,
			     PCI_COMMAND_MASTER_BIT);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(get32(w, &o, CONFIG + PCI_OFF_COMMAND) & 0x407,
			 PCI_COMMAND_MEMORY_BIT);
	assert_int_equal(get32(w, &o, 0), 0x010000ed);
	shut(&o);
	shut(&iommufd);
}

static void only_a_reset_that_works_is_offered(void **state)
{
	struct world *w = *state;
	struct opened iommufd = open_iommufd(w), o = open_cdev(w, PAIR0);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(info_flags(w, &o), UAPI_DEVICE_FLAGS_PCI);
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), -EINVAL);
	shut(&o);

	/* One that fails at BIND is no failure of BIND. */
	device(w, EDU0)->reset_error = ETIMEDOUT;
	o = open_cdev(w, EDU0);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(info_flags(w, &o), UAPI_DEVICE_FLAGS_PCI);
	device(w, EDU0)->reset_error = 0;
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), -EINVAL);
	shut(&o);

	o = open_cdev(w, EDU0);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(info_flags(w, &o), UAPI_DEVICE_FLAGS_PCI |
					    UAPI_DEVICE_FLAGS_RESET);
	put32(w, &o, 4, 7);
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), 0);
	assert_int_equal(get32(w, &o, 4), 0);
	device(w, EDU0)->reset_error = ENOTTY;
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), -ENOTTY);
	device(w, EDU0)->reset_error = 0;
	device(w, EDU0)->lock_owner = sim_call_new(w->sim);
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), -EAGAIN);
	device(w, EDU0)->lock_owner = 0;
	shut(&o);
	shut(&iommufd);
}

static void a_reset_takes_its_time(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	struct timespec a, b;

	device(w, NVME)->reset_ms = 30;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 +
		    (b.tv_nsec - a.tv_nsec) / 1000000 >= 29);
	device(w, NVME)->reset_ms = 0;
	shut(&o);
	shut(&iommufd);
}

static void a_close_while_unbind_waits_does_not_reset(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	const struct sim_function *f;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	f = device(w, NVME)->function;
	put32(w, &o, 0x14, 5);
	device(w, NVME)->lock_owner = sim_call_new(w->sim);
	shut(&o);
	assert_int_equal(f->n_resets, 1);
	assert_true(f->needs_reset);
	assert_null(device(w, NVME)->bound);
	device(w, NVME)->lock_owner = 0;
	shut(&iommufd);
}

static void flr_by_its_bit_resets(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	const struct sim_function *f;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	f = device(w, NVME)->function;
	put32(w, &o, 0x14, 5);
	put32(w, &o, CONFIG + f->express + PCI_EXPRESS_DEVCTL,
	      PCI_EXPRESS_FLR_BIT);
	assert_int_equal(f->n_resets, 2);
	assert_int_equal(get32(w, &o, 0x14), 0);
	shut(&o);
	shut(&iommufd);
}

/* --- hot resets --- */

struct hot_reset_info {
	struct uapi_pci_hot_reset_info cmd;
	struct uapi_pci_dependent_device devices[4];
};

/* hot_reset_info() - Ask with room for some functions */
static long hot_reset_info(struct world *w, const struct opened *o, size_t room,
			   struct hot_reset_info *ret)
{
	memset(ret, 0xee, sizeof(*ret));
	ret->cmd.argsz = (uint32_t)(sizeof(ret->cmd) +
				    room * sizeof(ret->devices[0]));
	return call(w, o, UAPI_DEVICE_GET_PCI_HOT_RESET_INFO, ret);
}

static void a_hot_reset_names_all_on_the_bus(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, PAIR0), iommufd = open_iommufd(w);
	struct opened b = open_cdev(w, PAIR1);
	struct hot_reset_info info;

	assert_int_equal(bind_to(w, &a, &iommufd), 0);
	for (size_t room = 0; room < 2; room++) {
		assert_int_equal(hot_reset_info(w, &a, room, &info), -ENOSPC);
		assert_int_equal(info.cmd.count, 2);
		assert_int_equal(info.cmd.flags, 0);
		assert_int_equal(info.devices[0].bus, 0xee);
	}
	info.cmd.argsz = sizeof(info.cmd) - 1;
	assert_int_equal(call(w, &a, UAPI_DEVICE_GET_PCI_HOT_RESET_INFO, &info),
			 -EINVAL);
	assert_int_equal(hot_reset_info(w, &a, 2, &info), 0);
	assert_int_equal(info.cmd.count, 2);
	assert_int_equal(info.cmd.flags, 3);
	assert_int_equal(info.devices[0].devid, 1);
	assert_int_equal(info.devices[0].segment, 0);
	assert_int_equal(info.devices[0].bus, 2);
	assert_int_equal(info.devices[0].devfn, 0);
	assert_int_equal(info.devices[1].devid, UAPI_PCI_DEVID_OWNED);
	assert_int_equal(info.devices[1].devfn, 1);

	assert_int_equal(bind_to(w, &b, &iommufd), 0);
	assert_int_equal(hot_reset_info(w, &a, 3, &info), 0);
	assert_int_equal(info.devices[1].devid, 2);
	shut(&b);
	shut(&a);
	shut(&iommufd);
}

static void who_is_not_owned_is_told(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, PAIR0), iommufd = open_iommufd(w);
	struct uapi_pci_hot_reset reset = { .argsz = sizeof(reset) };
	struct hot_reset_info info;

	assert_int_equal(bind_to(w, &a, &iommufd), 0);
	device(w, PAIR1)->facts.vfio = false; /* without VFIO driver */
	assert_int_equal(hot_reset_info(w, &a, 4, &info), 0);
	assert_int_equal(info.cmd.flags, UAPI_PCI_HOT_RESET_FLAG_DEV_ID);
	assert_int_equal(info.devices[1].devid, UAPI_PCI_DEVID_NOT_OWNED);
	assert_int_equal(call(w, &a, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -EINVAL);
	device(w, PAIR1)->facts.vfio = true;
	assert_int_equal(call(w, &a, UAPI_DEVICE_PCI_HOT_RESET, &reset), 0);
	assert_int_equal(device(w, PAIR0)->function->n_resets, 1);
	assert_int_equal(function_get(device(w, PAIR1))->n_resets, 1);
	shut(&a);
	shut(&iommufd);
}

static void a_hot_reset_checks_its_structure(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct uapi_pci_hot_reset reset = { .argsz = sizeof(reset) };

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	put32(w, &o, 4, 1);
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset), 0);
	assert_int_equal(get32(w, &o, 4), 0);
	reset.flags = 1;
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -EINVAL);
	reset.flags = 0;
	reset.count = 1;
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -EINVAL);
	reset.count = 0;
	reset.argsz--;
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -EINVAL);
	reset.argsz++;
	device(w, EDU0)->lock_owner = sim_call_new(w->sim);
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -EAGAIN);
	device(w, EDU0)->lock_owner = 0;
	shut(&o);
	shut(&iommufd);
}

static void without_a_bridge_there_is_no_hot_reset(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, ROOT), iommufd = open_iommufd(w);
	struct uapi_pci_hot_reset reset = { .argsz = sizeof(reset) };
	struct hot_reset_info info;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(hot_reset_info(w, &o, 4, &info), -ENODEV);
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset),
			 -ENODEV);
	shut(&o);
	shut(&iommufd);
}

static void a_vf_owns_nothing_but_itself(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, VF), iommufd = open_iommufd(w);
	struct hot_reset_info info;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(hot_reset_info(w, &o, 4, &info), 0);
	assert_int_equal(info.cmd.count, 2);
	assert_int_equal(info.devices[0].devid, UAPI_PCI_DEVID_NOT_OWNED);
	assert_int_equal(info.devices[1].devid, 1);
	assert_int_equal(info.cmd.flags, UAPI_PCI_HOT_RESET_FLAG_DEV_ID);
	shut(&o);
	shut(&iommufd);
}

static void functions_without_reset_get_their_bus_reset_at_last(void **state)
{
	struct world *w = *state;
	struct opened a = open_cdev(w, PAIR0), b = open_cdev(w, PAIR1);
	struct opened iommufd = open_iommufd(w);

	assert_int_equal(bind_to(w, &a, &iommufd), 0);
	assert_int_equal(bind_to(w, &b, &iommufd), 0);
	put32(w, &a, 4, 1);
	shut(&a);
	assert_int_equal(device(w, PAIR0)->function->n_resets, 0);
	shut(&b);
	assert_int_equal(device(w, PAIR0)->function->n_resets, 1);
	assert_int_equal(device(w, PAIR1)->function->n_resets, 1);
	assert_false(device(w, PAIR0)->function->needs_reset);
	shut(&iommufd);
}

/* --- close --- */

static void the_last_close_ends_what_bind_made(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), kept = open_iommufd(w);
	struct opened other = open_iommufd(w);
	uint32_t ioas;

	assert_int_equal(bind_to(w, &o, &kept), 0);
	ioas = new_ioas(w, &kept);
	assert_int_equal(attach(w, &o, ioas), 0);
	assert_int_equal(destroy(w, &kept, ioas), -EBUSY);
	shut(&o);
	o = open_cdev(w, EDU0);
	assert_int_equal(bind_to(w, &o, &other), 0);
	assert_int_equal(destroy(w, &kept, ioas), 0);
	shut(&o);
	shut(&kept);
	shut(&other);
}

static void a_bound_cdev_keeps_its_context(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	uint32_t ioas;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	ioas = new_ioas(w, &iommufd);
	shut(&iommufd);
	assert_int_equal(attach(w, &o, ioas), 0);
	assert_int_equal(detach(w, &o), 0);
	assert_int_equal(detach(w, &o), 0);
	assert_int_equal(attach(w, &o, ioas), 0);
	shut(&o);
}

static void a_parked_cdev_binds_later(void **state)
{
	struct world *w = *state;
	struct opened parked = open_cdev(w, EDU0), holder = open_cdev(w, EDU0);
	struct opened one = open_iommufd(w), other = open_iommufd(w);

	assert_int_equal(bind_to(w, &holder, &one), 0);
	assert_int_equal(bind_to(w, &parked, &other), -EINVAL);
	shut(&holder);
	shut(&one);
	assert_int_equal(bind_to(w, &parked, &other), 0);
	shut(&parked);
	shut(&other);
}

static void what_a_client_wrote_to_configuration_is_gone(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	struct sim_function *f;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	f = device(w, NVME)->function;
	put32(w, &o, CONFIG + f->power + PCI_POWER_PMCSR, 3);
	put32(w, &o, CONFIG + 0x10, 0);
	assert_true(function_asleep(f));
	shut(&o);
	assert_false(function_asleep(f));
	assert_false(function_bars_lost(device(w, NVME)));
	o = open_cdev(w, NVME);
	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_not_equal(get32(w, &o, CONFIG + 0x10), 0);
	shut(&o);
	shut(&iommufd);
}

/* --- attach --- */

static void attach_and_detach_check_their_structures(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct uapi_device_attach_iommufd_pt at = { .argsz = 12 };
	struct uapi_device_detach_iommufd_pt de = { .argsz = 8 };
	uint32_t ioas;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	ioas = at.pt_id = new_ioas(w, &iommufd);
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at), 0);
	at.pt_id = ioas;
	at.argsz = 11;
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -EINVAL);
	at.argsz = sizeof(at);
	at.flags = 2;
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -EINVAL);
	at.flags = 1;
	at.argsz = 15;
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -EINVAL);
	at.argsz = 16;
	at.pasid = 1U << 31;
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -ENOSPC);
	at.pasid = UINT32_MAX;
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -ENOSPC);
	at.pasid = 1; /* a space is nothing for a PASID */
	assert_int_equal(call(w, &o, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &at),
			 -EINVAL);

	de.argsz = 7;
	assert_int_equal(call(w, &o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &de),
			 -EINVAL);
	de.argsz = 8;
	de.flags = 2;
	assert_int_equal(call(w, &o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &de),
			 -EINVAL);
	de.flags = 1;
	assert_int_equal(call(w, &o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &de),
			 -EINVAL);
	de.argsz = 12;
	de.pasid = UINT32_MAX;
	assert_int_equal(call(w, &o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &de), 0);
	assert_int_equal(destroy(w, &iommufd, ioas), -EBUSY);
	de.flags = 0;
	de.argsz = 8;
	assert_int_equal(call(w, &o, UAPI_DEVICE_DETACH_IOMMUFD_PT, &de), 0);
	assert_int_equal(destroy(w, &iommufd, ioas), 0);
	assert_int_equal(attach(w, &o, ioas), -ENOENT);
	shut(&o);
	shut(&iommufd);
}

/* --- what is told --- */

static void regions_are_those_of_vfio_pci(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t size;
		long r;
	} regions[] = {
		{ 0, 16384, 0 }, { 1, 0, 0 },	     { 5, 0, 0 },
		{ 6, 0, 0 },	 { 7, 4096, 0 },     { 8, 0, -EINVAL },
		{ 9, 0, -EINVAL }, { UINT32_MAX, 0, -EINVAL },
	};
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		struct uapi_region_info info = {
			.argsz = sizeof(info),
			.index = regions[i].index,
		};

		assert_int_equal(call(w, &o, UAPI_DEVICE_GET_REGION_INFO,
				      &info), regions[i].r);
		if (regions[i].r)
			continue;
		assert_int_equal(info.region_size, regions[i].size);
		assert_int_equal(info.offset, (uint64_t)info.index << 40);
		assert_int_equal(info.flags, regions[i].size ? 3 : 0);
		info.argsz = sizeof(info) - 1;
		assert_int_equal(call(w, &o, UAPI_DEVICE_GET_REGION_INFO,
				      &info), -EINVAL);
	}
	shut(&o);
	shut(&iommufd);
}

static void info_is_as_long_as_it_is_asked_for(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	struct uapi_device_info info = { .argsz = 15, .cap_offset = 77 };

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(call(w, &o, UAPI_DEVICE_GET_INFO, &info), -EINVAL);
	info.argsz = 16;
	assert_int_equal(call(w, &o, UAPI_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	assert_int_equal(info.cap_offset, 77);
	info.argsz = 1000;
	assert_int_equal(call(w, &o, UAPI_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(info.cap_offset, 0);
	assert_int_equal(call(w, &o, UAPI_VFIO(99), &info), -ENOTTY);
	assert_int_equal(call(w, &o, UAPI_IOAS_ALLOC, &info), -ENOTTY);
	assert_int_equal(sim_ioctl(o.file, &w->self, UAPI_DEVICE_GET_INFO, 8),
			 -EFAULT);
	shut(&o);
	shut(&iommufd);
}

static void interrupts_are_counted(void **state)
{
	static const struct {
		const char *bdf;
		uint32_t count[5];
	} devices[] = {
		{ EDU0, { 1, 1, 0, 1, 1 } },
		{ NVME, { 1, 0, 16, 1, 1 } },
		{ VF, { 0, 0, 16, 1, 1 } },
	};
	struct world *w = *state;
	struct opened iommufd = open_iommufd(w);

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct opened o = open_cdev(w, devices[i].bdf);
		struct uapi_irq_info info = { .argsz = sizeof(info) };

		assert_int_equal(bind_to(w, &o, &iommufd), 0);
		for (info.index = 0; info.index < 5; info.index++) {
			assert_int_equal(call(w, &o, UAPI_DEVICE_GET_IRQ_INFO,
					      &info), 0);
			assert_int_equal(info.count,
					 devices[i].count[info.index]);
			assert_true(info.flags & UAPI_IRQ_INFO_EVENTFD);
		}
		assert_int_equal(call(w, &o, UAPI_DEVICE_GET_IRQ_INFO, &info),
				 -EINVAL);
		shut(&o);
	}
	shut(&iommufd);
}

/* --- regions --- */

static void configuration_ends_where_it_ends(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, EDU0), iommufd = open_iommufd(w);
	uint8_t space[300], byte[2];

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	assert_int_equal(get(w, &o, CONFIG, space, 256), 256);
	assert_int_equal(pci_u16(space), 0x1234);
	assert_int_equal(get(w, &o, CONFIG + 1, byte, 256), -EFAULT);
	assert_int_equal(get(w, &o, CONFIG + 255, byte, 1), 1);
	assert_int_equal(get(w, &o, CONFIG + 255, byte, 2), -EFAULT);
	assert_int_equal(get(w, &o, CONFIG + 256, byte, 1), -EFAULT);
	assert_int_equal(get(w, &o, CONFIG, byte, 0), 0);
	assert_int_equal(sim_pread(o.file, &w->self, 8, 4, CONFIG), -EFAULT);
	assert_int_equal(sim_pwrite(o.file, &w->self, 8, 4, CONFIG), -EFAULT);
	/* In any alignment the same bytes. */
	for (size_t at = 0; at < 8; at++)
		for (size_t size = 1; size < 8; size++) {
			uint8_t part[8];

			assert_int_equal(get(w, &o, CONFIG + at, part, size),
					 size);
			assert_memory_equal(part, space + at,
					    size);
		}
	shut(&o);
	shut(&iommufd);
}

static void a_bar_ends_where_it_ends(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	static uint8_t data[20000], back[20000];

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	/* Up to the vectors in its upper half, in any alignment. */
	assert_int_equal(put(w, &o, 3, data, 8189), 8189);
	assert_int_equal(get(w, &o, 3, back, 8189), 8189);
	assert_memory_equal(data, back, 8189);
	/* More than there is comes shortened. */
	assert_int_equal(get(w, &o, 16380, back, 100), 4);
	assert_int_equal(get(w, &o, 16384, back, 1), -EINVAL);
	assert_int_equal(get(w, &o, SIM_VFIO_OFFSET(1), back, 1), -EINVAL);
	assert_int_equal(get(w, &o, SIM_VFIO_OFFSET(6), back, 1), -EINVAL);
	assert_int_equal(get(w, &o, SIM_VFIO_OFFSET(8), back, 1), -EINVAL);
	assert_int_equal(get(w, &o, SIM_VFIO_OFFSET(9), back, 1), -EINVAL);
	assert_int_equal(get(w, &o, UINT64_MAX, back, 1), -EINVAL);
	assert_int_equal(sim_pread(o.file, &w->self, 8, 4, 0), -EFAULT);
	assert_int_equal(sim_pwrite(o.file, &w->self, 8, 4, 0), -EFAULT);
	shut(&o);
	shut(&iommufd);
}

static void vectors_are_ones_and_take_nothing(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	put32(w, &o, 8192, 1);
	assert_int_equal(get32(w, &o, 8192), UINT32_MAX);
	put32(w, &o, 8192 + 16 * 16 - 4, 1);
	assert_int_equal(get32(w, &o, 8192 + 16 * 16 - 4), UINT32_MAX);
	put32(w, &o, 8192 + 16 * 16, 1);
	assert_int_equal(get32(w, &o, 8192 + 16 * 16), 1);
	put32(w, &o, 8188, 2);
	assert_int_equal(get32(w, &o, 8188), 2);
	shut(&o);
	shut(&iommufd);
}

static void without_memory_space_a_bar_is_eio(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);
	uint32_t word = 0;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	put32(w, &o, CONFIG + PCI_OFF_COMMAND, 0);
	assert_int_equal(get(w, &o, 0, &word, 4), -EIO);
	assert_int_equal(put(w, &o, 0, &word, 4), -EIO);
	assert_int_equal(get32(w, &o, 8192), UINT32_MAX); /* not its own */
	put32(w, &o, CONFIG + PCI_OFF_COMMAND, 2);
	assert_int_equal(get(w, &o, 0, &word, 4), 4);
	put32(w, &o, CONFIG + device(w, NVME)->function->power +
	      PCI_POWER_PMCSR, 3);
	assert_int_equal(get(w, &o, 0, &word, 4), -EIO);
	shut(&o);
	shut(&iommufd);
}

static void a_card_that_was_pulled_answers_ones(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), iommufd = open_iommufd(w);

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	device(w, NVME)->bus_dead = true;
	/* The ids are vfio-pci's own copy, the rest is the function's. */
	assert_int_equal(get32(w, &o, CONFIG), 0x00101b36);
	assert_int_equal(get32(w, &o, CONFIG + 8), UINT32_MAX);
	assert_int_equal(get32(w, &o, 0), UINT32_MAX);
	put32(w, &o, 0, 1);
	device(w, NVME)->bus_dead = false;
	device(w, NVME)->present = false;
	assert_int_equal(get32(w, &o, 0), UINT32_MAX);
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), -ENODEV);
	assert_int_equal(info_flags(w, &o), 3);
	shut(&o);
	shut(&iommufd);
}

static void an_iommufd_has_no_regions(void **state)
{
	struct world *w = *state;
	struct opened o = open_iommufd(w);
	uint8_t byte;

	assert_int_equal(get(w, &o, 0, &byte, 1), -EINVAL);
	assert_int_equal(put(w, &o, 0, &byte, 1), -EINVAL);
	shut(&o);
}

/* --- DMA --- */

/**
 * struct engine - An edu with a space, and memory that it maps
 */
struct engine {
	struct opened cdev, iommufd;
	uint32_t ioas;
	uint8_t *pages; /* two */
};

#define IOVA 0x10000000ULL

static long map(struct world *w, const struct engine *e, const void *va,
		uint64_t iova, uint32_t flags)
{
	struct uapi_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags | UAPI_IOAS_MAP_FIXED_IOVA,
		.ioas_id = e->ioas,
		.user_va = (uintptr_t)va,
		.length = SIM_PAGE,
		.iova = iova,
	};

	return call(w, &e->iommufd, UAPI_IOAS_MAP, &cmd);
}

static struct engine start_engine(struct world *w)
{
	struct engine e = {
		.cdev = open_cdev(w, EDU0),
		.iommufd = open_iommufd(w),
	};

	e.pages = mmap(NULL, 2 * SIM_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(bind_to(w, &e.cdev, &e.iommufd), 0);
	e.ioas = new_ioas(w, &e.iommufd);
	assert_int_equal(attach(w, &e.cdev, e.ioas), 0);
	put32(w, &e.cdev, CONFIG + PCI_OFF_COMMAND,
	      PCI_COMMAND_MEMORY_BIT | PCI_COMMAND_MASTER_BIT);
	return e;
}

static void stop_engine(struct engine *e)
{
	shut(&e->cdev);
	shut(&e->iommufd);
	munmap(e->pages, 2 * SIM_PAGE);
}

/* transfer() - Through the device's buffer at an offset */
static void transfer(struct world *w, const struct engine *e, uint64_t iova,
		     uint64_t at, uint64_t count, bool to_memory)
{
	const uint64_t order[][2] = {
		{ 0x80, to_memory ? 0x40000 + at : iova },
		{ 0x88, to_memory ? iova : 0x40000 + at },
		{ 0x90, count },
		{ 0x98, to_memory ? 3 : 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(put(w, &e->cdev, order[i][0], &order[i][1], 8),
				 8);
	assert_int_equal(get32(w, &e->cdev, 0x98) & 1, 0);
}

static void dma_carries_bytes_there_and_back(void **state)
{
	struct world *w = *state;
	struct engine e = start_engine(w);

	assert_int_equal(map(w, &e, e.pages, IOVA, 6), 0);
	assert_int_equal(map(w, &e, e.pages + SIM_PAGE, IOVA + SIM_PAGE, 6),
			 0);
	for (size_t i = 0; i < SIM_PAGE; i++)
		e.pages[i] = (uint8_t)(i * 11 + 3);
	transfer(w, &e, IOVA, 0, SIM_PAGE, false);
	transfer(w, &e, IOVA + SIM_PAGE, 0, SIM_PAGE, true);
	assert_memory_equal(e.pages, e.pages + SIM_PAGE, SIM_PAGE);
	/* A few bytes, from the middle, over the border of two mappings. */
	transfer(w, &e, IOVA + SIM_PAGE - 2, 100, 5, true);
	assert_memory_equal(e.pages + SIM_PAGE - 2, e.pages + 100, 2);
	assert_int_equal(e.pages[SIM_PAGE + 2], (uint8_t)(104 * 11 + 3));
	assert_int_equal(device(w, EDU0)->function->n_faults, 0);
	stop_engine(&e);
}

static void dma_stays_out_of_what_is_not_mapped(void **state)
{
	struct world *w = *state;
	struct engine e = start_engine(w);
	struct uapi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = e.ioas,
		.iova = IOVA,
		.length = SIM_PAGE,
	};

	assert_int_equal(map(w, &e, e.pages, IOVA, 6), 0);
	memset(e.pages, 1, SIM_PAGE);
	transfer(w, &e, IOVA, 0, SIM_PAGE, false);
	assert_int_equal(call(w, &e.iommufd, UAPI_IOAS_UNMAP, &unmap), 0);
	memset(e.pages, 2, SIM_PAGE);
	transfer(w, &e, IOVA, 0, SIM_PAGE, true);
	assert_int_equal(e.pages[0], 2);
	assert_int_equal(device(w, EDU0)->function->n_faults, 1);
	/* What cannot be read is read as zeros. */
	transfer(w, &e, IOVA, 0, SIM_PAGE, false);
	assert_int_equal(device(w, EDU0)->function->n_faults, 2);
	assert_int_equal(map(w, &e, e.pages, IOVA, 6), 0);
	transfer(w, &e, IOVA, 0, SIM_PAGE, true);
	assert_int_equal(e.pages[0], 0);
	assert_int_equal(e.pages[SIM_PAGE - 1], 0);
	stop_engine(&e);
}

static void dma_keeps_to_the_direction_that_is_mapped(void **state)
{
	struct world *w = *state;
	struct engine e = start_engine(w);

	assert_int_equal(map(w, &e, e.pages, IOVA, UAPI_IOAS_MAP_READABLE), 0);
	memset(e.pages, 7, SIM_PAGE);
	transfer(w, &e, IOVA, 0, 16, false);
	transfer(w, &e, IOVA + 32, 0, 16, true);
	assert_int_equal(e.pages[32], 7);
	assert_int_equal(device(w, EDU0)->function->n_faults, 1);
	stop_engine(&e);
}

static void dma_needs_bus_mastering_and_an_attachment(void **state)
{
	struct world *w = *state;
	struct engine e = start_engine(w);

	assert_int_equal(map(w, &e, e.pages, IOVA, 6), 0);
	memset(e.pages, 7, SIM_PAGE);
	put32(w, &e.cdev, CONFIG + PCI_OFF_COMMAND, PCI_COMMAND_MEMORY_BIT);
	transfer(w, &e, IOVA, 0, 16, true);
	assert_int_equal(e.pages[0], 7);
	put32(w, &e.cdev, CONFIG + PCI_OFF_COMMAND,
	      PCI_COMMAND_MEMORY_BIT | PCI_COMMAND_MASTER_BIT);
	assert_int_equal(detach(w, &e.cdev), 0);
	transfer(w, &e, IOVA, 0, 16, true);
	assert_int_equal(e.pages[0], 7);
	assert_int_equal(device(w, EDU0)->function->n_faults, 1);
	assert_int_equal(attach(w, &e.cdev, e.ioas), 0);
	transfer(w, &e, IOVA, 0, 16, true);
	assert_int_equal(e.pages[0], 0);
	stop_engine(&e);
}

static void a_transfer_that_leaves_the_buffer_does_nothing(void **state)
{
	static const uint64_t transfers[][2] = {
		{ 0, 4097 },	 { 1, 4096 },		 { 4096, 1 },
		{ 4097, 1 },	 { UINT64_MAX, 1 },	 { 0, UINT64_MAX },
		{ 16, UINT64_MAX - 8 }, { UINT64_MAX - 0x40000, 4 },
	};
	struct world *w = *state;
	struct engine e = start_engine(w);

	assert_int_equal(map(w, &e, e.pages, IOVA, 6), 0);
	memset(e.pages, 7, SIM_PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
		transfer(w, &e, IOVA, transfers[i][0], transfers[i][1], true);
		transfer(w, &e, IOVA, transfers[i][0], transfers[i][1], false);
		assert_int_equal(e.pages[0], 7);
	}
	transfer(w, &e, IOVA, 4095, 1, true);
	assert_int_equal(e.pages[0], 0);
	assert_int_equal(e.pages[1], 7);
	stop_engine(&e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(open_says_what_is_missing),
		TEST(a_cdev_opens_more_than_once),
		TEST(descriptors_are_found_by_number),
		TEST(before_bind_every_call_is_einval),
		TEST(bind_gives_ids_that_count_up),
		TEST(bind_takes_structures_of_other_sizes),
		TEST(bind_refuses_what_it_does_not_know),
		TEST(an_id_that_cannot_be_written_binds_nothing),
		TEST(bind_is_given_once),
		TEST(a_group_has_one_context),
		TEST(a_sibling_with_a_host_driver_is_eperm),
		TEST(a_bridge_in_the_group_is_no_obstacle),
		TEST(interrupts_have_to_be_isolated),
		TEST(while_the_lock_is_held_bind_is_eagain),
		TEST(one_that_was_pulled_is_enodev),
		TEST(a_file_of_an_earlier_registration_is_enodev),
		TEST(a_vf_of_a_pf_with_vfio_needs_its_token),
		TEST(bind_and_close_reset_the_function),
		TEST(memory_space_is_on_after_bind_and_bus_mastering_is_not),
		TEST(only_a_reset_that_works_is_offered),
		TEST(a_reset_takes_its_time),
		TEST(a_close_while_unbind_waits_does_not_reset),
		TEST(flr_by_its_bit_resets),
		TEST(a_hot_reset_names_all_on_the_bus),
		TEST(who_is_not_owned_is_told),
		TEST(a_hot_reset_checks_its_structure),
		TEST(without_a_bridge_there_is_no_hot_reset),
		TEST(a_vf_owns_nothing_but_itself),
		TEST(functions_without_reset_get_their_bus_reset_at_last),
		TEST(the_last_close_ends_what_bind_made),
		TEST(a_bound_cdev_keeps_its_context),
		TEST(a_parked_cdev_binds_later),
		TEST(what_a_client_wrote_to_configuration_is_gone),
		TEST(attach_and_detach_check_their_structures),
		TEST(regions_are_those_of_vfio_pci),
		TEST(info_is_as_long_as_it_is_asked_for),
		TEST(interrupts_are_counted),
		TEST(configuration_ends_where_it_ends),
		TEST(a_bar_ends_where_it_ends),
		TEST(vectors_are_ones_and_take_nothing),
		TEST(without_memory_space_a_bar_is_eio),
		TEST(a_card_that_was_pulled_answers_ones),
		TEST(an_iommufd_has_no_regions),
		TEST(dma_carries_bytes_there_and_back),
		TEST(dma_stays_out_of_what_is_not_mapped),
		TEST(dma_keeps_to_the_direction_that_is_mapped),
		TEST(dma_needs_bus_mastering_and_an_attachment),
		TEST(a_transfer_that_leaves_the_buffer_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
