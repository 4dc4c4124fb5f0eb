/* SPDX-License-Identifier: Apache-2.0
 *
 * tce.c - a holder on POWER: has its windows planned, carries the plan out, and
 *	   moves pages through the device by each window
 *
 *	tce BDF GROUP
 *
 * It opens container, group and device itself, so it runs as root; the device is
 * prepared by ioasidd. 2 MiB of huge pages have to be free: the kernel's pages are
 * smaller than those of the second window.
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
	int container, group, device;
	struct ioasid_tce_window dynamic;
	uint8_t *memory;
};

/* number_arg() - What a call takes in place of an address */
static void *number_arg(unsigned long n)
{
	return (void *)n; /* NOLINT(performance-no-int-to-ptr): the kernel's way */
}

/* open_device() - Container, group, device */
static void open_device(struct holder *h, const char *bdf, const char *group)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	h->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	h->group = open(path, O_RDWR | O_CLOEXEC);
	if (h->container < 0 || h->group < 0)
		die("open '%s': %m", path);
	if (ioctl(h->group, UAPI_GROUP_SET_CONTAINER, &h->container))
		die("SET_CONTAINER: %m");
	if (ioctl(h->container, UAPI_SET_IOMMU,
		  number_arg(UAPI_SPAPR_TCE_v2_IOMMU)))
		die("SET_IOMMU: %m");
	h->device = ioctl(h->group, UAPI_GROUP_GET_DEVICE_FD, bdf);
	if (h->device < 0)
		die("GET_DEVICE_FD: %m");
	edu_enable(h->device);
}

/* have_windows() - As the daemon plans them */
static void have_windows(struct holder *h, const char *bdf)
{
	const struct ioasid_window_wish wishes[] = {
		{ .size = G, .has_start = true },
		{ .size = 64 * G, .page_sizes = PAGES_64K },
	};
	struct ioasid *conn = connect_daemon();
	struct ioasid_window_plan *plan;
	struct ioasid_error err;
	char name[64];
	const char *names[] = { name };

	snprintf(name, sizeof(name), "devices/pci-%.4s-%.2s-%s", bdf, bdf + 5,
		 bdf + 8);
	if (ioasid_windows_plan(conn, names, 1, wishes, 2, &plan, &err) < 0)
		refused("plan", &err);
	if (ioasid_tce_carry_out(h->container, plan->tce_steps,
				 plan->n_tce_steps, &h->dynamic, &err) < 0)
		refused("carry out", &err);
	printf("planned 0x%" PRIx64 ", made 0x%" PRIx64 "+0x%" PRIx64 "\n",
	       plan->windows[1].start, h->dynamic.start, h->dynamic.size);
	if (h->dynamic.start != plan->windows[1].start)
		die("not where it was expected");
	ioasid_window_plan_free(plan);
	ioasid_disconnect(conn);
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

	if (argc != 3)
		die("usage: tce BDF GROUP");
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_device(&h, argv[1], argv[2]);
	have_windows(&h, argv[1]);
	register_memory(&h);
	carry(&h, "the default window", 0x100000, 0x11);
	carry(&h, "the dynamic window", h.dynamic.start, 0x22);
	resize(&h);
	carry(&h, "the default window again", 0, 0x44);
	if (ioasid_tce_unregister(h.container, h.memory, HUGE, &err) < 0)
		refused("unregister", &err);
	return 0;
}
