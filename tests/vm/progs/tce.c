/* SPDX-License-Identifier: Apache-2.0
 *
 * tce.c - a holder on POWER: claims a lease, carries out the plan of its windows,
 *	   and moves pages through the device by each window
 *
 *	tce LEASE
 *
 * Of a lease of nodes it opens container, group and device itself. 2 MiB of huge
 * pages have to be free: the kernel's pages are smaller than those of the second
 * window.
 *
 * Then "holding"; after each line that it reads it moves pages again, and it ends
 * well when there are no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/uapi.h"
#include "prog.h"

#include "../../../clients/examples/edu.h"

#define G (UINT64_C(1) << 30)
#define HUGE (UINT64_C(2) << 20)
#define PAGES_64K (UINT64_C(1) << 16)

/**
 * struct holder - What it has
 * @dynamic:	The second window
 * @memory:	Registered, HUGE bytes
 */
struct holder {
	struct ioasid *conn;
	struct ioasid_claim *claim;
	int container, device;
	struct ioasid_tce_window dynamic;
	uint8_t *memory;
};

/* number_arg() - What a call takes in place of an address */
static void *number_arg(unsigned long n)
{
	return (void *)n; /* NOLINT(performance-no-int-to-ptr): the kernel's way */
}

/* open_node() - Container, group, device of a lease of nodes */
static void open_node(struct holder *h)
{
	const char *path = h->claim->lease->nodes[0].path;
	const char *name = h->claim->lease->devices[0];
	int group;
	char bdf[16];

	/* "devices/pci-0001-01-00.0" */
	snprintf(bdf, sizeof(bdf), "%.4s:%.2s:%s", name + 12, name + 17,
		 name + 20);
	h->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (h->container < 0 || group < 0)
		die("open '%s': %m", path);
	if (ioctl(group, UAPI_GROUP_SET_CONTAINER, &h->container))
		die("SET_CONTAINER: %m");
	if (ioctl(h->container, UAPI_SET_IOMMU,
		  number_arg(UAPI_SPAPR_TCE_v2_IOMMU)))
		die("SET_IOMMU: %m");
	h->device = ioctl(group, UAPI_GROUP_GET_DEVICE_FD, bdf);
	if (h->device < 0)
		die("GET_DEVICE_FD of %s: %m", bdf);
	printf("opened %s\n", path);
}

/* have_device() - By the lease */
static void have_device(struct holder *h, const char *lease)
{
	h->conn = connect_daemon();
	h->claim = claim_lease(h->conn, lease);
	if (h->claim->lease->n_nodes) {
		open_node(h);
	} else {
		if (h->claim->backend != IOASID_BACKEND_SPAPR ||
		    h->claim->n_groups != 1)
			die("backend %d, %zu groups", (int)h->claim->backend,
			    h->claim->n_groups);
		h->container = h->claim->iommufd;
		h->device = h->claim->devices[0].fd;
	}
	edu_enable(h->device);
}

/* have_windows() - As the daemon plans them */
static void have_windows(struct holder *h)
{
	const struct ioasid_window_wish wishes[] = {
		{ .size = G, .has_start = true },
		{ .size = 64 * G, .page_sizes = PAGES_64K },
	};
	struct ioasid_window_plan *plan;
	struct ioasid_error err;

	if (ioasid_windows_plan(h->conn, h->claim->lease->devices, 1, wishes,
				2, &plan, &err) < 0)
		refused("plan", &err);
	if (ioasid_tce_carry_out(h->container, plan->tce_steps,
				 plan->n_tce_steps, &h->dynamic, &err) < 0)
		refused("carry out", &err);
	printf("planned 0x%" PRIx64 ", made 0x%" PRIx64 "+0x%" PRIx64 "\n",
	       plan->windows[1].start, h->dynamic.start, h->dynamic.size);
	if (h->dynamic.start != plan->windows[1].start)
		die("not where it was expected");
	ioasid_window_plan_free(plan);
}

/* must() - A call that has to be refused so */
static void must(const char *what, int r, int want, const char *id,
		 const struct ioasid_error *err)
{
	if (r != want || strcmp(err->id, id) != 0)
		die("%s: %d, %s", what, r, r < 0 ? err->id : "");
}

/* register_memory() - And what is refused before */
static void register_memory(struct holder *h)
{
	struct ioasid_error err;

	h->memory = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (h->memory == MAP_FAILED)
		die("2 MiB in huge pages: %m");
	memset(h->memory, 0, HUGE);
	must("map before register",
	     ioasid_tce_map(h->container, h->memory, 4096, IOASID_MAP_READ, 0,
			    &err), -EPERM, IOASID_ERROR_KERNEL, &err);
	if (ioasid_tce_register(h->container, h->memory, HUGE, &err) < 0)
		refused("register", &err);
	must("register again",
	     ioasid_tce_register(h->container, h->memory, HUGE, &err), -EBUSY,
	     IOASID_ERROR_IN_USE, &err);
}

/* carry() - A page to the device and back, by addresses of a window */
static void carry(struct holder *h, const char *name, uint64_t iova,
		  uint8_t fill)
{
	const uint32_t both = IOASID_MAP_READ | IOASID_MAP_WRITE;
	uint8_t *from = h->memory, *to = h->memory + PAGES_64K;
	struct ioasid_error err;

	for (size_t i = 0; i < EDU_PAGE; i++)
		from[i] = (uint8_t)(i ^ fill);
	memset(to, 0, EDU_PAGE);
	if (ioasid_tce_map(h->container, from, PAGES_64K, both, iova, &err) <
		    0 ||
	    ioasid_tce_map(h->container, to, PAGES_64K, both, iova + PAGES_64K,
			   &err) < 0)
		refused("map", &err);
	edu_load(h->device, iova);
	edu_store(h->device, iova + PAGES_64K);
	if (memcmp(from, to, EDU_PAGE) != 0)
		die("%s: the device has not carried the page", name);
	if (ioasid_tce_unmap(h->container, iova, 2 * PAGES_64K, &err) < 0)
		refused("unmap", &err);
	printf("carried by %s, 0x%" PRIx64 "\n", name, iova);
}

/* resize() - The second window to twice its length */
static void resize(struct holder *h)
{
	struct ioasid_error err;
	uint64_t far = h->dynamic.start + 2 * 64 * G - 2 * PAGES_64K;

	must("map beyond", ioasid_tce_map(h->container, h->memory, PAGES_64K,
					  IOASID_MAP_READ, far, &err),
	     -ENXIO, IOASID_ERROR_MAP_RANGE, &err);
	must("odd length", ioasid_tce_resize(h->container, &h->dynamic, 96 * G,
					     &err),
	     -EINVAL, IOASID_ERROR_ARGUMENT, &err);
	if (ioasid_tce_resize(h->container, &h->dynamic, 128 * G, &err) < 0)
		refused("resize", &err);
	printf("resized to 0x%" PRIx64 "\n", h->dynamic.size);
	carry(h, "the end of the longer window", far, 0x33);
}

int main(int argc, char **argv)
{
	struct holder h = { .container = -1 };
	struct ioasid_error err;
	char line[16];

	if (argc != 2)
		die("usage: tce LEASE");
	setvbuf(stdout, NULL, _IOLBF, 0);
	have_device(&h, argv[1]);
	have_windows(&h);
	register_memory(&h);
	carry(&h, "the default window", 0x100000, 0x11);
	carry(&h, "the dynamic window", h.dynamic.start, 0x22);
	resize(&h);
	carry(&h, "the default window again", 0, 0x44);
	printf("holding\n");
	while (fgets(line, sizeof(line), stdin)) {
		carry(&h, "the default window", 0x200000, 0x55);
		carry(&h, "the dynamic window", h.dynamic.start, 0x66);
		printf("goes on\n");
	}
	if (ioasid_tce_unregister(h.container, h.memory, HUGE, &err) < 0)
		refused("unregister", &err);
	ioasid_claim_free(h.claim);
	ioasid_disconnect(h.conn);
	return 0;
}
