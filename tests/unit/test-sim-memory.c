/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-memory.c - the memory behind the mappings of a simulated iommufd:
 *		       when it is pinned, whose it is, what devices reach
 */
#include "kernel/sim/memory.h"
#include "kernel/sim/object.h"

#include "sim-world.h"

/* pages_of() - What is accounted to a user or process */
static uint64_t pages_of(const struct world *w, bool user, uint32_t id)
{
	for (struct sim_account *a = w->sim.accounts; a; a = a->next)
		if (a->user == user && a->id == id)
			return a->pages;

	return 0;
}

/* --- map, unmap, copy --- */

static void mapping_is_checked_in_order(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w);
	uint64_t iova = 0;

	assert_int_equal(map(w, 77, RW | 8, NULL, 0, &iova), -EOPNOTSUPP);
	assert_int_equal(map(w, 77, 0, NULL, UINT64_MAX, &iova), -EOVERFLOW);
	assert_int_equal(map(w, 77, FIXED, NULL, PAGE, &iova), -EINVAL);
	assert_int_equal(map(w, 77, RW, NULL, 0, &iova), -ENOENT);
	assert_int_equal(map(w, space, RW, (void *)UINT64_MAX, PAGE, &iova),
			 -EOVERFLOW);
	assert_int_equal(map_at(w, space, NULL, 0, 0), -EINVAL);
	assert_int_equal(map_at(w, space, w->memory, PAGE, UINT64_MAX),
			 -EOVERFLOW);
	assert_int_equal(map_at(w, space, w->memory, PAGE, UINT64_MAX - 1),
			 -EOVERFLOW);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0), 0);
	assert_int_equal(map_at(w, space, w->memory, PAGE, PAGE - 1), -EEXIST);
}

static void attached_spaces_want_pages(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);

	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, w->memory, PAGE - 1, 0), -EINVAL);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 1), -EINVAL);
	assert_int_equal(map_at(w, space, w->memory + 1, PAGE, 0), -EINVAL);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0xfee00000),
			 -EINVAL);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 1ULL << 48),
			 -EINVAL);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0), 0);
	/* Relaxable regions can be mapped. */
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0x1000000), 0);
}

static void whole_mappings_are_unmapped(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w);
	uint64_t length = UINT64_MAX;

	assert_int_equal(unmap(w, space, 0, &length), 0);
	assert_int_equal(length, 0);
	assert_int_equal(unmap_at(w, space, 0, PAGE), -ENOENT);
	assert_int_equal(unmap_at(w, space, 0, 0), -EINVAL);
	assert_int_equal(unmap_at(w, space, 1, UINT64_MAX), -EOVERFLOW);
	assert_int_equal(unmap_at(w, space, PAGE, UINT64_MAX - 1), -EOVERFLOW);

	for (int i = 0; i < 4; i++)
		assert_int_equal(map_at(w, space, w->memory, 2 * PAGE,
					4 * i * PAGE), 0);
	assert_int_equal(unmap_at(w, space, 0, PAGE), -ENOENT);
	assert_int_equal(unmap_at(w, space, PAGE, PAGE), -ENOENT);
	/* What is whole before the part goes, as in the kernel. */
	assert_int_equal(unmap_at(w, space, 0, 5 * PAGE), -ENOENT);
	assert_int_equal(unmap_at(w, space, 0, 2 * PAGE), -ENOENT);
	length = 7 * PAGE;
	assert_int_equal(unmap(w, space, 3 * PAGE, &length), 0);
	assert_int_equal(length, 4 * PAGE);
	length = UINT64_MAX;
	assert_int_equal(unmap(w, space, 0, &length), 0);
	assert_int_equal(length, 2 * PAGE);
}

static void copies_want_no_hole_and_no_more_rights(void **state)
{
	struct world *w = *state;
	uint32_t from = new_space(w), to = new_space(w);
	struct uapi_ioas_copy cmd = {
		.size = sizeof(cmd), .flags = UAPI_IOAS_MAP_READABLE,
		.dst_ioas_id = to, .src_ioas_id = from, .length = PAGE,
		.src_iova = 8 * PAGE,
	};
	uint64_t iova = 8 * PAGE;

	assert_int_equal(map_at(w, from, w->memory, 2 * PAGE, 0), 0);
	assert_int_equal(map_at(w, from, w->memory, 2 * PAGE, 2 * PAGE), 0);
	assert_int_equal(map(w, from, FIXED | UAPI_IOAS_MAP_READABLE,
			     w->memory, PAGE, &iova), 0);
	assert_int_equal(copy(w, from, 0, 5 * PAGE, to, 0), -ENOENT);
	assert_int_equal(copy(w, from, 5 * PAGE, PAGE, to, 0), -ENOENT);
	assert_int_equal(copy(w, from, 0, 0, to, 0), -EINVAL);
	assert_int_equal(copy(w, 77, 0, PAGE, to, 0), -ENOENT);
	assert_int_equal(copy(w, from, 0, PAGE, 77, 0), -ENOENT);
	assert_int_equal(copy(w, from, 8 * PAGE, PAGE, to, 0), -EPERM);
	assert_int_equal(unmap_at(w, to, 0, GIB), -ENOENT);

	/* Over two mappings: they stay two. */
	assert_int_equal(copy(w, from, PAGE, 2 * PAGE, to, 0), 0);
	assert_int_equal(unmap_at(w, to, 0, PAGE), 0);
	assert_int_equal(unmap_at(w, to, PAGE, PAGE), 0);
	/* Placed, as aligned as its memory. */
	assert_int_equal(CALL(w, UAPI_IOAS_COPY, cmd), 0);
	assert_int_equal(cmd.dst_iova, PAGE);
}

/* --- DMA --- */

static void devices_reach_what_is_mapped_and_as_it_is(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	uint64_t ro = 4 * PAGE, wo = 8 * PAGE;
	char buf[2 * PAGE];

	assert_int_equal(dma(w, dev, 0, buf, 1, false), -EFAULT);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, 0), 0);
	assert_int_equal(map(w, space, FIXED | UAPI_IOAS_MAP_READABLE,
			     w->memory, PAGE, &ro), 0);
	assert_int_equal(map(w, space, FIXED | UAPI_IOAS_MAP_WRITEABLE,
			     w->memory, PAGE, &wo), 0);

	memset(buf, 0x11, sizeof(buf));
	assert_int_equal(dma(w, dev, 100, buf, PAGE, true), 0);
	assert_int_equal(w->memory[99], 0x5a);
	assert_int_equal(w->memory[100], 0x11);
	assert_int_equal(w->memory[PAGE + 99], 0x11);
	assert_int_equal(w->memory[PAGE + 100], 0x5a);
	assert_int_equal(dma(w, dev, 4 * PAGE, buf, 1, true), -EFAULT);
	assert_int_equal(dma(w, dev, 4 * PAGE, buf, 1, false), 0);
	assert_int_equal(dma(w, dev, 8 * PAGE, buf, 1, false), -EFAULT);
	assert_int_equal(dma(w, dev, 8 * PAGE, buf, 1, true), 0);

	/* Up to the end of a page, and no further. */
	memset(buf, 0x22, sizeof(buf));
	assert_int_equal(dma(w, dev, PAGE + 1, buf, PAGE, true), -EFAULT);
	assert_int_equal(w->memory[2 * PAGE - 1], 0x22);
	detach(w, dev);
	assert_int_equal(dma(w, dev, 0, buf, 1, false), -EFAULT);
}

/* --- when memory is pinned --- */

static void memory_is_looked_at_when_it_is_pinned(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	char *hole = w->memory + 8 * PAGE;

	/* Where nothing is, before the first page table and after it. */
	assert_int_equal(munmap(hole, PAGE), 0);
	assert_int_equal(map_at(w, space, hole - PAGE, 3 * PAGE, 0), 0);
	assert_int_equal(attach(w, dev, space), -EFAULT);
	assert_int_equal(unmap_at(w, space, 0, 3 * PAGE), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, hole - PAGE, 3 * PAGE, 0), -EFAULT);
	assert_int_equal(map_at(w, space, hole - PAGE, PAGE, 0), 0);

	/* Memory for reading can be mapped for reading. */
	assert_int_equal(mprotect(w->memory, PAGE, PROT_READ), 0);
	uint64_t iova = 8 * PAGE;
	assert_int_equal(map(w, space, RW | FIXED, w->memory, PAGE, &iova),
			 -EFAULT);
	assert_int_equal(map(w, space, FIXED | UAPI_IOAS_MAP_READABLE,
			     w->memory, PAGE, &iova), 0);
	assert_int_equal(mmap(hole, PAGE, PROT_READ | PROT_WRITE,
			      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			 hole, 1);
}

static void the_dead_leave_only_what_is_pinned(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), other = new_space(w);
	uint32_t a = bind(w, DEV_A), b = bind(w, DEV_PLAIN);
	char byte = 1;

	world_child(w, 16, 1000);
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, 0), 0);
	assert_int_equal(map_at(w, other, w->memory, PAGE, 0), 0);
	assert_true(attach(w, a, space) > 0);
	assert_int_equal(dma(w, a, 0, &byte, 1, false), 0);
	assert_int_equal(byte, 0x5a);
	world_kill(w);
	w->caller.pid = getpid();

	/* Pinned: devices reach it still, a second page table and copies have
	 * it, and nobody is there to see.
	 */
	assert_int_equal(dma(w, a, 0, &byte, 1, true), 0);
	assert_int_equal(dma(w, a, 0, &byte, 1, false), 0);
	assert_true(attach(w, b, space) > 0);
	detach(w, b);
	assert_int_equal(copy(w, space, 0, PAGE, space, 8 * PAGE), 0);
	/* Not pinned: never again. */
	assert_int_equal(attach(w, b, other), -EFAULT);
	detach(w, a);
	assert_int_equal(attach(w, a, space), -EFAULT);
	assert_int_equal(unmap_at(w, space, 0, UINT64_MAX), 0);
	assert_true(attach(w, a, space) > 0);
}

/* --- files --- */

static void files_are_taken_as_the_kernel_takes_them(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	int memfd = memfd_create("test", MFD_CLOEXEC), exe, path, reader;
	char name[64], buf[PAGE], byte = 0;

	assert_int_equal(ftruncate(memfd, 2 * PAGE + 1), 0);
	assert_int_equal(pwrite(memfd, "x", 1, PAGE), 1);
	exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	str_format(name, sizeof(name), "/proc/self/fd/%d", memfd);
	reader = open(name, O_RDONLY | O_CLOEXEC);

	assert_int_equal(map_file(w, space, -1, 0, PAGE, 0), -EBADF);
	assert_int_equal(map_file(w, space, 4000, 0, PAGE, 0), -EBADF);
	assert_int_equal(map_file(w, space, path, 0, PAGE, 0), -EBADF);
	assert_int_equal(map_file(w, space, memfd, 0, 0, 0), -EINVAL);
	assert_int_equal(map_file(w, space, memfd, UINT64_MAX, PAGE, 0),
			 -EOVERFLOW);
	/* What kind it is shows when it is pinned. */
	assert_int_equal(map_file(w, space, exe, 0, PAGE, 0), 0);
	assert_int_equal(attach(w, dev, space), -EINVAL);
	assert_int_equal(unmap_at(w, space, 0, UINT64_MAX), 0);
	assert_int_equal(map_file(w, space, memfd, 0, GIB, 0), 0);
	assert_int_equal(attach(w, dev, space), -EINVAL);
	assert_int_equal(unmap_at(w, space, 0, UINT64_MAX), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_file(w, space, memfd, 2 * PAGE, PAGE, 0),
			 -EINVAL);
	assert_int_equal(map_file(w, space, memfd, 8 * PAGE, PAGE, 0),
			 -EINVAL);

	/* Opened for reading is written nonetheless. */
	assert_int_equal(map_file(w, space, reader, PAGE, PAGE, 0), 0);
	close(reader);
	assert_int_equal(dma(w, dev, 0, &byte, 1, false), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(dma(w, dev, 1, "yz", 2, true), 0);
	assert_int_equal(pread(memfd, buf, 3, PAGE), 3);
	assert_memory_equal(buf, "xyz", 3);

	/* Cut off: lost, and the file does not grow by it. */
	assert_int_equal(ftruncate(memfd, 0), 0);
	assert_int_equal(dma(w, dev, 0, "q", 1, true), 0);
	assert_int_equal(lseek(memfd, 0, SEEK_END), 0);
	close(memfd);
	close(exe);
	close(path);
}

/* lowest_free() - The next descriptor that there will be */
static int lowest_free(void)
{
	int fd = dup(STDIN_FILENO);

	assert_int_equal(close(fd), 0);
	return fd;
}

static void file_in_many_pieces_is_one_descriptor(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	int memfd = memfd_create("test", MFD_CLOEXEC), before;
	char byte = 0;

	assert_int_equal(ftruncate(memfd, 256 * PAGE), 0);
	assert_int_equal(pwrite(memfd, "x", 1, 255 * PAGE), 1);
	assert_true(attach(w, dev, space) > 0);
	before = lowest_free();
	for (uint64_t i = 0; i < 256; i++)
		assert_int_equal(map_file(w, space, memfd, i * PAGE, PAGE,
					  i * PAGE), 0);
	/* The file, and the process that has mapped it. */
	assert_in_range(lowest_free(), before + 1, before + 2);
	close(memfd);
	assert_int_equal(unmap_at(w, space, 0, 255 * PAGE), 0);
	assert_int_equal(dma(w, dev, 255 * PAGE, &byte, 1, false), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(unmap_at(w, space, 0, UINT64_MAX), 0);
	assert_int_equal(lowest_free(), memfd);
}

static void files_outlive_their_mapper(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	int memfd = memfd_create("test", MFD_CLOEXEC);
	char byte;

	assert_int_equal(ftruncate(memfd, PAGE), 0);
	world_child(w, 16, 1000);
	assert_int_equal(map_file(w, space, memfd, 0, PAGE, 0), 0);
	world_kill(w);
	w->caller.pid = getpid();
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(dma(w, dev, 0, "a", 1, true), 0);
	assert_int_equal(pread(memfd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'a');
	close(memfd);
}

/* --- accounting --- */

/* expect_account() - A line that the machine's state has */
static void expect_account(const struct world *w, const char *line)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	sim_account_state(&w->sim, out);
	fclose(out);
	assert_non_null(strstr(text, line));
	free(text);
}

static void pinned_memory_is_accounted_once(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), other = new_space(w);
	uint32_t dev = bind(w, DEV_A), plain = bind(w, DEV_PLAIN);

	world_child(w, 8, 1000);
	assert_int_equal(map_at(w, space, w->memory, 6 * PAGE, 0), 0);
	assert_int_equal(pages_of(w, true, 1000), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(pages_of(w, true, 1000), 6);
	assert_int_equal(map_at(w, space, w->memory, 3 * PAGE, GIB), -ENOMEM);
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, GIB), 0);
	assert_int_equal(pages_of(w, true, 1000), 8);
	expect_account(w, "account user 1000 8 pages\n");
	assert_int_equal(unmap_at(w, space, GIB, 2 * PAGE), 0);

	/* Copies have the same pages, in another space, too. */
	assert_int_equal(copy(w, space, 0, 6 * PAGE, space, GIB), 0);
	assert_true(attach(w, plain, other) > 0);
	assert_int_equal(copy(w, space, PAGE, 3 * PAGE, other, 0), 0);
	assert_int_equal(copy(w, space, 3 * PAGE, PAGE, other, GIB), 0);
	assert_int_equal(pages_of(w, true, 1000), 6);
	assert_int_equal(unmap_at(w, space, 0, UINT64_MAX), 0);
	assert_int_equal(pages_of(w, true, 1000), 3);
	assert_int_equal(unmap_at(w, other, 0, 3 * PAGE), 0);
	assert_int_equal(pages_of(w, true, 1000), 1);
	detach(w, plain);
	assert_int_equal(pages_of(w, true, 1000), 0);
}

static void a_limit_at_attach_leaves_nothing_pinned(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);

	world_child(w, 4, 1000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(map_at(w, space, w->memory, 2 * PAGE,
					2 * i * PAGE), 0);
	assert_int_equal(attach(w, dev, space), -ENOMEM);
	assert_int_equal(pages_of(w, true, 1000), 0);
	assert_int_equal(unmap_at(w, space, 0, 2 * PAGE), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(pages_of(w, true, 1000), 4);
}

static void users_are_accounted_over_contexts(void **state)
{
	struct world *w = *state;
	struct sim_context *first = w->context;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);

	world_child(w, 4, 1000);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, w->memory, 3 * PAGE, 0), 0);

	assert_int_equal(sim_context_new(&w->sim, &w->context), 0);
	space = new_space(w);
	dev = bind(w, DEV_B);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, 0), -ENOMEM);
	/* Another user's limit is another limit. */
	w->caller.uid = 1001;
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, 0), 0);
	w->caller.uid = 1000;
	first = sim_context_unref(first);
	assert_int_equal(pages_of(w, true, 1000), 0);
	assert_int_equal(map_at(w, space, w->memory, 4 * PAGE, GIB), 0);
}

static void processes_are_accounted_alone_if_asked_for(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	pid_t other;

	w->context->per_process = true;
	assert_true(attach(w, dev, space) > 0);
	world_child(w, 4, 1000);
	assert_int_equal(map_at(w, space, w->memory, 3 * PAGE, 0), 0);
	assert_int_equal(pages_of(w, false, (uint32_t)w->child), 3);
	other = w->child;
	world_child(w, 4, 1000);
	assert_int_equal(map_at(w, space, w->memory, 4 * PAGE, GIB), 0);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 2 * GIB), -ENOMEM);
	assert_int_equal(pages_of(w, true, 1000), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	assert_int_equal(unmap_at(w, space, 0, 3 * PAGE), 0);
}

static void a_caller_with_ipc_lock_is_not_accounted(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	struct rlimit old, none = { 0, 0 };

	w->caller.root = true;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0), 0);
	assert_int_equal(pages_of(w, true, getuid()), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
}

static void many_copies_of_one_memory_are_quick(void **state)
{
	struct world *w = *state;
	uint32_t from = new_space(w), to = new_space(w), dev = bind(w, DEV_A);
	const uint64_t n = 4096;
	char *much = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(map_at(w, from, much, n * PAGE, 0), 0);
	assert_true(attach(w, dev, to) > 0);
	/* Every second page, so that no two spans join. */
	for (uint64_t i = 0; i < n; i += 2)
		assert_int_equal(copy(w, from, i * PAGE, PAGE, to, i * PAGE),
				 0);
	assert_int_equal(unmap_at(w, to, 0, UINT64_MAX), 0);
	munmap(much, n * PAGE);
}

/* --- anything --- */

/* random_call() - One of all calls, on objects that may be there or not */
static void random_call(struct world *w, unsigned int *seed)
{
	const uint32_t flags[] = {
		0, UAPI_HWPT_ALLOC_NEST_PARENT, UAPI_HWPT_ALLOC_PASID,
		UAPI_HWPT_FAULT_ID_VALID, 1U << 20,
	};
	uint32_t a = rand_r(seed) % 16, b = rand_r(seed) % 16, id;
	uint32_t pasid = rand_r(seed) % 3 ? SIM_NO_PASID : 1 + a % 2;
	uint64_t at = rand_r(seed) % 32 * PAGE, from = rand_r(seed) % 16 * PAGE;
	uint64_t length = (1 + rand_r(seed) % 8) * PAGE, iova = 0;
	char buf[2 * PAGE];

	switch (rand_r(seed) % 14) {
	case 0:
		new_space(w);
		break;
	case 1:
		destroy(w, a);
		break;
	case 2:
		if (w->context->n_objects < 14)
			bind(w, a % DEVS);
		break;
	case 3:
		if (!(rand_r(seed) % 4))
			sim_context_remove_device(w->context, a);
		break;
	case 4:
	case 5:
		sim_context_attach(w->context, a, pasid, b, &id);
		break;
	case 6:
		sim_context_detach(w->context, a, pasid);
		break;
	case 7:
		hwpt_alloc(w, a, b, flags[rand_r(seed) % ARRAY_SIZE(flags)]);
		break;
	case 8:
		map_at(w, a, w->memory + from, length, at);
		break;
	case 9:
		map(w, a, RW, w->memory + from, length, &iova);
		break;
	case 10:
		unmap_at(w, a, at, length * (rand_r(seed) % 3));
		break;
	case 11:
	case 12:
		copy(w, a, at, length, b, from);
		break;
	case 13:
		sim_context_dma(w->context, a, pasid, at, buf, sizeof(buf),
				false);
		break;
	}
}

/* Whatever is called, what is pinned is what is mapped in spaces with a page
 * table, and at the end of the context it is nothing (world_teardown()).
 */
static void random_calls_keep_the_books(void **state)
{
	struct world *w = *state;
	unsigned int seed = 1;
	bool ever = false;

	world_child(w, 12, 1000);
	for (int i = 0; i < 20000; i++) {
		bool pinned = false;

		random_call(w, &seed);
		for (size_t j = 0; j < w->context->n_objects; j++) {
			const struct sim_space *space =
				(struct sim_space *)w->context->objects[j];

			pinned |= space->object.kind == SIM_OBJECT_SPACE &&
				  space->ioas.n_tables && space->ioas.n_areas;
		}
		assert_int_equal(pages_of(w, true, 1000) > 0, pinned);
		assert_true(pages_of(w, true, 1000) <= 12);
		ever |= pinned;
	}
	assert_true(ever);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapping_is_checked_in_order),
		TEST(attached_spaces_want_pages),
		TEST(whole_mappings_are_unmapped),
		TEST(copies_want_no_hole_and_no_more_rights),
		TEST(devices_reach_what_is_mapped_and_as_it_is),
		TEST(memory_is_looked_at_when_it_is_pinned),
		TEST(the_dead_leave_only_what_is_pinned),
		TEST(files_are_taken_as_the_kernel_takes_them),
		TEST(file_in_many_pieces_is_one_descriptor),
		TEST(files_outlive_their_mapper),
		TEST(pinned_memory_is_accounted_once),
		TEST(a_limit_at_attach_leaves_nothing_pinned),
		TEST(users_are_accounted_over_contexts),
		TEST(processes_are_accounted_alone_if_asked_for),
		TEST(a_caller_with_ipc_lock_is_not_accounted),
		TEST(many_copies_of_one_memory_are_quick),
		TEST(random_calls_keep_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
