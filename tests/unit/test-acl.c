/* SPDX-License-Identifier: Apache-2.0
 *
 * test-acl.c - lists of who may open a node: an entry more, an entry less, and
 *		nothing else changed, in bytes and in what the kernel makes of them
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/acl.h"
#include "kernel/node.h"

#define USER 1000
#define R 4
#define RW 6
#define USER_OBJ 0x01
#define NAMED 0x02
#define GROUP_OBJ 0x04
#define GROUP 0x08
#define MASK 0x10
#define OTHER 0x20
#define ALL UINT32_MAX

/**
 * put() - Append an entry, written here by hand, to a list
 * @acl:	The list; {0} for a new one
 * @tag:	Of the entry, as are @perm and @id
 */
static void put(struct acl *acl, unsigned int tag, unsigned int perm,
		uint32_t id)
{
	const uint8_t entry[8] = {
		(uint8_t)tag, 0, (uint8_t)perm, 0, (uint8_t)id,
		(uint8_t)(id >> 8), (uint8_t)(id >> 16), (uint8_t)(id >> 24),
	};

	if (!acl->size) {
		acl->bytes[0] = 2; /* the version */
		acl->size = 4;
	}
	memcpy(acl->bytes + acl->size, entry, sizeof(entry));
	acl->size += sizeof(entry);
}

/* What udev or an administrator may have set: a user, a group, a mask. */
static struct acl named(unsigned int mask)
{
	struct acl acl = { .size = 0 };

	put(&acl, USER_OBJ, RW, ALL);
	put(&acl, NAMED, RW, 5);
	put(&acl, GROUP_OBJ, RW, ALL);
	put(&acl, GROUP, R, 7);
	put(&acl, MASK, mask, ALL);
	put(&acl, OTHER, 0, ALL);
	return acl;
}

static void entry_is_added_to_a_mode(void **state)
{
	struct acl mode, want = { .size = 0 }, got;

	acl_of_mode(S_IFCHR | 0640, &mode);
	assert_true(acl_valid(&mode));
	assert_false(acl_has(&mode, USER));
	assert_int_equal(acl_add(&mode, USER, &got), 0);
	put(&want, USER_OBJ, RW, ALL);
	put(&want, NAMED, RW, USER);
	put(&want, GROUP_OBJ, R, ALL);
	put(&want, MASK, RW, ALL);
	put(&want, OTHER, 0, ALL);
	assert_true(acl_equal(&got, &want));
	assert_true(acl_valid(&got) && acl_has(&got, USER));
	assert_false(acl_has(&got, USER + 1));
}

static void removing_gives_the_same_bytes(void **state)
{
	struct acl mode, more, less, before = named(RW);

	acl_of_mode(0600, &mode);
	assert_int_equal(acl_add(&mode, USER, &more), 0);
	acl_remove(&more, USER, &less);
	assert_true(acl_equal(&less, &mode));

	assert_int_equal(acl_add(&before, USER, &more), 0);
	assert_int_equal(more.size, before.size + 8);
	acl_remove(&more, USER, &less);
	assert_true(acl_equal(&less, &before));
	acl_remove(&less, USER, &less);
	assert_true(acl_equal(&less, &before));
}

static void others_get_no_more_by_the_mask(void **state)
{
	struct acl before = named(R), got, want = { .size = 0 };

	assert_int_equal(acl_add(&before, USER, &got), 0);
	put(&want, USER_OBJ, RW, ALL);
	put(&want, NAMED, R, 5);	/* the mask left it no more */
	put(&want, NAMED, RW, USER);
	put(&want, GROUP_OBJ, R, ALL);	/* likewise */
	put(&want, GROUP, R, 7);
	put(&want, MASK, RW, ALL);
	put(&want, OTHER, 0, ALL);
	assert_true(acl_equal(&got, &want));
	assert_true(acl_has(&got, USER) && !acl_has(&got, 5));
}

static void entries_stand_in_order(void **state)
{
	struct acl mode, a, b, other;

	acl_of_mode(0600, &mode);
	assert_int_equal(acl_add(&mode, 2, &a), 0);
	assert_int_equal(acl_add(&a, 70000, &b), 0);
	assert_int_equal(acl_add(&b, 1, &a), 0);
	assert_true(acl_valid(&a));
	assert_int_equal(a.bytes[4 + 8 + 4], 1);
	assert_int_equal(a.bytes[4 + 16 + 4], 2);
	acl_remove(&a, 2, &other);
	assert_true(acl_has(&other, 1) && acl_has(&other, 70000));
	assert_false(acl_has(&other, 2));
	/* Once more changes nothing. */
	assert_int_equal(acl_add(&a, 2, &b), 0);
	assert_true(acl_equal(&a, &b));
}

static void what_is_no_list_is_refused(void **state)
{
	struct acl acl = named(RW), got;

	assert_true(acl_valid(&acl));
	acl.size--;
	assert_false(acl_valid(&acl));
	acl = named(RW);
	acl.bytes[0] = 1;
	assert_false(acl_valid(&acl));
	assert_int_equal(acl_add(&acl, USER, &got), -EINVAL);
	acl = (struct acl){ .size = 0 };
	assert_false(acl_valid(&acl));
	/* A user and no mask; no owner. */
	put(&acl, USER_OBJ, RW, ALL);
	put(&acl, NAMED, RW, 5);
	put(&acl, GROUP_OBJ, 0, ALL);
	put(&acl, OTHER, 0, ALL);
	assert_false(acl_valid(&acl));
	acl = (struct acl){ .size = 0 };
	put(&acl, GROUP_OBJ, 0, ALL);
	put(&acl, OTHER, 0, ALL);
	assert_false(acl_valid(&acl));
}

static void full_list_takes_no_more(void **state)
{
	struct acl acl, more;
	unsigned int n = 0;
	int r = 0;

	acl_of_mode(0600, &acl);
	while (r == 0) {
		r = acl_add(&acl, USER + n, &more);
		if (r == 0)
			acl = more;
		n++;
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(acl_valid(&acl));
	/* A header, four entries of a kind, and users. */
	assert_int_equal(n - 1, (ACL_SIZE_MAX - 4) / 8 - 4);
}

/* The kernel's own word, on a file in memory as those of /dev are. */
static void kernel_takes_it_and_gives_the_mode_back(void **state)
{
	_cleanup_fd_ int fd = memfd_create("acl", MFD_CLOEXEC);
	struct acl mode, more, got = { .size = 0 };
	struct stat st;
	char path[32];
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0640), 0);
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(fstat(fd, &st), 0);
	acl_of_mode(st.st_mode, &mode);
	assert_int_equal(acl_add(&mode, USER, &more), 0);
	assert_int_equal(setxattr(path, ACL_NAME, more.bytes, more.size, 0),
			 0);
	n = getxattr(path, ACL_NAME, got.bytes, sizeof(got.bytes));
	assert_true(n > 0);
	got.size = (size_t)n;
	assert_true(acl_equal(&got, &more));
	/* The mask is what the mode shows for the group. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);

	acl_remove(&got, USER, &more);
	assert_int_equal(setxattr(path, ACL_NAME, more.bytes, more.size, 0),
			 0);
	assert_int_equal(getxattr(path, ACL_NAME, got.bytes,
				  sizeof(got.bytes)), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void only_the_device_meant_is_touched(void **state)
{
	struct kernel_node node = { .path = "/dev/null",
				    .number = makedev(1, 5) };
	struct error err = ERROR_NULL;
	struct acl acl;

	assert_int_equal(node_get_acl(&node, &acl, &err), -ENOENT);
	assert_string_equal(error_kind(err.kind)->id, "kernel.no-node");
	assert_string_equal(err.msg, "'/dev/null' is not the device 1:5");
	acl_of_mode(0, &acl);
	assert_int_equal(node_set_acl(&node, &acl, &err), -ENOENT);
	str_copy(node.path, sizeof(node.path), "/dev/there-is-none");
	assert_int_equal(node_set_acl(&node, &acl, &err), -ENOENT);
	/* A link may lead elsewhere. */
	str_copy(node.path, sizeof(node.path), "/dev/stdin");
	assert_true(node_get_acl(&node, &acl, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_is_added_to_a_mode),
		cmocka_unit_test(removing_gives_the_same_bytes),
		cmocka_unit_test(others_get_no_more_by_the_mask),
		cmocka_unit_test(entries_stand_in_order),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(full_list_takes_no_more),
		cmocka_unit_test(kernel_takes_it_and_gives_the_mode_back),
		cmocka_unit_test(only_the_device_meant_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
