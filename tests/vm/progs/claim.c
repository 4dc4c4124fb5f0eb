/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c - claim leases, say what came with them, hold them
 *
 *	claim LEASE...
 *
 * For each a line with what was found:
 *
 *	cloexec	how many of its descriptors are close-on-exec
 *	mode	RLIMIT_MODE of the context
 *	set	errno of setting it: EBUSY if the context has an object
 *	unbound	how many devices do not answer, as before BIND
 *	first	id of the first object that is made: 1 if there was none
 *
 * Then "holding", until standard input ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/uapi.h"
#include "prog.h"

/**
 * is_cloexec() - Is a descriptor close-on-exec?
 * @fd:		The descriptor
 *
 * Return: 1 or 0.
 */
static int is_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		die("descriptor %d: %m", fd);
	return (flags & FD_CLOEXEC) != 0;
}

/**
 * rlimit_mode() - Get or set RLIMIT_MODE of a context
 * @fd:		The context
 * @op:		UAPI_OPTION_OP_*
 * @value:	It
 *
 * Return: 0 or errno.
 */
static int rlimit_mode(int fd, uint16_t op, uint64_t *value)
{
	struct uapi_option option = {
		.size = sizeof(option),
		.option_id = UAPI_OPTION_RLIMIT_MODE,
		.op = op,
		.val64 = *value,
	};

	if (ioasid_ioctl(fd, UAPI_OPTION, &option) < 0)
		return errno;
	*value = option.val64;
	return 0;
}

/**
 * look() - Say what came
 * @claim:	The descriptors
 */
static void look(const struct ioasid_claim *claim)
{
	struct uapi_ioas_alloc alloc = { .size = sizeof(alloc) };
	int cloexec = is_cloexec(claim->iommufd), unbound = 0, set;
	uint64_t mode = 0, one = 1;

	if (rlimit_mode(claim->iommufd, UAPI_OPTION_OP_GET, &mode))
		die("RLIMIT_MODE: %m");
	set = rlimit_mode(claim->iommufd, UAPI_OPTION_OP_SET, &one);
	for (size_t i = 0; i < claim->n_devices; i++) {
		struct uapi_device_info info = { .argsz = sizeof(info) };

		cloexec += is_cloexec(claim->devices[i].fd);
		unbound += ioasid_ioctl(claim->devices[i].fd, UAPI_DEVICE_GET_INFO,
				 &info) < 0 && errno == EINVAL;
	}
	if (ioasid_ioctl(claim->iommufd, UAPI_IOAS_ALLOC, &alloc) < 0)
		die("IOAS_ALLOC: %m");
	printf("%s: devices %zu cloexec %d mode %d set %d unbound %d first %u\n",
	       claim->lease->name, claim->n_devices, cloexec, (int)mode, set,
	       unbound, alloc.out_ioas_id);
}

int main(int argc, char **argv)
{
	struct ioasid *conn = connect_daemon();
	char byte;

	for (int i = 1; i < argc; i++)
		look(claim_lease(conn, argv[i]));
	ioasid_disconnect(conn);
	printf("holding\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	/* Without freeing: the descriptors are there until the very end. */
	_exit(0);
}
