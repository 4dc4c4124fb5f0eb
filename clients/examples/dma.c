/* SPDX-License-Identifier: Apache-2.0
 *
 * dma.c - the smallest holder of a device: claim, map, use, unmap
 *
 *	cc dma.c -o dma $(pkg-config --cflags --libs libioasid)
 *	ioasidctl prepare 01:00.0
 *	ioasidctl lease create --uid $(id -u) 01:00.0	# prints leases/...
 *	./dma leases/...
 *
 * It needs no privilege. The device is QEMU's edu; on ioasidd-sim there is one
 * without QEMU (IOASIDD_SOCKET says where that listens).
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"

/* The words of a refusal: what, why, and what would work. Ends the program. */
static _Noreturn void refused(const struct ioasid_error *error)
{
	errx(1, "%s: %s %s [%s]", error->object, error->message, error->remedy,
	     error->id);
}

/* A page of memory that is a file too: devices are given memory by file. */
static char *make_page(int *ret_file)
{
	int file = memfd_create("example", MFD_CLOEXEC);
	char *page;

	if (file < 0 || ftruncate(file, EDU_PAGE) < 0)
		err(1, "memfd");
	page = mmap(NULL, EDU_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		    0);
	if (page == MAP_FAILED)
		err(1, "mmap");
	*ret_file = file;
	return page;
}

int main(int argc, char **argv)
{
	struct ioasid_claim *claim;
	struct ioasid_error error;
	struct ioasid *conn;
	int file, iommufd, device;
	uint32_t space;
	uint64_t iova;
	char *page;

	if (argc != 2)
		errx(1, "usage: dma LEASE");

	/* Claim: the descriptors of the lease, which ends with this process. */
	if (ioasid_connect(getenv("IOASIDD_SOCKET"), 10000, &conn, &error) ||
	    ioasid_lease_claim(conn, argv[1], &claim, &error) ||
	    ioasid_lease_acknowledge(conn, argv[1], &error))
		refused(&error);
	ioasid_disconnect(conn);
	iommufd = claim->iommufd;
	device = claim->devices[0].fd;

	/* A lease of mode transfer comes empty: make a space, put it there. */
	if (ioasid_cdev_bind(device, iommufd, NULL, &error) ||
	    ioasid_ioas_new(iommufd, &space, &error) ||
	    ioasid_cdev_attach(device, space, &error))
		refused(&error);

	/* Map: from here on the device reaches the page, at iova. */
	page = make_page(&file);
	if (ioasid_map_file(iommufd, space, file, 0, EDU_PAGE,
			    IOASID_MAP_READ | IOASID_MAP_WRITE, &iova, &error))
		refused(&error);

	/* Use: the device reads the page, and writes it back. */
	edu_enable(device);
	snprintf(page, EDU_PAGE, "through the device");
	edu_load(device, iova);
	memset(page, 0, EDU_PAGE);
	edu_store(device, iova);
	printf("0x%llx: %s\n", (unsigned long long)iova, page);

	/* Unmap: what the device writes there now arrives nowhere. */
	if (ioasid_unmap(iommufd, space, iova, EDU_PAGE, NULL, &error))
		refused(&error);
	memset(page, 0, EDU_PAGE);
	edu_store(device, iova);
	printf("unmapped: %s\n", page[0] ? "it was written" : "out of reach");

	ioasid_claim_free(claim);
	return page[0] != 0;
}
