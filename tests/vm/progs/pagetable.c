/* SPDX-License-Identifier: Apache-2.0
 *
 * pagetable.c - page tables of a holder: what can be made, and what it does
 *
 *	pagetable LEASE
 *
 * Claims an edu device and tries everything that libioasid has for page tables,
 * whatever its IOMMU can do: a line each, "what: ok", a number, or the id of the
 * refusal.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "examples/edu.h"
#include "prog.h"

#define PAGE 4096u
#define PAGES 16u
#define AT 0x40000000u
#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE | IOASID_MAP_FIXED)
#define PASID 5
#define VTD 1			/* IOMMU_HWPT_DATA_VTD_S1 */

/**
 * struct bench - What it has
 * @fd:		The context
 * @cdev:	The device, bound
 * @device:	Its id
 * @ioas:	A space that maps PAGES
 */
struct bench {
	int fd, cdev;
	uint32_t device, ioas;
};

static struct ioasid_error why;

/* tell() - A line. Return: it was well. */
static bool tell(const char *what, int r)
{
	printf("%s: %s\n", what, r ? why.id : "ok");
	return r == 0;
}

/* set_up() - Claim, bind, make a space and map */
static struct ioasid_claim *set_up(const char *lease, struct bench *ret)
{
	struct ioasid *conn = connect_daemon();
	struct ioasid_claim *claim = claim_lease(conn, lease);
	int file = memfd_create("pagetable", MFD_CLOEXEC);
	uint64_t iova = AT;

	ioasid_disconnect(conn);
	ret->fd = claim->iommufd;
	ret->cdev = claim->devices[0].fd;
	if (file < 0 || ftruncate(file, PAGES * PAGE))
		die("memfd: %m");
	if (ioasid_cdev_bind(ret->cdev, ret->fd, &ret->device, &why) < 0)
		refused("bind", &why);
	if (ioasid_ioas_new(ret->fd, &ret->ioas, &why) < 0 ||
	    ioasid_map_file(ret->fd, ret->ioas, file, 0, PAGES * PAGE, RW,
			    &iova, &why) < 0)
		refused("map", &why);
	close(file);
	edu_enable(ret->cdev);
	return claim;
}

/* dirty() - What the device writes is seen, once */
static void dirty(const struct bench *b)
{
	uint64_t bits = 0;
	uint32_t table;

	if (!tell("dirty table", ioasid_table_new(b->fd, b->device, b->ioas,
						  IOASID_TABLE_DIRTY, 0,
						  &table, &why)))
		return;
	tell("on it", ioasid_cdev_attach(b->cdev, table, &why));
	tell("watched", ioasid_dirty_watch(b->fd, table, true, &why));
	edu_store(b->cdev, AT + 3 * PAGE);
	edu_store(b->cdev, AT + 9 * PAGE);
	for (int i = 0; i < 3; i++) {
		bits = 0;
		if (ioasid_dirty_read(b->fd, table, AT, PAGES * PAGE, PAGE,
				      i ? 0 : IOASID_DIRTY_KEEP, &bits, &why))
			refused("dirty", &why);
		printf("written: 0x%" PRIx64 "\n", bits);
	}
	tell("off it", ioasid_cdev_detach(b->cdev, &why));
	tell("in use no more", ioasid_object_destroy(b->fd, table, &why));
}

/* nest() - A guest's page table, and what it says has changed */
static void nest(const struct bench *b)
{
	uint32_t parent, guest, n = 2, viommu;
	struct {
		uint64_t address, pages;
		uint32_t flags, reserved;
	} entries[2] = { { 0, UINT64_MAX, 0, 0 }, { 1, 1, 0, 0 } };

	if (!tell("nest parent", ioasid_table_new(b->fd, b->device, b->ioas,
						  IOASID_TABLE_NEST_PARENT, 0,
						  &parent, &why)))
		return;
	tell("of another kind", ioasid_table_nest(b->fd, b->device, parent, 0,
						  0, VTD + 1, entries, 16,
						  &guest, &why));
	tell("too short", ioasid_table_nest(b->fd, b->device, parent, 0, 0, VTD,
					    entries, 23, &guest, &why));
	tell("vIOMMU", ioasid_viommu_new(b->fd, 1, b->device, parent, &viommu,
					 &why));
	if (!tell("guest's", ioasid_table_nest_vtd(b->fd, b->device, parent, 0,
						   AT, 48, 0, &guest, &why)))
		return;
	tell("device on it", ioasid_cdev_attach(b->cdev, guest, &why));
	tell("a page", ioasid_table_invalidate_vtd(b->fd, guest, PAGE, 1, true,
						   &why));
	tell("the second is bad", ioasid_table_invalidate(b->fd, guest, 0,
							  entries, 24, &n,
							  &why));
	printf("done: %" PRIu32 "\n", n);
	tell("parent in use", ioasid_object_destroy(b->fd, parent, &why));
	tell("device off it", ioasid_cdev_detach(b->cdev, &why));
	tell("guest's ends", ioasid_object_destroy(b->fd, guest, &why));
	tell("parent ends", ioasid_object_destroy(b->fd, parent, &why));
}

/* faults() - A queue, which is a descriptor */
static void faults(const struct bench *b)
{
	struct ioasid_fault fault;
	uint32_t queue, table;
	struct pollfd p;
	size_t n = 1;
	int fd;

	if (!tell("fault queue", ioasid_fault_queue_new(b->fd, &queue, &fd,
							&why)))
		return;
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	printf("close-on-exec: %d\n", fcntl(fd, F_GETFD) & FD_CLOEXEC);
	printf("readable: %d\n", poll(&p, 1, 0));
	tell("read", ioasid_fault_read(fd, &fault, &n, &why));
	printf("faults: %zu\n", n);
	tell("answer to none", ioasid_fault_answer(fd, 1, true, &why));
	if (tell("table with it", ioasid_table_new(b->fd, b->device, b->ioas,
						   IOASID_TABLE_FAULTS, queue,
						   &table, &why))) {
		tell("device that never faults",
		     ioasid_cdev_attach(b->cdev, table, &why));
		tell("table ends", ioasid_object_destroy(b->fd, table, &why));
	}
	tell("queue open", ioasid_object_destroy(b->fd, queue, &why));
	close(fd);
	tell("queue closed", ioasid_object_destroy(b->fd, queue, &why));
}

/* pasids() - One, beside the device itself */
static void pasids(const struct bench *b)
{
	uint32_t one, two, on = 0;

	if (!tell("PASID table", ioasid_table_new(b->fd, b->device, b->ioas,
						  IOASID_TABLE_PASID, 0, &one,
						  &why)) ||
	    ioasid_table_new(b->fd, b->device, b->ioas, IOASID_TABLE_PASID, 0,
			     &two, &why) < 0)
		return;
	tell("device itself", ioasid_cdev_attach(b->cdev, one, &why));
	if (tell("PASID", ioasid_cdev_attach_pasid(b->cdev, PASID, two, &on,
						   &why))) {
		printf("where it should: %d\n", on == two);
		tell("in use", ioasid_object_destroy(b->fd, two, &why));
	}
	tell("PASID off", ioasid_cdev_detach_pasid(b->cdev, PASID, &why));
	tell("device off", ioasid_cdev_detach(b->cdev, &why));
	tell("table two ends", ioasid_object_destroy(b->fd, two, &why));
	tell("table one ends", ioasid_object_destroy(b->fd, one, &why));
}

int main(int argc, char **argv)
{
	struct ioasid_claim *claim;
	struct bench b;

	if (argc != 2)
		die("usage: %s LEASE", argv[0]);
	claim = set_up(argv[1], &b);
	dirty(&b);
	nest(&b);
	faults(&b);
	pasids(&b);
	tell("space ends", ioasid_object_destroy(b.fd, b.ioas, &why));
	ioasid_claim_free(claim);
	return 0;
}
