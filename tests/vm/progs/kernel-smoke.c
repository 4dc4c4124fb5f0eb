/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel-smoke.c - the real kernel layer, once through, in the test machine
 *
 * Prints what it sees, and TAP: each step is a test. Uses EDU0, NVME1 (which it
 * mounts), PAIR0 and PAIR1, and puts them back.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/uapi.h"
#include "kernel/kernel.h"

#define TIMEOUT_MS 20000

static struct kernel *k;
static struct error err;
static unsigned int count, failures;

/**
 * result() - One line of TAP
 * @ok:		Passed
 * @fmt:	The claim
 */
__attribute__((format(printf, 2, 3))) static void result(bool ok,
							 const char *fmt, ...)
{
	va_list args;

	printf("%sok %u - ", ok ? "" : "not ", ++count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (!ok) {
		failures++;
		printf("#   %s (errno %d)\n", err.msg, err.number);
		for (size_t i = 0; i < err.n_causes; i++)
			printf("#   %s %s: %s\n", err.causes[i].kind,
			       err.causes[i].name, err.causes[i].detail);
	}
	err = ERROR_NULL;
}

/**
 * caused_by() - Does the error name that cause?
 * @name:	NULL for any of that kind
 */
static bool caused_by(const char *kind, const char *name)
{
	for (size_t i = 0; i < err.n_causes; i++) {
		printf("# cause: %s %s %s\n", err.causes[i].kind,
		       err.causes[i].name, err.causes[i].detail);
		if (str_eq(err.causes[i].kind, kind) &&
		    (!name || str_eq(err.causes[i].name, name)))
			return true;
	}

	return false;
}

/**
 * inventory() - What there is
 */
static void inventory(void)
{
	struct kernel_inventory *inv = NULL;
	uint64_t start = clock_mono_ns();
	int r = k->ops->inventory(k, &inv, &err);

	result(!r, "inventory in %u us",
	       (unsigned int)((clock_mono_ns() - start) / 1000));
	if (r)
		return;

	for (size_t i = 0; i < inv->n_iommus; i++) {
		printf("# iommu %s %s", inv->iommus[i].name,
		       inv->iommus[i].family);
		for (size_t j = 0; j < inv->iommus[i].n_registers; j++)
			printf(" %s=%s", inv->iommus[i].registers[j].name,
			       inv->iommus[i].registers[j].value);
		printf("\n");
	}
	for (size_t i = 0; i < inv->n_groups; i++) {
		printf("# group %d %s", inv->groups[i].number,
		       inv->groups[i].type);
		for (size_t j = 0; j < inv->groups[i].n_reserved; j++)
			printf(" %" PRIx64 "-%" PRIx64 ":%s",
			       inv->groups[i].reserved[j].start,
			       inv->groups[i].reserved[j].last,
			       inv->groups[i].reserved[j].type);
		printf("\n");
	}
	for (size_t i = 0; i < inv->n_devices; i++) {
		struct kernel_device *d = &inv->devices[i];

		printf("# %s %04x:%04x class %06x rev %02x%s numa %d driver "
		       "'%s' group %d iommu '%s' reset '%s'\n", d->bdf,
		       d->vendor, d->device, d->class, d->revision,
		       d->bridge ? " bridge" : "", d->numa_node, d->driver,
		       d->group, d->iommu, d->reset_methods);
	}
	printf("# isolated_msi %d\n", inv->isolated_msi);
	result(inv->n_devices >= 8 && inv->n_groups >= 4 && inv->n_iommus >= 1,
	       "%zu functions, %zu groups, %zu IOMMUs", inv->n_devices,
	       inv->n_groups, inv->n_iommus);
	kernel_inventory_free(inv);
}

/**
 * to_driver() - Switch a function as an operation would
 * @driver:	"" for the kernel's choice
 */
static bool to_driver(const char *bdf, const char *driver)
{
	struct kernel_stuck stuck = { 0 };
	struct kernel_device dev;

	if (k->ops->set_override(k, bdf, driver, TIMEOUT_MS, &stuck, &err) ||
	    k->ops->unbind(k, bdf, TIMEOUT_MS, &stuck, &err) ||
	    k->ops->probe(k, bdf, TIMEOUT_MS, &stuck, &err) ||
	    k->ops->device(k, bdf, &dev, &err))
		return false;

	return !driver[0] || str_eq(dev.driver, driver);
}

/**
 * wait_for() - Wait until a file is there
 */
static bool wait_for(const char *path)
{
	struct timespec step = { .tv_nsec = 50000000 };

	for (int i = 0; i < 400 && access(path, F_OK); i++)
		nanosleep(&step, NULL);

	return !access(path, F_OK);
}

/**
 * disk_of() - Node of an NVMe's disk
 */
static bool disk_of(const char *bdf, char *path, size_t size)
{
	for (int i = 0; i < 4; i++) {
		char sub[128];

		snprintf(sub, sizeof(sub),
			 "/sys/bus/pci/devices/%s/nvme/nvme%d", bdf, i);
		if (access(sub, F_OK))
			continue;
		snprintf(path, size, "/dev/nvme%dn1", i);
		return wait_for(path);
	}

	return false;
}

/**
 * in_use() - Who uses a disk
 */
static void in_use(const char *bdf)
{
	char node[64], where[] = "/tmp/smoke-XXXXXX";
	struct kernel_stuck stuck = { 0 };
	char text[DRIVER_SIZE];
	int ready[2], fd, r;
	pid_t child;
	char c = 0;

	if (!disk_of(bdf, node, sizeof(node))) {
		result(false, "%s has a disk", bdf);
		return;
	}
	r = k->ops->device_users(k, bdf, &err);
	result(!r, "%s is free at first", bdf);

	if (!mkdtemp(where) || mount(node, where, "ext4", 0, NULL)) {
		result(false, "mount %s: %s", node, strerror(errno));
		return;
	}
	r = k->ops->device_users(k, bdf, &err);
	result(r == -EBUSY && caused_by("mount", where), "a mount is named");
	umount(where);
	r = k->ops->device_users(k, bdf, &err);
	result(!r, "free after umount");

	/* in another namespace, by a process */
	r = pipe(ready);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		r = unshare(CLONE_NEWNS) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount(node, where, "ext4", 0, NULL);
		(void)!write(ready[1], r ? "n" : "y", 1);
		pause();
	}
	(void)!read(ready[0], &c, 1);
	r = k->ops->device_users(k, bdf, &err);
	result(c == 'y' && r == -EBUSY && caused_by("mount", where),
	       "a mount in another namespace is named");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	rmdir(where);

	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);
	r = k->ops->device_users(k, bdf, &err);
	result(fd >= 0 && r == -EBUSY && caused_by("block", NULL),
	       "an exclusive open is seen");
	close(fd);

	r = k->ops->get_override(k, bdf, TIMEOUT_MS, text, &stuck, &err);
	result(!r && !text[0], "there is no override");
}

/**
 * vfio() - A function from its driver to VFIO, bound, attached, asked
 */
static void vfio(const char *bdf)
{
	_cleanup_free_ struct kernel_range *ranges = NULL;
	_cleanup_fd_ int cdev = -1, iommufd = -1;
	_cleanup_free_ char(*set)[BDF_SIZE] = NULL;
	uint32_t dev_id = 0, ioas = 0, pt = 0, hwpt;
	struct kernel_hw_info info;
	struct kernel_health health;
	struct kernel_stuck stuck = { 0 };
	struct kernel_device dev;
	uint64_t alignment, start;
	size_t n = 0, n_set = 0;
	char text[DRIVER_SIZE];
	int r;

	result(to_driver(bdf, "vfio-pci"), "%s is with vfio-pci", bdf);
	r = k->ops->get_override(k, bdf, TIMEOUT_MS, text, &stuck, &err);
	result(!r && str_eq(text, "vfio-pci"), "its override is vfio-pci");
	r = k->ops->device(k, bdf, &dev, &err);
	printf("# cdev %s\n", dev.cdev_name);
	result(!r && dev.vfio && dev.cdev, "it has a cdev");
	r = k->ops->cdev_open(k, bdf, &cdev, &err);
	result(!r, "its cdev opens");
	r = k->ops->iommufd_open(k, &iommufd, &err);
	result(!r, "a context opens");
	result(!k->ops->iommufd_rlimit_mode(k, iommufd, &err), "RLIMIT_MODE");
	start = clock_mono_ns();
	r = k->ops->vfio_bind(k, bdf, cdev, iommufd, &dev_id, &err);
	result(!r, "BIND in %u ms",
	       (unsigned int)((clock_mono_ns() - start) / 1000000));
	r = k->ops->ioas_alloc(k, iommufd, &ioas, &err);
	result(!r, "IOAS_ALLOC");
	r = k->ops->ioas_ranges(k, iommufd, ioas, &ranges, &n, &alignment,
				&err);
	result(!r && n == 1 && ranges[0].last == UINT64_MAX,
	       "a space without device is unlimited");
	free(ranges);
	ranges = NULL;
	r = k->ops->vfio_attach(k, cdev, ioas, &pt, &err);
	result(!r, "ATTACH");
	r = k->ops->ioas_ranges(k, iommufd, ioas, &ranges, &n, &alignment,
				&err);
	for (size_t i = 0; !r && i < n; i++)
		printf("# range %" PRIx64 "-%" PRIx64 "\n", ranges[i].start,
		       ranges[i].last);
	result(!r && n >= 1 && alignment, "ranges, aligned to %u",
	       (unsigned int)alignment);

	r = k->ops->hw_info(k, iommufd, dev_id, &info, &err);
	result(!r, "hw_info type %u, %u bytes, capabilities %" PRIx64
	       ", PASID %u", info.type, info.data_len, info.capabilities,
	       info.max_pasid_log2);
	for (uint32_t flags = 0; flags <= 8; flags = flags ? flags << 1 : 1) {
		const struct kernel_hwpt wish = {
			.dev_id = dev_id, .pt_id = ioas, .flags = flags,
		};

		if (flags == UAPI_HWPT_FAULT_ID_VALID)
			continue; /* wants a fault queue */
		r = k->ops->hwpt_alloc(k, iommufd, &wish, &hwpt, &err);
		printf("# hwpt flags %u: %s\n", flags,
		       r ? strerrorname_np(-r) : "ok");
		result(!r || (flags && r == -EOPNOTSUPP),
		       "a page table with flags %u is made or refused", flags);
		if (!r)
			result(!k->ops->destroy(k, iommufd, hwpt, &err),
			       "and destroyed");
	}
	result(k->ops->destroy(k, iommufd, ioas, &err) == -EBUSY,
	       "a space in use is not destroyed");

	r = k->ops->vfio_reset_set(k, cdev, &set, &n_set, &err);
	for (size_t i = 0; !r && i < n_set; i++)
		printf("# resets %s\n", set[i]);
	result(!r, "reset set of %zu", n_set);
	r = k->ops->vfio_reset(k, cdev, &err);
	printf("# reset: %s\n", r ? strerrorname_np(-r) : "ok");
	result(!r || r == -ENOTTY || r == -EINVAL, "a reset answers");
	r = k->ops->vfio_health(k, cdev, &health, &err);
	result(!r && health.vendor == dev.vendor && !health.bar_ones &&
	       health.bar >= 0,
	       "health: %04x:%04x command %04x D%u bar %d%s", health.vendor,
	       health.device, health.command, health.power_state, health.bar,
	       health.bar_ones ? " ones" : "");
	result(!k->ops->cdev_holders(k, bdf, &err),
	       "our own descriptors are no holders");
}

/**
 * stuck() - A driver that does not let go, because of a process
 */
static void stuck(const char *bdf)
{
	struct timespec step = { .tv_nsec = 50000000 };
	struct kernel_stuck stuck = { 0 };
	struct kernel_inventory *inv = NULL;
	char pid[16], c = 0;
	int ready[2], fd, r;
	uint64_t start;
	pid_t child;

	r = pipe(ready);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		r = k->ops->cdev_open(k, bdf, &fd, NULL);
		(void)!write(ready[1], r ? "n" : "y", 1);
		pause();
	}
	(void)!read(ready[0], &c, 1);
	snprintf(pid, sizeof(pid), "%d", (int)child);
	r = k->ops->cdev_holders(k, bdf, &err);
	result(c == 'y' && r == -EBUSY && caused_by("process", pid),
	       "a holder of the cdev is named");
	r = k->ops->device_users(k, bdf, &err);
	result(r == -EBUSY && caused_by("process", pid), "as a user, too");

	start = clock_mono_ns();
	r = k->ops->unbind(k, bdf, 500, &stuck, &err);
	result(r == -ETIMEDOUT && err.kind == ERROR_DEVICE_BLOCKED &&
	       caused_by("process", pid),
	       "unbind is left behind after %u ms, the holder named",
	       (unsigned int)((clock_mono_ns() - start) / 1000000));
	result(stuck.pid && !k->ops->stuck_ended(k, &stuck),
	       "helper %d goes on", (int)stuck.pid);
	start = clock_mono_ns();
	r = k->ops->inventory(k, &inv, &err);
	result(!r, "the inventory is read meanwhile, in %u us",
	       (unsigned int)((clock_mono_ns() - start) / 1000));
	kernel_inventory_free(inv);
	r = k->ops->cdev_holders(k, bdf, &err);
	result(r == -EBUSY && caused_by("process", pid),
	       "the holder is named while the cdev is out of sysfs");

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 400 && !k->ops->stuck_ended(k, &stuck); i++)
		nanosleep(&step, NULL);
	result(k->ops->stuck_ended(k, &stuck) &&
	       waitid(P_PID, (id_t)stuck.pid, &(siginfo_t){ 0 },
		      WEXITED | WNOHANG | __WALL) == -1,
	       "it ends with its holder, and is reaped");
	close(ready[0]);
	close(ready[1]);
}

/**
 * pair() - What EPERM of BIND means
 */
static void pair(const char *bdf, const char *sibling)
{
	_cleanup_fd_ int cdev = -1, iommufd = -1;
	uint32_t dev_id;
	int r;

	result(to_driver(bdf, "vfio-pci") &&
	       to_driver(sibling, "uio_pci_generic"),
	       "%s with vfio-pci, %s with a host driver", bdf, sibling);
	if (k->ops->cdev_open(k, bdf, &cdev, &err) ||
	    k->ops->iommufd_open(k, &iommufd, &err)) {
		result(false, "open");
		return;
	}
	r = k->ops->vfio_bind(k, bdf, cdev, iommufd, &dev_id, &err);
	result(r == -EPERM && err.kind == ERROR_GROUP_NOT_VIABLE &&
	       caused_by("device", sibling),
	       "EPERM of BIND names the sibling");
}

/**
 * network() - A network interface in use
 */
static void network(const char *bdf)
{
	int r;

	r = k->ops->device_users(k, bdf, &err);
	result(!r, "an interface that is down is free");
	r = system("ip link set eth0 up && ip addr add 192.0.2.1/24 dev eth0");
	r = k->ops->device_users(k, bdf, &err);
	result(r == -EBUSY && caused_by("netdev", "eth0"),
	       "one that is up with an address is not");
	r = system("ip addr del 192.0.2.1/24 dev eth0 && "
		   "ip link add br0 type bridge && "
		   "ip link set eth0 master br0");
	r = k->ops->device_users(k, bdf, &err);
	result(r == -EBUSY && caused_by("netdev", "eth0"),
	       "a port of a bridge is not");
	r = system("ip link del br0; ip link set eth0 down; "
		   "ip netns add smoke && ip link set eth0 netns smoke && "
		   "ip netns exec smoke sh -c 'ip addr add 192.0.2.1/24 dev "
		   "eth0; ip link set eth0 up; sleep 30 >/dev/null 2>&1 &'");
	r = k->ops->device_users(k, bdf, &err);
	result(r == -EBUSY && caused_by("netdev", "eth0"),
	       "one in another network namespace is not");
	r = system("ip netns exec smoke ip link set eth0 netns 1; "
		   "ip netns del smoke");
}

int main(void)
{
	const char *edu = getenv("EDU0"), *nvme = getenv("NVME1"),
		   *pair0 = getenv("PAIR0"), *pair1 = getenv("PAIR1"),
		   *net = getenv("NET0");
	int fds = fd_count(), uevents = -1, n = 0;
	struct kernel_uevent event;
	struct kernel_info info;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!edu || !nvme || !pair0 || !pair1 || !net ||
	    access("/sys/kernel/iommu_groups/0", F_OK)) {
		printf("not the test machine, or one without IOMMU\n");
		return 77;
	}
	result(!kernel_real_new("/sys", KERNEL_BACKEND_NONE, &k, &err), "the machine");
	result(!k->ops->info(k, &info, &err) && info.iommufd, "%s",
	       info.release);
	result(!k->ops->uevents(k, &uevents, &err), "uevents");
	inventory();
	in_use(nvme);
	network(net);
	vfio(edu);
	stuck(edu);
	vfio(nvme);
	pair(pair0, pair1);
	result(to_driver(edu, ""), "%s is put back", edu);
	result(to_driver(nvme, ""), "%s is put back", nvme);
	result(to_driver(pair0, "") && to_driver(pair1, ""),
	       "the pair is put back");
	while (!k->ops->uevent_read(k, uevents, &event, &err)) {
		if (n++ < 8)
			printf("# uevent %s %s %s\n", event.action,
			       event.subsystem, event.bdf);
	}
	err = ERROR_NULL;
	result(n > 4, "%d uevents", n);
	close(uevents);
	k->ops->free(k);
	result(fd_count() == fds, "no descriptor is left");
	printf("1..%u\n", count);

	return failures ? 1 : 0;
}
