/* SPDX-License-Identifier: Apache-2.0
 *
 * test-users.c - who uses a function: on a folder that looks like sysfs, with
 *		  real mounts, descriptors and processes below it where we may
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/holders.h"
#include "kernel/kernel.h"
#include "kernel/users.h"
#include "tree.h"

#define BDF "0000:03:00.0"
#define D "bus/pci/devices/" BDF "/"

struct machine {
	struct tree tree;
	struct kernel *k;
	int fds;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct error err = ERROR_NULL;

	m->fds = fd_count();
	tree_make(&m->tree);
	tree_file(&m->tree, D "modalias",
		  "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02");
	tree_link(&m->tree, D "subsystem", "../../../bus/pci");
	if (kernel_real_new(m->tree.path, KERNEL_BACKEND_NONE, &m->k,
			    &err))
		fail_msg("%s", err.msg);
	*state = m;

	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	m->k->ops->free(m->k);
	tree_remove(&m->tree);
	assert_int_equal(fd_count(), m->fds);
	free(m);

	return 0;
}

/* Make a device below the function: @path relative to it. */
static void add_device(struct machine *m, const char *path,
		       const char *subsystem, dev_t number)
{
	char full[512], text[64];

	snprintf(full, sizeof(full), D "%s/subsystem", path);
	snprintf(text, sizeof(text), "../../class/%s", subsystem);
	tree_link(&m->tree, full, text);
	if (!number)
		return;
	snprintf(full, sizeof(full), D "%s/dev", path);
	snprintf(text, sizeof(text), "%u:%u", major(number), minor(number));
	tree_file(&m->tree, full, text);
}

/* Is there a cause with that kind and name? */
static const struct error_cause *cause(const struct error *err,
				       const char *kind, const char *name)
{
	for (size_t i = 0; i < err->n_causes; i++)
		if (str_eq(err->causes[i].kind, kind) &&
		    (!name || str_eq(err->causes[i].name, name)))
			return &err->causes[i];

	return NULL;
}

static int users(struct machine *m, struct error *err)
{
	*err = ERROR_NULL;

	return m->k->ops->device_users(m->k, BDF, err);
}

static void a_function_without_children_is_free(void **state)
{
	struct error err;

	assert_int_equal(users(*state, &err), 0);
	assert_int_equal(err.kind, ERROR_NONE);
}

static void vfs_use_their_pf(void **state)
{
	struct machine *m = *state;
	struct error err;

	tree_link(&m->tree, D "virtfn0", "../0000:03:00.1");
	tree_link(&m->tree, D "virtfn1", "../0000:03:00.2");
	assert_int_equal(users(m, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_DEVICE_IN_USE);
	assert_int_equal(err.n_causes, 2);
	assert_non_null(cause(&err, "device", "0000:03:00.2"));
}

static void a_holder_of_a_partition_is_named(void **state)
{
	struct machine *m = *state;
	struct error err;

	add_device(m, "nvme/nvme0", "nvme", 0);
	add_device(m, "nvme/nvme0/nvme0n1", "block", makedev(7, 4000));
	add_device(m, "nvme/nvme0/nvme0n1/nvme0n1p1", "block",
		   makedev(7, 4001));
	tree_folder(&m->tree, "class/block/nvme0n1p1/holders/dm-3");
	tree_file(&m->tree, "class/block/dm-3/dm/name", "vg0-data");
	assert_int_equal(users(m, &err), -EBUSY);
	assert_int_equal(err.n_causes, 1);
	assert_non_null(cause(&err, "holder", "dm-3"));
	assert_string_equal(err.causes[0].detail,
			    "is made of nvme0n1p1, is called vg0-data");
}

static void a_namespace_with_several_paths_is_followed(void **state)
{
	struct machine *m = *state;
	struct error err;

	/* the hidden path below the controller has no node */
	add_device(m, "nvme/nvme0/nvme0c0n1", "block", 0);
	tree_link(&m->tree, "class/block/nvme0n1/subsystem", "../block");
	tree_file(&m->tree, "class/block/nvme0n1/dev", "7:4000");
	tree_folder(&m->tree, "class/block/nvme0n1/holders/md0");
	assert_int_equal(users(m, &err), -EBUSY);
	assert_non_null(cause(&err, "holder", "md0"));
}

static void another_function_below_is_not_asked(void **state)
{
	struct machine *m = *state;
	struct error err;

	add_device(m, "0000:04:00.0", "pci", 0);
	add_device(m, "0000:04:00.0/block/sda", "block", makedev(7, 4000));
	tree_folder(&m->tree, "class/block/sda/holders/dm-0");
	assert_int_equal(users(m, &err), 0);
}

/* Start a process that has a node open, or mapped; ended by reap(). */
static pid_t hold(const char *path, bool map)
{
	int ready[2];
	pid_t child;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, O_RDWR);

		if (map && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				fd, 0) != MAP_FAILED)
			close(fd);
		(void)!write(ready[1], fd < 0 ? "n" : "y", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(ready[0]);
	close(ready[1]);

	return child;
}

static void reap(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* /dev/full stands for a node: nothing else on a host has it open. */
static void processes_with_a_node_open_are_named(void **state)
{
	struct machine *m = *state;
	char pid[16];
	struct error err;
	pid_t child;

	add_device(m, "uio/uio0", "uio", makedev(1, 7));
	assert_int_equal(users(m, &err), 0);

	child = hold("/dev/full", false);
	snprintf(pid, sizeof(pid), "%d", (int)child);
	assert_int_equal(users(m, &err), -EBUSY);
	assert_non_null(cause(&err, "process", pid));
	assert_non_null(strstr(cause(&err, "process", pid)->detail,
			       "test-users has uio uio0 open"));
	reap(child);
	assert_int_equal(users(m, &err), 0);
}

static void our_own_descriptors_do_not_count(void **state)
{
	struct machine *m = *state;
	_cleanup_fd_ int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct error err;

	assert_true(fd >= 0);
	add_device(m, "uio/uio0", "uio", makedev(1, 7));
	assert_int_equal(users(m, &err), 0);
}

static void holders_of_a_cdev_are_named(void **state)
{
	struct machine *m = *state;
	struct error err = ERROR_NULL;
	char pid[16];
	pid_t child;

	tree_link(&m->tree, D "driver", "../vfio-pci");
	tree_file(&m->tree, D "vfio-dev/vfio3/dev", "1:7");
	assert_int_equal(m->k->ops->cdev_holders(m->k, BDF, &err), 0);

	child = hold("/dev/full", false);
	snprintf(pid, sizeof(pid), "%d", (int)child);
	assert_int_equal(m->k->ops->cdev_holders(m->k, BDF, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_DEVICE_HELD);
	assert_non_null(cause(&err, "process", pid));
	assert_non_null(strstr(err.causes[0].detail,
			       "/dev/vfio/devices/vfio3"));
	reap(child);
}

/* As descriptors of a simulated machine are. */
static void holders_of_a_socket_are_named_once(void **state)
{
	_cleanup_fd_ int proc = open("/proc", O_RDONLY | O_CLOEXEC);
	_cleanup_nodes_ struct nodes nodes = NODES_NULL;
	struct error found, err;
	struct stat st;
	pid_t children[2];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (int i = 0; i < 2; i++) {
		fstat(ends[i], &st);
		nodes_add_socket(&nodes, st.st_ino, "/dev/vfio/devices/vfio0");
	}
	error_set(&found, -EBUSY, ERROR_DEVICE_HELD, "held");
	/* We have them, and do not count. */
	assert_int_equal(holders_find(proc, &nodes, &found, &err), 0);
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			if (i == 1)
				close(ends[0]);
			pause();
		}
	}
	usleep(100000);
	close(ends[0]);
	close(ends[1]);
	/* One has both ends, the other has one. */
	assert_int_equal(holders_find(proc, &nodes, &found, &err), 2);
	assert_int_equal(found.n_causes, 2);
	assert_non_null(strstr(found.causes[0].detail,
			       "has /dev/vfio/devices/vfio0 open"));
	reap(children[0]);
	reap(children[1]);
	assert_int_equal(holders_find(proc, &nodes, &found, &err), 0);
}

static void holders_of_a_group_are_named(void **state)
{
	struct machine *m = *state;
	struct error err = ERROR_NULL;
	pid_t child;

	tree_link(&m->tree, D "driver", "../vfio-pci");
	tree_link(&m->tree, D "iommu_group", "../../iommu_groups/12");
	tree_file(&m->tree, "class/vfio/12/dev", "1:7");
	assert_int_equal(m->k->ops->cdev_holders(m->k, BDF, &err), 0);
	child = hold("/dev/full", false);
	assert_int_equal(m->k->ops->cdev_holders(m->k, BDF, &err), -EBUSY);
	assert_non_null(strstr(err.causes[0].detail, "/dev/vfio/12"));
	reap(child);
}

static void mountinfo_is_understood(void **state)
{
	char text[] =
		"21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
		"22 21 259:3 / /srv/with\\040space rw - xfs /dev/nvme0n1p1 rw\n"
		"23 21 0:30 / /none rw - btrfs /nowhere rw\n"
		"24 21 259:3\n"
		"\n"
		"x y z\n"
		"25 21 259:4 /a /b rw";
	const dev_t disks[] = { makedev(259, 3), makedev(259, 4) };
	struct error found;

	error_set(&found, -EBUSY, ERROR_DEVICE_IN_USE, "in use");
	assert_int_equal(users_mounts(text, disks, 2, "mnt:[1]", &found), 2);
	assert_string_equal(found.causes[0].name, "/srv/with space");
	assert_string_equal(found.causes[0].detail,
			    "/dev/nvme0n1p1 is mounted in mount namespace "
			    "mnt:[1]");
	assert_string_equal(found.causes[1].name, "/b");
}

/* A loop device on a file, to be mounted or claimed. */
struct loop {
	char file[64], node[32];
	dev_t number;
	int fd;
};

/* Return: false where there are no loop devices for us. */
static bool loop_make(struct loop *l)
{
	_cleanup_fd_ int control = -1, file = -1;
	struct stat st;
	int n;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return false;
	strcpy(l->file, "/tmp/ioasidd-loop-XXXXXX");
	file = mkstemp(l->file);
	if (file < 0 || ftruncate(file, 4 << 20))
		abort();
	n = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(l->node, sizeof(l->node), "/dev/loop%d", n);
	l->fd = n < 0 ? -1 : open(l->node, O_RDWR | O_CLOEXEC);
	if (l->fd < 0 || ioctl(l->fd, LOOP_SET_FD, file) || fstat(l->fd, &st)) {
		unlink(l->file);
		fd_close(l->fd);
		return false;
	}
	l->number = st.st_rdev;

	return true;
}

static void loop_end(struct loop *l)
{
	ioctl(l->fd, LOOP_CLR_FD);
	close(l->fd);
	unlink(l->file);
}

static void an_exclusive_open_is_seen(void **state)
{
	struct machine *m = *state;
	_cleanup_fd_ int claim = -1;
	struct error err;
	struct loop l;

	if (!loop_make(&l))
		skip();
	/* a name that no node in /dev has: one is made */
	add_device(m, "nvme/nvme9/nvme9n9", "block", l.number);
	assert_int_equal(users(m, &err), 0);
	claim = open(l.node, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(claim >= 0);
	assert_int_equal(users(m, &err), -EBUSY);
	assert_non_null(cause(&err, "block", "nvme9n9"));
	claim = fd_close(claim);

	/* a name that a node has */
	add_device(m, "block/none", "block", 0);
	assert_int_equal(users(m, &err), 0);
	loop_end(&l);
}

static void writers_of_a_disk_are_named_readers_are_not(void **state)
{
	struct machine *m = *state;
	struct error err;
	struct loop l;
	pid_t child;

	if (!loop_make(&l))
		skip();
	add_device(m, "nvme/nvme9/nvme9n9", "block", l.number);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(l.fd); /* it is open for writing */
		(void)open(l.node, O_RDONLY);
		pause();
	}
	usleep(100000);
	assert_int_equal(users(m, &err), 0);
	reap(child);

	child = hold(l.node, false);
	assert_int_equal(users(m, &err), -EBUSY);
	assert_non_null(cause(&err, "process", NULL));
	reap(child);
	loop_end(&l);
}

/* A child with a mount namespace of its own mounts the disk there; tells by a
 * byte that it is done: 'y', or 'n' if it cannot.
 */
static void mount_elsewhere(const struct loop *l, const char *where, int ready)
{
	char command[256];

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		goto out;
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F %s "
		 ">/dev/null 2>&1",
		 l->node);
	if (system(command) || mount(l->node, where, "ext4", 0, NULL))
		goto out;
	(void)!write(ready, "y", 1);
	pause();
out:
	(void)!write(ready, "n", 1);
	_exit(0);
}

static void a_mount_in_another_namespace_is_seen(void **state)
{
	struct machine *m = *state;
	const struct error_cause *mounted;
	int ready[2];
	struct error err;
	struct loop l;
	pid_t child;
	char c;

	if (!loop_make(&l))
		skip();
	add_device(m, "nvme/nvme9/nvme9n9", "block", l.number);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (!child && !prctl(PR_SET_PDEATHSIG, SIGKILL))
		mount_elsewhere(&l, m->tree.path, ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	if (c == 'y') {
		assert_int_equal(users(m, &err), -EBUSY);
		mounted = cause(&err, "mount", m->tree.path);
		assert_non_null(mounted);
		assert_non_null(strstr(mounted->detail,
				       "mount namespace mnt:"));
	}
	reap(child);
	close(ready[0]);
	close(ready[1]);
	loop_end(&l);
	if (c != 'y')
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		test(a_function_without_children_is_free),
		test(vfs_use_their_pf),
		test(a_holder_of_a_partition_is_named),
		test(a_namespace_with_several_paths_is_followed),
		test(another_function_below_is_not_asked),
		test(processes_with_a_node_open_are_named),
		test(our_own_descriptors_do_not_count),
		test(holders_of_a_cdev_are_named),
		test(holders_of_a_socket_are_named_once),
		test(holders_of_a_group_are_named),
		test(mountinfo_is_understood),
		test(an_exclusive_open_is_seen),
		test(writers_of_a_disk_are_named_readers_are_not),
		test(a_mount_in_another_namespace_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
