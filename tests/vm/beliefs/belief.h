/* SPDX-License-Identifier: Apache-2.0
 *
 * belief.h - what the small programs in this folder share
 *
 * DOC: Theory of Operation
 *
 * Each program here is named for one thing that ioasidd believes of the kernel,
 * and asks the kernel whether it is still so: exit 0 if it is, 1 with words if
 * it has changed, 2 if the machine is not one to ask on, 77 if it cannot be
 * asked here. They use the kernel and nothing of the daemon but uapi.h. They
 * take devices by the names of the test machine's environment (EDU0, PAIR1) and
 * put them back when they end, however they end.
 */
#ifndef TESTS_VM_BELIEFS_BELIEF_H
#define TESTS_VM_BELIEFS_BELIEF_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/uapi.h"

#define PAGE 4096UL
#define DEVICES "/sys/bus/pci/devices/"

/* --- verdicts --- */

/**
 * changed() - The kernel believes something else now; does not return
 */
__attribute__((noreturn, format(printf, 1, 2))) static inline void
changed(const char *fmt, ...)
{
	va_list args;

	printf("no longer so: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

/**
 * broken() - The machine is not one to ask on; does not return
 */
__attribute__((noreturn, format(printf, 1, 2))) static inline void
broken(const char *fmt, ...)
{
	va_list args;

	printf("cannot ask: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(2);
}

/**
 * skipped() - There is no such thing on this machine; does not return
 */
__attribute__((noreturn)) static inline void skipped(const char *why)
{
	printf("%s\n", why);
	exit(77);
}

/**
 * believe() - The belief: a call gives what it always gave
 * @what:	The call, in words
 * @got:	0 or -errno
 * @expected:	Likewise
 */
static inline void believe(const char *what, int got, int expected)
{
	if (got != expected)
		changed("%s gives %s, not %s", what,
			got < 0 ? strerrorname_np(-got) : "success",
			expected < 0 ? strerrorname_np(-expected) : "success");
}

/**
 * need() - A call that is not the belief itself has to work
 */
static inline void need(const char *what, int got)
{
	if (got < 0)
		broken("%s: %s", what, strerror(-got));
}

/* --- sysfs --- */

/**
 * try_write() - Write a string to a file
 *
 * Return: 0 or -errno.
 */
static inline int try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);

	return r;
}

/**
 * try_read() - Read a file, without the newline at its end
 *
 * Return: 0 or -errno.
 */
static inline int try_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';

	return 0;
}

/**
 * of() - A file of a device, until of() was called four times more
 */
static inline const char *of(const char *bdf, const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), DEVICES "%s/%s", bdf, name);

	return path;
}

/**
 * driver_of() - Name of a device's driver; empty if none
 */
static inline const char *driver_of(const char *bdf)
{
	static char target[256];
	ssize_t n = readlink(of(bdf, "driver"), target, sizeof(target) - 1);
	char *name;

	if (n < 0)
		return "";
	target[n] = '\0';
	name = strrchr(target, '/');

	return name ? name + 1 : target;
}

/**
 * device() - PCI address of a device of the test machine
 * @name:	"EDU0", in the environment
 *
 * Skips the program if it is not there, or not behind an IOMMU.
 */
static inline const char *device(const char *name)
{
	const char *bdf = getenv(name);
	static char why[64];

	if (!bdf) {
		snprintf(why, sizeof(why), "no %s on this machine", name);
		skipped(why);
	}
	if (access(of(bdf, "iommu_group"), F_OK)) {
		snprintf(why, sizeof(why), "%s has no IOMMU here", name);
		skipped(why);
	}

	return bdf;
}

/**
 * try_switch() - Give a device to a driver
 * @driver:	For driver_override; NULL for whichever the kernel finds
 *
 * Return: what drivers_probe said, 0 or -errno.
 */
static inline int try_switch(const char *bdf, const char *driver)
{
	(void)try_write(of(bdf, "driver/unbind"), bdf); /* it may have none */
	need("write driver_override",
	     try_write(of(bdf, "driver_override"), driver ? driver : "\n"));

	return try_write("/sys/bus/pci/drivers_probe", bdf);
}

/* What was taken, to be put back. */
static const char *taken[8];
static unsigned int n_taken;
static pid_t taker;

/**
 * put_back() - Give every device back to its driver; for atexit(3)
 *
 * Our own descriptors first: unbind would wait for them, for good.
 */
static inline void put_back(void)
{
	if (getpid() != taker)
		return;
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	while (n_taken)
		(void)try_switch(taken[--n_taken], NULL);
}

/**
 * end_now() - Put back on a signal, too: a program that hangs is ended by one
 */
static inline void end_now(int signo)
{
	printf("ended by signal %d\n", signo);
	exit(1);
}

/**
 * take() - Give a device to a driver until the program ends
 * @driver:	"vfio-pci", or "" for none
 */
static inline void take(const char *bdf, const char *driver)
{
	if (!n_taken) {
		taker = getpid();
		atexit(put_back);
		signal(SIGTERM, end_now);
		signal(SIGALRM, end_now);
		alarm(120);
	}
	taken[n_taken++] = bdf;
	if (driver[0])
		need("probe", try_switch(bdf, driver));
	else
		(void)try_write(of(bdf, "driver/unbind"), bdf);
	if (strcmp(driver_of(bdf), driver))
		broken("%s is with driver '%s', not '%s'", bdf, driver_of(bdf),
		       driver);
}

/**
 * cdev_path() - Path of a device's VFIO cdev, until the next call
 *
 * Return: the path; NULL if it has none.
 */
static inline const char *cdev_path(const char *bdf)
{
	static char path[300];
	struct dirent *e;
	DIR *dir = opendir(of(bdf, "vfio-dev"));

	if (!dir)
		return NULL;
	while ((e = readdir(dir)) && e->d_name[0] == '.')
		;
	if (e)
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", e->d_name);
	closedir(dir);

	return e ? path : NULL;
}

/**
 * open_cdev() - Open a device's VFIO cdev
 */
static inline int open_cdev(const char *bdf)
{
	const char *path = cdev_path(bdf);
	int fd;

	if (!path)
		broken("%s has no VFIO cdev", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		broken("open %s: %s", path, strerror(errno));

	return fd;
}

/* --- calls: 0 or -errno --- */

/**
 * call() - ioctl(2) with one sign for errors
 */
static inline int call(int fd, unsigned long number, void *cmd)
{
	return ioctl(fd, number, cmd) < 0 ? -errno : 0;
}

/**
 * open_iommufd() - Make a context
 */
static inline int open_iommufd(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		broken("open /dev/iommu: %s", strerror(errno));

	return fd;
}

/**
 * try_bind() - VFIO_DEVICE_BIND_IOMMUFD
 * @ret_id:	May be NULL
 */
static inline int try_bind(int cdev, int iommufd, uint32_t *ret_id)
{
	struct uapi_device_bind_iommufd cmd = { .argsz = sizeof(cmd),
						.iommufd = iommufd };
	int r = call(cdev, UAPI_DEVICE_BIND_IOMMUFD, &cmd);

	if (!r && ret_id)
		*ret_id = cmd.out_devid;

	return r;
}

/**
 * try_attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT
 */
static inline int try_attach(int cdev, uint32_t pt_id)
{
	struct uapi_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd),
						     .pt_id = pt_id };

	return call(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

/**
 * try_detach() - VFIO_DEVICE_DETACH_IOMMUFD_PT
 */
static inline int try_detach(int cdev)
{
	struct uapi_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return call(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

/**
 * new_ioas() - IOMMU_IOAS_ALLOC
 *
 * Return: its id.
 */
static inline uint32_t new_ioas(int iommufd)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	need("IOMMU_IOAS_ALLOC", call(iommufd, UAPI_IOAS_ALLOC, &cmd));

	return cmd.out_ioas_id;
}

/**
 * try_destroy() - IOMMU_DESTROY
 */
static inline int try_destroy(int iommufd, uint32_t id)
{
	struct uapi_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(iommufd, UAPI_DESTROY, &cmd);
}

#define MAP_RW (UAPI_IOAS_MAP_READABLE | UAPI_IOAS_MAP_WRITEABLE)
#define MAP_RW_FIXED (MAP_RW | UAPI_IOAS_MAP_FIXED_IOVA)

/**
 * try_map() - IOMMU_IOAS_MAP, readable and writeable, at a fixed address
 */
static inline int try_map(int iommufd, uint32_t ioas, void *va, uint64_t length,
			  uint64_t iova)
{
	struct uapi_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW_FIXED,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, UAPI_IOAS_MAP, &cmd);
}

/**
 * try_map_file() - IOMMU_IOAS_MAP_FILE of the beginning of a file, likewise
 */
static inline int try_map_file(int iommufd, uint32_t ioas, int fd,
			       uint64_t length, uint64_t iova)
{
	struct uapi_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW_FIXED,
		.ioas_id = ioas,
		.fd = fd,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, UAPI_IOAS_MAP_FILE, &cmd);
}

/**
 * try_unmap_all() - IOMMU_IOAS_UNMAP of everything
 */
static inline int try_unmap_all(int iommufd, uint32_t ioas)
{
	struct uapi_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = ioas,
				       .iova = 0, .length = UINT64_MAX };

	return call(iommufd, UAPI_IOAS_UNMAP, &cmd);
}

/**
 * pages() - Memory of this process, to be mapped
 */
static inline void *pages(size_t length)
{
	void *va = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (va == MAP_FAILED)
		broken("mmap: %s", strerror(errno));

	return va;
}

/* --- other processes --- */

/**
 * start() - A child that dies with us
 *
 * Return: as fork(2).
 */
static inline pid_t start(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		broken("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_DFL);
		alarm(0);
	}

	return pid;
}

/**
 * ended() - Has a child ended within a time?
 * @ret:	Its exit status
 */
static inline bool ended(pid_t pid, unsigned int ms, int *ret)
{
	struct timespec step = { .tv_nsec = 10000000 };
	int status;

	for (unsigned int i = 0; i <= ms / 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			*ret = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			return true;
		}
		nanosleep(&step, NULL);
	}

	return false;
}

/**
 * start_unbind() - A child that takes the driver off a device
 *
 * It holds nothing but what it needs: it must not hold what it waits for.
 *
 * Return: its pid; it exits with the errno.
 */
static inline pid_t start_unbind(const char *bdf)
{
	pid_t pid = start();

	if (pid)
		return pid;
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	_exit(-try_write(of(bdf, "driver/unbind"), bdf));
}

/* --- edu, the DMA engine: docs/specs/edu of QEMU --- */

#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_BUFFER 0x40000
#define EDU_TO_MEMORY 2

/**
 * struct edu - A bound edu
 * @fd:		Its cdev
 * @bar:	Where its registers are in it
 */
struct edu {
	int fd;
	off_t bar;
};

/**
 * region_offset() - VFIO_DEVICE_GET_REGION_INFO
 *
 * Return: where the region begins.
 */
static inline off_t region_offset(int cdev, uint32_t index)
{
	struct uapi_region_info cmd = { .argsz = sizeof(cmd), .index = index };

	need("VFIO_DEVICE_GET_REGION_INFO",
	     call(cdev, UAPI_DEVICE_GET_REGION_INFO, &cmd));

	return (off_t)cmd.offset;
}

/**
 * edu_open() - Make a bound edu ready for DMA
 *
 * Skips the program where the emulated IOMMU does not translate: AMD's of QEMU
 * 10, for which the test machine has no root ports.
 */
static inline struct edu edu_open(int cdev)
{
	off_t config = region_offset(cdev, UAPI_PCI_CONFIG_REGION_INDEX);
	struct edu edu = {
		.fd = cdev,
		.bar = region_offset(cdev, UAPI_PCI_BAR0_REGION_INDEX),
	};
	uint16_t command = 0x0006; /* memory, bus master */
	const char *iommu = getenv("IOMMU");
	uint32_t id = 0;

	if (iommu && !strcmp(iommu, "amd") && !getenv("EDU0_PORT"))
		skipped("this emulated IOMMU does not translate");
	if (pwrite(cdev, &command, 2, config + 4) != 2 ||
	    pread(cdev, &id, 4, edu.bar) != 4 || (id & 0xffff) != 0x00ed)
		broken("this is no edu: 0x%x", id);

	return edu;
}

/**
 * edu_dma() - Let edu copy, and wait for it
 */
static inline void edu_dma(const struct edu *edu, uint64_t from, uint64_t to,
			   uint64_t count, uint64_t direction)
{
	const uint64_t order[][2] = { { EDU_SOURCE, from }, { EDU_TARGET, to },
				      { EDU_COUNT, count },
				      { EDU_COMMAND, 1 | direction } };
	struct timespec step = { .tv_nsec = 10000000 };
	uint64_t command = 1;

	for (size_t i = 0; i < 4; i++)
		if (pwrite(edu->fd, &order[i][1], 8,
			   edu->bar + (off_t)order[i][0]) != 8)
			broken("write to edu: %s", strerror(errno));
	for (int i = 0; i < 500 && command & 1; i++) {
		nanosleep(&step, NULL);
		if (pread(edu->fd, &command, 8, edu->bar + EDU_COMMAND) != 8)
			broken("read from edu: %s", strerror(errno));
	}
	if (command & 1)
		broken("edu does not finish");
}

/**
 * edu_copy() - Let edu copy from one I/O address to another
 */
static inline void edu_copy(const struct edu *edu, uint64_t from, uint64_t to,
			    uint64_t count)
{
	edu_dma(edu, from, EDU_BUFFER, count, 0);
	edu_dma(edu, EDU_BUFFER, to, count, EDU_TO_MEMORY);
}

#endif
