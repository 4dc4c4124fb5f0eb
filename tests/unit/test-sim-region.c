/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-region.c - bound VFIO cdevs of the simulated machine: what they say
 *		       of themselves, their regions, what their DMA reaches
 */
#include "sim-cdev.h"

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
