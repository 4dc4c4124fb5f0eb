/* SPDX-License-Identifier: Apache-2.0
 *
 * sim-world.h - a machine made by hand, for tests of its iommufd
 *
 * Two VT-d devices in a group of their own each, two in a common one, and one
 * whose IOMMU can do nothing. The caller is this process, or a child without
 * capabilities that shares the memory of the structures with it.
 */
#ifndef TESTS_UNIT_SIM_WORLD_H
#define TESTS_UNIT_SIM_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/sim/iommufd.h"

#define RW (UAPI_IOAS_MAP_READABLE | UAPI_IOAS_MAP_WRITEABLE)
#define FIXED UAPI_IOAS_MAP_FIXED_IOVA
#define GIB (1ULL << 30)
#define PAGE 4096ULL

enum { DEV_A, DEV_B, DEV_C1, DEV_C2, DEV_PLAIN, DEVS };

/**
 * struct world - The machine and one context of it
 * @shared:	Memory that children have too; structures of calls are in it
 * @memory:	16 pages of this process
 */
struct world {
	struct sim sim;
	struct sim_iommu vtd, plain;
	struct sim_group groups[4];
	struct sim_device devices[DEVS];
	struct sim_context *context;
	struct sim_caller caller;
	char *shared;
	char *memory;
	pid_t child;
};

static struct kernel_reserved world_reserved[] = {
	{ 0x1000000, 0x1ffffff, "direct-relaxable" },
	{ 0xfee00000, 0xfeefffff, "msi" },
};

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->vtd = (struct sim_iommu){
		.facts = { .name = "dmar0", .family = "vt-d" },
		.aperture = { 0, (1ULL << 48) - 1 },
		.alignment = PAGE,
		.hw = { .type = UAPI_HW_INFO_TYPE_INTEL_VTD,
			.data = { 1, 2, 3, 4 }, .data_len = 24,
			.max_pasid_log2 = 20 },
		.hw_supported = true,
		.nest_parent = true,
		.pasid = true,
		.nested_type = UAPI_HWPT_DATA_VTD_S1,
	};
	w->plain = (struct sim_iommu){
		.facts = { .name = "virtio", .family = "virtio-iommu" },
		.aperture = { 0, (1ULL << 39) - 1 },
		.alignment = PAGE,
	};
	for (int i = 0; i < 4; i++)
		w->groups[i] = (struct sim_group){
			.facts = { .number = i, .reserved = world_reserved,
				   .n_reserved = 2 },
			.iommu = i == 3 ? &w->plain : &w->vtd,
		};
	for (int i = 0; i < DEVS; i++)
		w->devices[i].group = &w->groups[i < 2 ? i : i < 4 ? 2 : 3];

	assert_int_equal(sim_context_new(&w->sim, &w->context), 0);
	w->caller = (struct sim_caller){ .pid = getpid(), .uid = getuid() };
	w->shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w->memory = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(w->memory, 0x5a, 16 * PAGE);
	*state = w;
	return 0;
}

/* world_kill() - End the child, if there is one */
static inline void world_kill(struct world *w)
{
	if (!w->child)
		return;
	kill(w->child, SIGKILL);
	waitpid(w->child, NULL, 0);
	w->child = 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	world_kill(w);
	w->context = sim_context_unref(w->context);
	/* Nobody has anything pinned any more. */
	assert_null(w->sim.accounts);
	munmap(w->shared, 16 * PAGE);
	munmap(w->memory, 16 * PAGE);
	free(w);
	return 0;
}

/**
 * world_child() - Let a child be the caller from now on
 * @pages:	Its RLIMIT_MEMLOCK
 * @uid:	As whom the machine shall take it
 *
 * It has no capabilities, the same memory as we have now, and waits.
 */
static inline void world_child(struct world *w, unsigned int pages, uid_t uid)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0
	};
	struct __user_cap_data_struct none[2] = { 0 };
	struct rlimit limit = { pages * PAGE, pages * PAGE };
	int ready[2];
	char byte = 0;

	assert_int_equal(pipe(ready), 0);
	w->child = fork();
	if (!w->child) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) ||
		    syscall(SYS_capset, &header, none))
			_exit(1);
		if (write(ready[1], &byte, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	w->caller = (struct sim_caller){ .pid = w->child, .uid = uid };
}

/* call_size() - A call with a structure of that size, which says what it says.
 * It goes by shared memory, so that a child can be the caller.
 */
static inline int call_size(struct world *w, unsigned long request, void *cmd,
			    size_t size)
{
	char *at = w->shared + 8 * PAGE;
	int r;

	memcpy(at, cmd, size);
	r = (int)sim_context_ioctl(w->context, &w->caller, request,
				   (uintptr_t)at);
	memcpy(cmd, at, size);
	return r;
}

#define CALL(w, request, cmd) call_size(w, request, &(cmd), sizeof(cmd))

static inline uint32_t new_space(struct world *w)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	assert_int_equal(CALL(w, UAPI_IOAS_ALLOC, cmd), 0);
	return cmd.out_ioas_id;
}

static inline uint32_t bind(struct world *w, int device)
{
	uint32_t id;

	assert_int_equal(sim_context_add_device(w->context,
						&w->devices[device], &id), 0);
	return id;
}

/* attach() - Return: the page table's id, or what the error is */
static inline int attach(struct world *w, uint32_t dev, uint32_t pt)
{
	uint32_t id;
	int r = sim_context_attach(w->context, dev, SIM_NO_PASID, pt, &id);

	return r < 0 ? r : (int)id;
}

static inline void detach(struct world *w, uint32_t dev)
{
	sim_context_detach(w->context, dev, SIM_NO_PASID);
}

static inline int destroy(struct world *w, uint32_t id)
{
	struct uapi_destroy cmd = { sizeof(cmd), id };

	return CALL(w, UAPI_DESTROY, cmd);
}

/* map() - Map memory of the caller */
static inline int map(struct world *w, uint32_t ioas, uint32_t flags,
		      const void *va, uint64_t length, uint64_t *iova)
{
	struct uapi_ioas_map cmd = {
		.size = sizeof(cmd), .flags = flags, .ioas_id = ioas,
		.user_va = (uintptr_t)va, .length = length, .iova = *iova,
	};
	int r = CALL(w, UAPI_IOAS_MAP, cmd);

	if (!r)
		*iova = cmd.iova;
	return r;
}

static inline int map_at(struct world *w, uint32_t ioas, const void *va,
			 uint64_t length, uint64_t iova)
{
	return map(w, ioas, RW | FIXED, va, length, &iova);
}

static inline int map_file(struct world *w, uint32_t ioas, int fd,
			   uint64_t start, uint64_t length, uint64_t iova)
{
	struct uapi_ioas_map_file cmd = {
		.size = sizeof(cmd), .flags = RW | FIXED, .ioas_id = ioas,
		.fd = fd, .start = start, .length = length, .iova = iova,
	};

	return CALL(w, UAPI_IOAS_MAP_FILE, cmd);
}

/* unmap() - Return: 0 or -errno; *@length has how much it was */
static inline int unmap(struct world *w, uint32_t ioas, uint64_t iova,
			uint64_t *length)
{
	struct uapi_ioas_unmap cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .iova = iova,
		.length = *length,
	};
	int r = CALL(w, UAPI_IOAS_UNMAP, cmd);

	*length = cmd.length;
	return r;
}

static inline int unmap_at(struct world *w, uint32_t ioas, uint64_t iova,
			   uint64_t length)
{
	return unmap(w, ioas, iova, &length);
}

static inline int copy(struct world *w, uint32_t from, uint64_t src,
		       uint64_t length, uint32_t to, uint64_t dst)
{
	struct uapi_ioas_copy cmd = {
		.size = sizeof(cmd), .flags = RW | FIXED, .dst_ioas_id = to,
		.src_ioas_id = from, .length = length, .dst_iova = dst,
		.src_iova = src,
	};

	return CALL(w, UAPI_IOAS_COPY, cmd);
}

static inline int hwpt_alloc(struct world *w, uint32_t dev, uint32_t pt,
			     uint32_t flags)
{
	struct uapi_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = dev, .pt_id = pt,
	};
	int r = CALL(w, UAPI_HWPT_ALLOC, cmd);

	return r < 0 ? r : (int)cmd.out_hwpt_id;
}

static inline int dma(struct world *w, uint32_t dev, uint64_t iova, void *buf,
		      size_t size, bool write)
{
	return sim_context_dma(w->context, dev, SIM_NO_PASID, iova, buf, size,
			       write);
}

/* set_option() - IOMMU_OPTION */
static inline int set_option(struct world *w, uint32_t option, uint32_t object,
			     uint64_t value)
{
	struct uapi_option cmd = {
		.size = sizeof(cmd), .option_id = option,
		.op = UAPI_OPTION_OP_SET, .object_id = object, .val64 = value,
	};

	return CALL(w, UAPI_OPTION, cmd);
}

#endif
