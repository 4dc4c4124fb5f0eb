/* SPDX-License-Identifier: Apache-2.0
 *
 * guarded-holder.c - a hostile holder of a guarded lease of one edu
 *
 *	guarded-holder LEASE
 *
 * Has memory mapped by the daemon and carries pages through the device. Then it
 * does all it can with what it has, a bound cdev: attaches it, and PASIDs of it,
 * to ids 1 to 64, detaches it, resets it, tries every other ioctl; and plays
 * tricks with its memory. After each act the device may reach what is mapped, and
 * nothing else. At last it leaves a child with the cdev behind and ends: when the
 * lease has, the child finds nothing mapped.
 *
 * It prints what it has found; whoever started it decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/uapi.h"
#include "prog.h"

/* The calls of clients/examples/edu.h are all that a driver of it needs. */
#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_START 1u
#define EDU_TO_MEMORY 2u
#define EDU_BUFFER 0x40000u
#define PAGE 4096u
#define PAGES 8u
#define IDS 64u

/* Where it is mapped: the window begins there. */
#define IOVA (UINT64_C(1) << 30)

/* Out of reach: below the window, behind what is mapped, behind the window. Not
 * where interrupts are, 0xfee00000: no page table is asked there, and QEMU's
 * machine did not outlive a page of nonsense.
 */
static const uint64_t outside[] = { 0, IOVA - PAGE, IOVA + PAGES * PAGE,
				    2 * IOVA };

static struct ioasid *conn;
static const char *lease, *space;
static uint8_t *memory;
static int cdev, file;

/* region() - Where a region of the device begins. */
static off_t region(uint32_t index)
{
	struct uapi_region_info info = { .argsz = sizeof(info),
					 .index = index };

	if (ioasid_ioctl(cdev, UAPI_DEVICE_GET_REGION_INFO, &info) < 0)
		die("region %u: %m", index);
	return (off_t)info.offset;
}

/* enable() - Let the device answer, and begin transfers. */
static void enable(void)
{
	uint16_t on = 6;

	if (ioasid_pwrite(cdev, &on, 2,
			  region(UAPI_PCI_CONFIG_REGION_INDEX) + 4) != 2)
		die("PCI_COMMAND: %m");
}

/* put() - Write a register. */
static void put(uint32_t at, uint64_t value)
{
	if (ioasid_pwrite(cdev, &value, 8,
			  region(UAPI_PCI_BAR0_REGION_INDEX) + at) != 8)
		die("write register %#x: %m", at);
}

/* transfer() - Have the device move a page, and wait for it. */
static void transfer(uint64_t from, uint64_t to, uint32_t command)
{
	const off_t bar = region(UAPI_PCI_BAR0_REGION_INDEX);
	uint32_t value = EDU_START;

	put(EDU_SOURCE, from);
	put(EDU_TARGET, to);
	put(EDU_COUNT, PAGE);
	put(EDU_COMMAND, EDU_START | command);
	for (int i = 0; i < TIMEOUT_MS && (value & EDU_START); i++) {
		if (ioasid_pread(cdev, &value, 4, bar + EDU_COMMAND) != 4)
			die("read register: %m");
		(void)usleep(1000);
	}
	if (value & EDU_START)
		die("the transfer does not end");
}

/* fill() - Fill a page with something new. */
static void fill(uint8_t *page)
{
	static uint32_t x = 1;

	for (size_t i = 0; i < PAGE; i++) {
		x = x * 1664525 + 1013904223;
		page[i] = (uint8_t)(x >> 24);
	}
}

/**
 * carries() - Does a page go through the device, from page 0 to page 2?
 */
static bool carries(void)
{
	fill(memory);
	memset(memory + (size_t)2 * PAGE, 0, PAGE);
	transfer(IOVA, EDU_BUFFER, 0);
	transfer(EDU_BUFFER, IOVA + (uint64_t)2 * PAGE, EDU_TO_MEMORY);
	return !memcmp(memory, memory + (size_t)2 * PAGE, PAGE);
}

/**
 * stays_in() - Writes to what is out of reach change nothing of ours
 *
 * That they are refused is seen in the kernel's log.
 */
static void stays_in(void)
{
	static uint8_t before[PAGES * PAGE];

	memcpy(before, memory, sizeof(before));
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		transfer(EDU_BUFFER, outside[i], EDU_TO_MEMORY);
	if (memcmp(before, memory, sizeof(before)) != 0)
		printf("WROTE OUTSIDE\n");
}

/* attach() - Attach to an id. Return: 0 or -errno. */
static int attach(uint32_t id, uint32_t flags, uint32_t pasid)
{
	struct uapi_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd), .flags = flags, .pt_id = id,
		.pasid = pasid,
	};

	return ioasid_ioctl(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd) < 0 ?
		       -errno : 0;
}

/* detach() - Take the device off. */
static void detach(void)
{
	struct uapi_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	if (ioasid_ioctl(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd) < 0)
		die("detach: %m");
}

/**
 * map() - Have the daemon map pages
 * @offset:	From where on in the memory
 *
 * Return: "ok", or the id of the error.
 */
static const char *map(uint64_t iova, uint64_t offset, uint64_t length,
		       bool writable)
{
	static struct ioasid_memory_entry entry;
	static struct ioasid_error err;

	entry = (struct ioasid_memory_entry){
		.space = space, .fd = file, .offset = offset,
		.length = length, .iova = iova, .writable = writable,
	};
	if (ioasid_memory_map(conn, lease, &entry, 1, &err) == 0)
		return "ok";
	return *entry.refusal ? entry.refusal : err.id;
}

/* try_ids() - Attach the device, and PASIDs of it, to all that there may be. */
static void try_ids(uint32_t home)
{
	for (uint32_t id = 1; id <= IDS; id++) {
		if (attach(id, 0, 0) == 0) {
			bool same = carries();

			stays_in();
			printf("attached to %u: %s\n", id,
			       same ? "carries" : "carries nothing");
		}
		for (uint32_t pasid = 1; pasid < 4; pasid++)
			if (attach(id, 1, pasid) == 0)
				printf("PASID %u attached to %u\n", pasid, id);
	}
	detach();
	printf("detached: %s\n", carries() ? "CARRIES" : "carries nothing");
	stays_in();
	if (attach(home, 0, 0) < 0)
		die("attach to its own space: %m");
	printf("back: %s\n", carries() ? "carries" : "CARRIES NOTHING");
}

/**
 * try_calls() - Every call of VFIO and iommufd that there may be, with arguments
 *		 of zeroes and ones
 *
 * But attach and detach, which have been tried, and what only asks.
 */
static void try_calls(uint32_t home)
{
	unsigned int done = 0;

	for (unsigned int nr = 0; nr < 256; nr++) {
		uint32_t args[64] = { sizeof(args), 0 };

		if (_IO(';', nr) == UAPI_DEVICE_ATTACH_IOMMUFD_PT)
			continue;
		for (uint32_t fd = 0; fd < 2; fd++) {
			args[1] = fd;
			args[2] = (uint32_t)cdev;
			args[3] = 1;
			done += ioasid_ioctl(cdev, _IO(';', nr), args) >= 0;
		}
	}
	printf("%u calls were not refused\n", done);
	enable();
	if (attach(home, 0, 0) < 0)
		die("attach after all calls: %m");
	stays_in();
	printf("after them: %s\n", carries() ? "carries" : "CARRIES NOTHING");
}

/* try_memory() - Tricks with the memory while it is mapped. */
static void try_memory(void)
{
	printf("shrink: %s\n", ftruncate(file, PAGE) < 0 ?
				       strerrorname_np(errno) : "DONE");
	printf("grow: %s\n", ftruncate(file, (off_t)PAGES * 2 * PAGE) < 0 ?
				     strerrorname_np(errno) : "DONE");
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)2 * PAGE, PAGE) < 0)
		die("punch a hole: %m");
	printf("map with a hole: %s\n",
	       map(2 * IOVA - PAGES * PAGE, 0, PAGES * PAGE, true));
	/* The device has the page that was there, and we another one. */
	printf("hole: %s\n", carries() ? "CARRIES" : "carries nothing");
	printf("map outside: %s\n", map(IOVA - PAGE, 0, PAGE, true));
	printf("map a page twice: %s\n", map(IOVA, 0, PAGE, true));
	printf("map the first page read-only: %s\n",
	       map(2 * IOVA - PAGE, 0, PAGE, false));
	transfer(IOVA, EDU_BUFFER, 0);
	memset(memory, 0x55, PAGE);
	transfer(EDU_BUFFER, 2 * IOVA - PAGE, EDU_TO_MEMORY);
	for (size_t i = 0; i < PAGE; i++)
		if (memory[i] != 0x55)
			die("the device wrote where it may only read");
}

/**
 * outlive() - As a child, wait until the holder has ended, and then for a signal
 * @parent:	The holder
 */
static void outlive(pid_t parent)
{
	while (getppid() == parent)
		(void)usleep(10000);
	printf("the parent has ended\n");
	(void)fflush(stdout);
	/* Until whoever looks has seen the fence. */
	(void)pause();
}

/* go_on() - He has seen it: try what was mapped. */
static void go_on(int number)
{
	static const char good[] = "after the fence: carries nothing\n";
	static const char bad[] = "after the fence: CARRIES\n";
	bool reached;

	(void)attach(1, 0, 0);
	for (uint32_t id = 2; id < IDS; id++)
		(void)attach(id, 0, 0); /* wherever that may be */
	enable();
	reached = carries();
	stays_in();
	(void)!write(1, reached ? bad : good,
		     reached ? sizeof(bad) - 1 : sizeof(good) - 1);
	_exit(number == SIGUSR1 ? 0 : 1);
}

/* prepare() - Claim, and have memory mapped. Return: the id of its space. */
static uint32_t prepare(void)
{
	struct ioasid_error err;
	struct ioasid_claim *claim;

	conn = connect_daemon();
	claim = claim_lease(conn, lease);
	if (claim->iommufd != -1 || claim->n_devices != 1)
		die("it got an iommufd, or no device");
	cdev = claim->devices[0].fd;
	space = claim->lease->spaces[0]->name;
	if (ioasid_memory_create(conn, lease, PAGES * PAGE, 0, &file, &err) <
	    0)
		refused("memory", &err);
	printf("unpopulated: %s\n", map(IOVA, 0, PAGES * PAGE, true));
	if (posix_fallocate(file, 0, PAGES * PAGE) != 0)
		die("populate");
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      file, 0);
	if (memory == MAP_FAILED)
		die("mmap: %m");
	printf("map: %s\n", map(IOVA, 0, PAGES * PAGE, true));
	return claim->lease->spaces[0]->kernel_id;
}

int main(int argc, char **argv)
{
	uint32_t home;
	pid_t self = getpid(), child;

	if (argc != 2)
		die("guarded-holder LEASE");
	lease = argv[1];
	setlinebuf(stdout);
	home = prepare();
	enable();
	printf("first: %s\n", carries() ? "carries" : "CARRIES NOTHING");
	stays_in();
	try_ids(home);
	if (ioasid_ioctl(cdev, UAPI_DEVICE_RESET, NULL) < 0)
		printf("reset: %s\n", strerrorname_np(errno));
	enable();
	printf("after a reset: %s\n",
	       carries() ? "carries" : "CARRIES NOTHING");
	try_calls(home);
	try_memory();
	(void)signal(SIGUSR1, go_on);
	(void)fflush(stdout);
	child = fork();
	if (child < 0)
		die("fork: %m");
	if (child == 0)
		outlive(self);
	printf("child: %d\n", (int)child);
	(void)fflush(stdout);
	_exit(0);
}
