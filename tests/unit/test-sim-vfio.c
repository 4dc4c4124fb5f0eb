/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-vfio.c - VFIO cdevs of the simulated machine: who may bind, what is
 *		     reset, what the last close ends
 */
#include "sim-cdev.h"

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
		{ ISOLATED_MSI_UNKNOWN, false, 0 },
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
	unsigned int n;

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
	n = device(w, EDU0)->function->n_resets;
	assert_int_equal(call(w, &o, UAPI_DEVICE_RESET, NULL), 0);
	assert_int_equal(device(w, EDU0)->function->n_resets, n + 1);
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

/**
 * struct meanwhile - What another thread does while a function is reset
 * @cdev:	Another open of it
 * @iommufd:	To bind it to
 * @pull:	Pull the card
 * @r:		What BIND gave
 * @n_bound:	Of the group, then
 */
struct meanwhile {
	struct world *w;
	const struct opened *cdev, *iommufd;
	bool pull;
	long r;
	unsigned int n_bound;
};

static void *do_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	/* The first holder lets go of it only for the reset. */
	sim_lock(m->w->sim);
	m->r = bind_to(m->w, m->cdev, m->iommufd);
	m->n_bound = device(m->w, NVME)->group->n_bound;
	if (m->pull)
		device(m->w, NVME)->present = false;
	sim_unlock(m->w->sim);
	return NULL;
}

static void the_lock_is_free_during_a_reset(void **state)
{
	struct world *w = *state;
	struct opened o = open_cdev(w, NVME), other = open_cdev(w, NVME);
	struct opened iommufd = open_iommufd(w);
	struct meanwhile m = { .w = w, .cdev = &other, .iommufd = &iommufd };
	pthread_t thread;

	for (int i = 0; i < 2; i++, m.pull = true) {
		m.r = 1;
		device(w, NVME)->reset_ms = 400;
		assert_int_equal(pthread_create(&thread, NULL, do_meanwhile,
						&m), 0);
		assert_int_equal(bind_to(w, &o, &iommufd),
				 m.pull ? -ENODEV : 0);
		device(w, NVME)->reset_ms = 0;
		sim_unlock(w->sim); /* lest it is late */
		assert_int_equal(pthread_join(thread, NULL), 0);
		sim_lock(w->sim);
		assert_int_equal(m.r, -EINVAL);
		assert_int_equal(m.n_bound, 1);
		shut(&o);
		assert_null(device(w, NVME)->bound);
		assert_null(device(w, NVME)->group->owner);
		if (!m.pull)
			o = open_cdev(w, NVME);
	}
	shut(&other);
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

#define HOT_RESET_HEADER sizeof(struct uapi_pci_hot_reset_info)

/* struct uapi_pci_hot_reset_info with room */
struct hot_reset_info {
	uint32_t argsz, flags, count;
	struct uapi_pci_dependent_device devices[4];
};

/* hot_reset_info() - Ask with room for some functions */
static long hot_reset_info(struct world *w, const struct opened *o, size_t room,
			   struct hot_reset_info *ret)
{
	memset(ret, 0xee, sizeof(*ret));
	ret->argsz = (uint32_t)(HOT_RESET_HEADER +
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
		assert_int_equal(info.count, 2);
		assert_int_equal(info.flags, 0);
		assert_int_equal(info.devices[0].bus, 0xee);
	}
	info.argsz = HOT_RESET_HEADER - 1;
	assert_int_equal(call(w, &a, UAPI_DEVICE_GET_PCI_HOT_RESET_INFO, &info),
			 -EINVAL);
	assert_int_equal(hot_reset_info(w, &a, 2, &info), 0);
	assert_int_equal(info.count, 2);
	assert_int_equal(info.flags, 3);
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
	assert_int_equal(info.flags, UAPI_PCI_HOT_RESET_FLAG_DEV_ID);
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
	unsigned int n;

	assert_int_equal(bind_to(w, &o, &iommufd), 0);
	n = device(w, EDU0)->function->n_resets;
	assert_int_equal(call(w, &o, UAPI_DEVICE_PCI_HOT_RESET, &reset), 0);
	assert_int_equal(device(w, EDU0)->function->n_resets, n + 1);
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
	assert_int_equal(info.count, 2);
	assert_int_equal(info.devices[0].devid, UAPI_PCI_DEVID_NOT_OWNED);
	assert_int_equal(info.devices[1].devid, 1);
	assert_int_equal(info.flags, UAPI_PCI_HOT_RESET_FLAG_DEV_ID);
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
		TEST(the_lock_is_free_during_a_reset),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
