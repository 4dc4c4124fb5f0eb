/* SPDX-License-Identifier: Apache-2.0
 *
 * edu-dma.c - a user-space driver of the edu device, on a lease
 *
 *	edu-dma LEASE
 *
 * Claims, binds, makes a space, maps memory and carries a page through the
 * device: memory -> device -> other memory. Then it ends the mappings and has
 * the device try them: what is not mapped must be out of reach.
 *
 * The registers are those of QEMU's docs/specs/edu.rst.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/uapi.h"
#include "prog.h"

#define PAGE 4096u

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

#define EDU_ID 0x00
#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_START 1u
#define EDU_TO_MEMORY 2u
#define EDU_BUFFER 0x40000u

/**
 * struct edu - The device
 * @iommufd:	The context
 * @cdev:	The device, bound and attached
 * @ioas:	Its space
 * @bar:	Where BAR 0 begins in @cdev
 */
struct edu {
	int iommufd;
	int cdev;
	uint32_t ioas;
	uint64_t bar;
};

/**
 * call() - ioctl, or end
 * @fd:		On what
 * @request:	Which
 * @data:	Its structure
 * @name:	Its name
 */
static void call(int fd, unsigned long request, void *data, const char *name)
{
	if (ioasid_ioctl(fd, request, data) < 0)
		die("%s: %m", name);
}

/**
 * region() - Where a region of the device begins in its descriptor
 * @cdev:	The device
 * @index:	Which region
 *
 * Return: the offset.
 */
static uint64_t region(int cdev, uint32_t index)
{
	struct uapi_region_info info = {
		.argsz = sizeof(info),
		.index = index,
	};

	call(cdev, UAPI_DEVICE_GET_REGION_INFO, &info, "GET_REGION_INFO");
	return info.offset;
}

/**
 * enable() - Let the device answer on the bus and begin transfers
 * @cdev:	The device
 */
static void enable(int cdev)
{
	off_t at = (off_t)region(cdev, UAPI_PCI_CONFIG_REGION_INDEX) +
		   PCI_COMMAND;
	uint16_t command;

	if (ioasid_pread(cdev, &command, 2, at) != 2)
		die("read PCI_COMMAND: %m");
	command = htole16(le16toh(command) | PCI_COMMAND_MEMORY |
			  PCI_COMMAND_MASTER);
	if (ioasid_pwrite(cdev, &command, 2, at) != 2)
		die("write PCI_COMMAND: %m");
}

/**
 * set_up() - From descriptors to a device that can be used
 * @claim:	The descriptors
 * @ret:	The device
 */
static void set_up(const struct ioasid_claim *claim, struct edu *ret)
{
	struct uapi_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = claim->iommufd,
	};
	struct uapi_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct uapi_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};

	ret->iommufd = claim->iommufd;
	ret->cdev = claim->devices[0].fd;
	call(ret->cdev, UAPI_DEVICE_BIND_IOMMUFD, &bind, "BIND_IOMMUFD");
	call(ret->iommufd, UAPI_IOAS_ALLOC, &alloc, "IOAS_ALLOC");
	ret->ioas = attach.pt_id = alloc.out_ioas_id;
	call(ret->cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &attach,
	     "ATTACH_IOMMUFD_PT");
	enable(ret->cdev);
	ret->bar = region(ret->cdev, UAPI_PCI_BAR0_REGION_INDEX);
}

/**
 * map() - Let the device reach a page
 * @edu:	The device
 * @page:	The page
 *
 * Return: where.
 */
static uint64_t map(const struct edu *edu, void *page)
{
	struct uapi_ioas_map map = {
		.size = sizeof(map),
		.flags = UAPI_IOAS_MAP_READABLE | UAPI_IOAS_MAP_WRITEABLE,
		.ioas_id = edu->ioas,
		.user_va = (uintptr_t)page,
		.length = PAGE,
	};

	call(edu->iommufd, UAPI_IOAS_MAP, &map, "IOAS_MAP");
	return map.iova;
}

/**
 * unmap() - Let it reach the page no more
 * @edu:	The device
 * @iova:	Where it is
 */
static void unmap(const struct edu *edu, uint64_t iova)
{
	struct uapi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = edu->ioas,
		.iova = iova,
		.length = PAGE,
	};

	call(edu->iommufd, UAPI_IOAS_UNMAP, &unmap, "IOAS_UNMAP");
}

/**
 * write_register() - Write to a register
 * @edu:	The device
 * @at:		Which
 * @value:	What
 */
static void write_register(const struct edu *edu, uint32_t at, uint64_t value)
{
	value = htole64(value);
	if (ioasid_pwrite(edu->cdev, &value, 8, (off_t)(edu->bar + at)) != 8)
		die("write register %#x: %m", at);
}

/**
 * read_register() - Read 4 bytes of a register
 * @edu:	The device
 * @at:		Which
 *
 * Return: its value.
 */
static uint32_t read_register(const struct edu *edu, uint32_t at)
{
	uint32_t value;

	if (ioasid_pread(edu->cdev, &value, 4, (off_t)(edu->bar + at)) != 4)
		die("read register %#x: %m", at);
	return le32toh(value);
}

/**
 * transfer() - Have the device move a page, and wait until it has
 * @edu:	The device
 * @iova:	Memory's address for the device
 * @to_memory:	From its buffer to memory; else the other way
 */
static void transfer(const struct edu *edu, uint64_t iova, bool to_memory)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int i;

	write_register(edu, EDU_SOURCE, to_memory ? EDU_BUFFER : iova);
	write_register(edu, EDU_TARGET, to_memory ? iova : EDU_BUFFER);
	write_register(edu, EDU_COUNT, PAGE);
	write_register(edu, EDU_COMMAND,
		       EDU_START | (to_memory ? EDU_TO_MEMORY : 0));
	for (i = 0; i < TIMEOUT_MS / 10; i++) {
		if (!(read_register(edu, EDU_COMMAND) & EDU_START))
			return;
		(void)nanosleep(&nap, NULL);
	}
	die("the transfer does not end");
}

/**
 * fill() - Fill a page with bytes that tell where they are
 * @page:	The page
 * @seed:	Makes it another one
 */
static void fill(uint8_t *page, uint32_t seed)
{
	uint32_t x = seed;

	for (size_t i = 0; i < PAGE; i++) {
		x = x * 1664525 + 1013904223;
		page[i] = (uint8_t)(x >> 24);
	}
}

/**
 * round_trip() - Memory, device, other memory: each byte arrives
 * @edu:	The device
 * @from:	A page
 * @to:		Another
 * @seed:	For what is carried
 */
static void round_trip(const struct edu *edu, uint8_t *from, uint8_t *to,
		       uint32_t seed)
{
	uint64_t source = map(edu, from), target = map(edu, to);

	fill(from, seed);
	memset(to, 0, PAGE);
	transfer(edu, source, false);
	transfer(edu, target, true);
	for (size_t i = 0; i < PAGE; i++)
		if (to[i] != from[i])
			die("byte %zu is %#x, not %#x", i, to[i], from[i]);
	unmap(edu, target);
	unmap(edu, source);
}

/**
 * stay_out() - What is mapped no more is neither read nor written
 * @edu:	The device
 * @secret:	A page, mapped before and not now
 * @other:	Another
 */
static void stay_out(const struct edu *edu, uint8_t *secret, uint8_t *other)
{
	static uint8_t before[PAGE];
	uint64_t gone, there;

	/* The device's buffer has something else than the secret. */
	gone = map(edu, secret);
	fill(secret, 3);
	transfer(edu, gone, false);
	unmap(edu, gone);
	fill(secret, 4);
	memcpy(before, secret, PAGE);

	transfer(edu, gone, true);
	if (memcmp(secret, before, PAGE) != 0)
		die("the device wrote where nothing is mapped");
	transfer(edu, gone, false);
	there = map(edu, other);
	if (there == gone)
		printf("the address is used again\n");
	memset(other, 0, PAGE);
	transfer(edu, there, true);
	if (memcmp(other, secret, PAGE) == 0)
		die("the device read where nothing is mapped");
	unmap(edu, there);
}

int main(int argc, char **argv)
{
	struct ioasid_claim *claim;
	struct ioasid *conn;
	struct edu edu;
	uint8_t *pages;

	if (argc != 2)
		die("edu-dma LEASE");
	conn = connect_daemon();
	claim = claim_lease(conn, argv[1]);
	set_up(claim, &edu);
	if ((read_register(&edu, EDU_ID) & 0xffff) != 0x00ed)
		die("it is no edu: %#x", read_register(&edu, EDU_ID));
	pages = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pages == MAP_FAILED)
		die("mmap: %m");
	round_trip(&edu, pages, pages + PAGE, 1);
	printf("carried %u bytes there and back\n", PAGE);
	stay_out(&edu, pages, pages + PAGE);
	printf("what is not mapped is out of reach\n");
	round_trip(&edu, pages + PAGE, pages, 2);
	printf("carried them the other way\n");
	ioasid_claim_free(claim);
	ioasid_disconnect(conn);
	return 0;
}
