/* SPDX-License-Identifier: Apache-2.0
 *
 * shadow.c - how a VMM gives its guest an IOMMU in software
 *
 *	shadow LEASE		built and started as dma.c
 *
 * The guest maps pages for its device, one by one and often: an I/O address of
 * its own choice to a page of its memory. The VMM sees each change and has to
 * follow it in the space that the device is on. Three spaces do that:
 *
 *	cache	all of the guest's memory, at its guest physical addresses. No
 *		device is ever on it. Mapped once, as one file.
 *	shadow	what the guest has mapped: each page is a copy out of the cache,
 *		one ioctl, and no look at the VMM's memory.
 *	next	a whole table at once, when the guest gives the device another
 *		one: filled out of sight, then the device is moved there.
 *
 * A space that nothing uses pins no memory, so each copy would pin its page.
 * ioasid_ioas_pin() makes the cache a cache: all of the guest's memory is
 * pinned, once, and a copy finds it so. Without it the VMM pays as it goes, and
 * may run into its limit of locked memory in the middle.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"

#define MEMORY (64 * EDU_PAGE)
#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE)

/* What the VMM has; the guest's memory is at @memory for the VMM itself. */
struct vmm {
	int iommufd, device, file;
	uint32_t device_id, cache, pin, shadow;
	char *memory;
};

/* Ends the program with the words of a refusal; 0 is none. */
static struct ioasid_error error;

static void check(int r)
{
	if (r < 0)
		errx(1, "%s %s [%s]", error.message, error.remedy, error.id);
}

/* The guest's memory: a file, so that it can outlive this process. */
static void make_memory(struct vmm *vmm)
{
	vmm->file = memfd_create("guest", MFD_CLOEXEC);
	if (vmm->file < 0 || ftruncate(vmm->file, MEMORY) < 0)
		err(1, "memfd");
	vmm->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
			   vmm->file, 0);
	if (vmm->memory == MAP_FAILED)
		err(1, "mmap");
}

/* Before the guest runs: the cache, and an empty space for the device. */
static void set_up(struct vmm *vmm)
{
	uint64_t zero = 0;

	check(ioasid_cdev_bind(vmm->device, vmm->iommufd, &vmm->device_id,
			       &error));
	check(ioasid_ioas_new(vmm->iommufd, &vmm->cache, &error));
	check(ioasid_map_file(vmm->iommufd, vmm->cache, vmm->file, 0, MEMORY,
			      RW | IOASID_MAP_FIXED, &zero, &error));
	check(ioasid_ioas_pin(vmm->iommufd, vmm->cache, vmm->device_id,
			      &vmm->pin, &error));
	check(ioasid_ioas_new(vmm->iommufd, &vmm->shadow, &error));
	check(ioasid_cdev_attach(vmm->device, vmm->shadow, &error));
	edu_enable(vmm->device);
}

/* The guest maps a page: it does so with every packet of a network card. */
static void guest_maps(const struct vmm *vmm, uint64_t iova, uint64_t gpa,
		       uint32_t access)
{
	check(ioasid_copy(vmm->iommufd, vmm->shadow, vmm->cache, gpa, EDU_PAGE,
			  access | IOASID_MAP_FIXED, &iova, &error));
}

/* It unmaps a page; when this returns the device does not reach it. */
static void guest_unmaps(const struct vmm *vmm, uint64_t iova)
{
	check(ioasid_unmap(vmm->iommufd, vmm->shadow, iova, EDU_PAGE, NULL,
			   &error));
}

/* It gives the device another table: a replay of all of it, and one move. */
static void guest_changes_table(struct vmm *vmm, struct ioasid_piece *table,
				size_t n)
{
	uint32_t next;

	check(ioasid_ioas_new(vmm->iommufd, &next, &error));
	check(ioasid_copy_batch(vmm->iommufd, next, vmm->cache, table, n,
				IOASID_BATCH_UNDO, NULL, &error));
	check(ioasid_cdev_attach(vmm->device, next, &error));
	check(ioasid_object_destroy(vmm->iommufd, vmm->shadow, &error));
	vmm->shadow = next;
}

/* A page of the guest's memory. */
static char *page(const struct vmm *vmm, unsigned int n)
{
	return vmm->memory + (size_t)n * EDU_PAGE;
}

/* What a guest might do; each step shows what its device reaches. */
static void run_guest(struct vmm *vmm)
{
	struct ioasid_piece table[] = {
		{ .iova = 0x1000, .at = 9 * EDU_PAGE, .length = EDU_PAGE,
		  .flags = IOASID_MAP_READ | IOASID_MAP_FIXED },
		{ .iova = 0x2000, .at = 7 * EDU_PAGE, .length = EDU_PAGE,
		  .flags = RW | IOASID_MAP_FIXED },
	};

	snprintf(page(vmm, 5), EDU_PAGE, "page 5");
	snprintf(page(vmm, 9), EDU_PAGE, "page 9");

	guest_maps(vmm, 0x10000, 5 * EDU_PAGE, IOASID_MAP_READ);
	guest_maps(vmm, 0x20000, 6 * EDU_PAGE, RW);
	edu_load(vmm->device, 0x10000);
	edu_store(vmm->device, 0x20000);
	printf("mapped: page 6 has '%s'\n", page(vmm, 6));

	guest_unmaps(vmm, 0x20000);
	memset(page(vmm, 6), 0, EDU_PAGE);
	edu_store(vmm->device, 0x20000);
	printf("unmapped: page 6 has '%s'\n", page(vmm, 6));

	guest_changes_table(vmm, table, 2);
	edu_load(vmm->device, 0x1000);
	edu_store(vmm->device, 0x2000);
	printf("another table: page 7 has '%s'\n", page(vmm, 7));
}

int main(int argc, char **argv)
{
	struct ioasid_claim *claim;
	struct vmm vmm = { 0 };
	struct ioasid *conn;

	if (argc != 2)
		errx(1, "usage: shadow LEASE");
	check(ioasid_connect(getenv("IOASIDD_SOCKET"), 10000, &conn, &error));
	check(ioasid_lease_claim(conn, argv[1], &claim, &error));
	check(ioasid_lease_acknowledge(conn, argv[1], &error));
	ioasid_disconnect(conn);
	vmm.iommufd = claim->iommufd;
	vmm.device = claim->devices[0].fd;

	make_memory(&vmm);
	set_up(&vmm);
	run_guest(&vmm);

	ioasid_claim_free(claim);
	return 0;
}
