/* SPDX-License-Identifier: Apache-2.0
 *
 * test-uevent.c - announcements of the kernel, whole and malformed, and that
 *		   nobody else's are taken
 */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/uevent.h"

/* A string constant with its NULs as a message; the last one is added. */
#define PARSE(message, ret) uevent_parse(message, sizeof(message), ret)

#define PORT "/devices/pci0000:00/0000:00:10.0/"

static void a_function_is_named_by_slot_or_path(void **state)
{
	struct kernel_uevent e;

	assert_int_equal(PARSE("bind@" PORT "0000:01:00.0\0ACTION=bind\0"
			       "DEVPATH=" PORT "0000:01:00.0\0SUBSYSTEM=pci\0"
			       "DRIVER=vfio-pci\0PCI_CLASS=FF00\0"
			       "PCI_SLOT_NAME=0000:01:00.0\0SEQNUM=4711", &e),
			 0);
	assert_false(e.rescan);
	assert_string_equal(e.action, "bind");
	assert_string_equal(e.subsystem, "pci");
	assert_string_equal(e.bdf, "0000:01:00.0");

	assert_int_equal(PARSE("add@x\0ACTION=add\0DEVPATH=" PORT
			       "0000:01:00.0/vfio-dev/vfio0\0"
			       "SUBSYSTEM=vfio-dev\0MAJOR=511\0MINOR=0", &e),
			 0);
	assert_string_equal(e.subsystem, "vfio-dev");
	assert_string_equal(e.bdf, "0000:01:00.0");

	assert_int_equal(PARSE("add@x\0ACTION=add\0SUBSYSTEM=iommu\0DEVPATH="
			       PORT "virtio0/iommu/0000:00:10.0", &e), 0);
	assert_string_equal(e.bdf, "");
}

static void what_does_not_concern_us_is_passed_over(void **state)
{
	struct kernel_uevent e = { .action = "untouched" };

	assert_int_equal(PARSE("add@/x\0ACTION=add\0DEVPATH=/x\0"
			       "SUBSYSTEM=block", &e), -ENOMSG);
	assert_int_equal(PARSE("add@/x\0ACTION=add\0DEVPATH=/x\0"
			       "SUBSYSTEM=pci_express", &e), -ENOMSG);
	assert_string_equal(e.action, "untouched");
}

static void malformed_messages_are_refused(void **state)
{
	static const char open_end[] = "add@/x\0ACTION=add\0DEVPATH=/x\0"
		"SUBSYSTEM=pci";
	static char many[65536];
	struct kernel_uevent e = { .action = "untouched" };

	assert_int_equal(uevent_parse("", 0, &e), -EBADMSG);
	assert_int_equal(uevent_parse("", 1, &e), -EBADMSG);
	assert_int_equal(PARSE("no header", &e), -EBADMSG);
	assert_int_equal(PARSE("add@/x", &e), -EBADMSG);
	/* the last string has no end */
	assert_int_equal(uevent_parse(open_end, sizeof(open_end) - 1, &e),
			 -EBADMSG);
	/* no action, no path, no subsystem */
	assert_int_equal(PARSE("add@/x\0DEVPATH=/x\0SUBSYSTEM=pci", &e),
			 -EBADMSG);
	assert_int_equal(PARSE("add@/x\0ACTION=add\0SUBSYSTEM=pci", &e),
			 -EBADMSG);
	assert_int_equal(PARSE("add@/x\0ACTION=add\0DEVPATH=/x", &e), -EBADMSG);
	/* no action that there is room for, no address */
	assert_int_equal(PARSE("a@\0ACTION=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"
			       "DEVPATH=/\0SUBSYSTEM=pci", &e), -EBADMSG);
	assert_int_equal(PARSE("a@\0ACTION=add\0DEVPATH=/\0SUBSYSTEM=pci\0"
			       "PCI_SLOT_NAME=../../etc", &e), -EBADMSG);
	assert_int_equal(PARSE("a@\0ACTION=\0DEVPATH=\0SUBSYSTEM=\0PCI_SLOT_",
			       &e), -ENOMSG);
	assert_int_equal(uevent_parse(many, sizeof(many), &e), -EBADMSG);
	memset(many, '@', sizeof(many) - 1);
	assert_int_equal(uevent_parse(many, sizeof(many), &e), -EBADMSG);
	assert_string_equal(e.action, "untouched");
}

static void every_cut_and_every_flip_is_survived(void **state)
{
	static const char good[] = "bind@" PORT "0000:01:00.0\0ACTION=bind\0"
		"DEVPATH=" PORT "0000:01:00.0\0SUBSYSTEM=pci\0"
		"PCI_SLOT_NAME=0000:01:00.0\0SEQNUM=4711";
	struct kernel_uevent e;

	for (size_t n = 0; n <= sizeof(good); n++) {
		char *copy = malloc(n ? n : 1); /* so that ASan sees its end */

		memcpy(copy, good, n);
		(void)uevent_parse(copy, n, &e);
		for (size_t i = 0; i < n; i++) {
			copy[i] = (char)(copy[i] ^ (1 << i % 8));
			(void)uevent_parse(copy, n, &e);
			copy[i] = good[i];
		}
		free(copy);
	}
}

/* Send a message that looks like the kernel's to a uevent socket. */
static int forge(int to, uint32_t groups)
{
	static const char message[] = "remove@x\0ACTION=remove\0DEVPATH=" PORT
		"0000:01:00.0\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0000:01:00.0";
	struct sockaddr_nl address;
	socklen_t size = sizeof(address);
	_cleanup_fd_ int fd = -1;

	assert_int_equal(getsockname(to, (struct sockaddr *)&address, &size),
			 0);
	address.nl_groups = groups;
	if (groups)
		address.nl_pid = 0;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
		    NETLINK_KOBJECT_UEVENT);
	assert_true(fd >= 0);

	return sendto(fd, message, sizeof(message), 0,
		      (struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

static void only_the_kernel_is_believed(void **state)
{
	struct kernel_uevent e = { .action = "untouched" };
	struct error err = ERROR_NULL;
	_cleanup_fd_ int fd = -1;
	int r;

	if (uevent_open(&fd, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(forge(fd, 0), 0); /* to us alone */
	r = forge(fd, 1); /* to the kernel's group: root may */
	if (r)
		print_message("not allowed to send to the group: %d\n", r);

	/* A real one may come at any time; it is not this one. */
	while (!(r = uevent_next(fd, &e, &err)))
		assert_string_not_equal(e.bdf, "0000:01:00.0");
	assert_int_equal(r, -EAGAIN);
}

static void lost_messages_mean_to_rescan(void **state)
{
	struct kernel_uevent e = { 0 };
	struct error err = ERROR_NULL;
	_cleanup_fd_ int fd = -1;
	int small = 1, r;

	if (uevent_open(&fd, &err))
		fail_msg("%s", err.msg);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 100; i++) {
		r = forge(fd, 1);
		if (r == -EPERM)
			skip(); /* only root fills another's buffer */
	}

	for (;;) {
		r = uevent_next(fd, &e, &err);
		if (r == -EAGAIN)
			fail_msg("no word of what was lost");
		assert_int_equal(r, 0);
		if (e.rescan)
			break;
	}
	assert_string_equal(e.bdf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_named_by_slot_or_path),
		cmocka_unit_test(what_does_not_concern_us_is_passed_over),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(every_cut_and_every_flip_is_survived),
		cmocka_unit_test(only_the_kernel_is_believed),
		cmocka_unit_test(lost_messages_mean_to_rescan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
