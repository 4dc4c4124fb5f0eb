/* SPDX-License-Identifier: Apache-2.0
 *
 * kvm-add.c - a holder that gives its device to a virtual machine of KVM
 *
 *	kvm-add LEASE
 *
 * As root, on a kernel with KVM: adds the device before BIND and after it, as
 * happens with a hold lease; sees each refusal; and sees that KVM has the device
 * open when nobody else has. Of a lease with a container it adds the group. A line for each, "was" followed by "as it should"
 * or by what it was instead; the exit status is 0 if all were.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prog.h"

/* KVM_CREATE_VM */
#define CREATE_VM _IO(0xae, 0x01)

static struct ioasid_error err;
static int wrong;

/**
 * expect() - Say whether a call went as it should
 * @what:	The claim
 * @r:		What it returned
 * @error:	What it should have: 0 or an errno
 * @words:	What has to be in the words of a refusal
 */
static void expect(const char *what, int r, int error, const char *words)
{
	bool good = r == -error && (!error || strstr(err.message, words));

	printf("%s: was %s", what, good ? "as it should\n" : "");
	if (!good)
		printf("%d (%s): %s\n", r, strerror(-r), err.message);
	wrong += !good;
}

/* cdev_path() - Where a device's node is */
static void cdev_path(int cdev, char *buf, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", cdev);
	n = readlink(link, buf, size - 1);
	if (n < 0)
		die("%s: %m", link);
	buf[n] = '\0';
}

/* refusals() - What KVM does not take, and what it says */
static void refusals(int vm, int cdev)
{
	int none = -1, second = -1, memfd = memfd_create("none", MFD_CLOEXEC);
	int status;
	pid_t child;

	expect("another device for the same machine",
	       ioasid_kvm_add(vm, &second, cdev, &err), EBUSY, "pass the");
	expect("a machine that is none",
	       ioasid_kvm_add(memfd, &none, cdev, &err), ENOTTY, "no virtual");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		wrong = 0;
		expect("another process's machine",
		       ioasid_kvm_add(vm, &none, cdev, &err), EIO,
		       "another process");
		fflush(stdout);
		_exit(wrong);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		die("fork: %m");
	wrong += status != 0;
	close(memfd);
}

/* stays_open() - What KVM has is bound, whoever has closed it */
static void stays_open(int kvm_device, int cdev, int iommufd)
{
	char path[64];
	int again;

	cdev_path(cdev, path, sizeof(path));
	close(cdev);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again < 0)
		die("%s: %m", path);
	expect("binding what KVM has open",
	       ioasid_cdev_bind(again, iommufd, NULL, &err), EINVAL,
	       "bound already");
	/* It is known by the open file, and this is another one. */
	expect("removing another open of it",
	       ioasid_kvm_remove(kvm_device, again, &err), ENOENT, "not have");
	close(kvm_device);
	expect("binding it when KVM has closed it",
	       ioasid_cdev_bind(again, iommufd, NULL, &err), 0, "");
	close(again);
}

/* group() - Of a lease with a container KVM is told of groups */
static void group(int vm, const struct ioasid_claim *claim)
{
	int kvm_device = -1, fd = claim->groups[0].fd;

	expect("adding a group", ioasid_kvm_add(vm, &kvm_device, fd, &err), 0,
	       "");
	expect("adding it again", ioasid_kvm_add(vm, &kvm_device, fd, &err),
	       EEXIST, "already");
	refusals(vm, fd);
	expect("removing it", ioasid_kvm_remove(kvm_device, fd, &err), 0, "");
	expect("removing it again", ioasid_kvm_remove(kvm_device, fd, &err),
	       ENOENT, "does not have");
	close(kvm_device);
}

int main(int argc, char **argv)
{
	int vm, memfd, kvm_device = -1, none = -1;
	struct ioasid_claim *claim;
	struct ioasid *conn;
	int kvm, cdev;

	if (argc != 2)
		die("kvm-add LEASE");
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm: %m");
	vm = ioctl(kvm, CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM: %m");
	memfd = memfd_create("none", MFD_CLOEXEC);
	conn = connect_daemon();
	claim = claim_lease(conn, argv[1]);
	cdev = claim->devices[0].fd;
	if (claim->backend == IOASID_BACKEND_TYPE1) {
		group(vm, claim);
		goto done;
	}

	expect("a device that is none", ioasid_kvm_add(vm, &none, memfd, &err),
	       EINVAL, "no VFIO device");
	expect("adding before BIND", ioasid_kvm_add(vm, &kvm_device, cdev,
						    &err), 0, "");
	expect("adding again", ioasid_kvm_add(vm, &kvm_device, cdev, &err),
	       EEXIST, "already");
	refusals(vm, cdev);
	expect("BIND", ioasid_cdev_bind(cdev, claim->iommufd, NULL, &err), 0,
	       "");
	expect("removing", ioasid_kvm_remove(kvm_device, cdev, &err), 0, "");
	expect("removing again", ioasid_kvm_remove(kvm_device, cdev, &err),
	       ENOENT, "does not have");
	expect("adding after BIND", ioasid_kvm_add(vm, &kvm_device, cdev,
						   &err), 0, "");
	claim->devices[0].fd = -1;
	stays_open(kvm_device, cdev, claim->iommufd);

done:
	ioasid_claim_free(claim);
	ioasid_disconnect(conn);
	return wrong != 0;
}
