/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c - page faults of devices: read from a queue, and answered
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/simfd.h"
#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"
#include "libioasid/ioasid.h"

static_assert(sizeof(struct ioasid_fault) == sizeof(struct uapi_hwpt_pgfault) &&
	      offsetof(struct ioasid_fault, address) ==
		      offsetof(struct uapi_hwpt_pgfault, addr) &&
	      offsetof(struct ioasid_fault, cookie) ==
		      offsetof(struct uapi_hwpt_pgfault, cookie) &&
	      IOASID_FAULT_PASID == UAPI_PGFAULT_FLAGS_PASID_VALID &&
	      IOASID_FAULT_LAST == UAPI_PGFAULT_FLAGS_LAST_PAGE &&
	      IOASID_FAULT_READ == UAPI_PGFAULT_PERM_READ &&
	      IOASID_FAULT_WRITE == UAPI_PGFAULT_PERM_WRITE &&
	      IOASID_FAULT_EXECUTE == UAPI_PGFAULT_PERM_EXEC &&
	      IOASID_FAULT_PRIVILEGED == UAPI_PGFAULT_PERM_PRIV,
	      "the kernel writes into the caller's array");

/* ioasid_fault_queue_new() - See ioasid.h. */
int ioasid_fault_queue_new(int iommufd, uint32_t *ret_queue, int *ret_fd,
			   struct ioasid_error *err)
{
	struct uapi_fault_alloc alloc = { .size = sizeof(alloc) };

	if (call_ioctl(iommufd, UAPI_FAULT_QUEUE_ALLOC, &alloc) < 0)
		return explain_object(errno, "IOMMU_FAULT_QUEUE_ALLOC",
				      iommufd, "fault queue", 0, err);

	*ret_queue = alloc.out_fault_id;
	*ret_fd = (int)alloc.out_fault_fd;
	return 0;
}

/* ioasid_fault_read() - See ioasid.h. */
int ioasid_fault_read(int fd, struct ioasid_fault *faults, size_t *n,
		      struct ioasid_error *err)
{
	size_t size = *n * sizeof(*faults);
	ssize_t got = simfd_is(fd) ? simfd_pread(fd, faults, size, 0) :
				     read(fd, faults, size);

	if (got < 0)
		return explain_fault(errno, "read", fd, 0, err);

	*n = (size_t)got / sizeof(*faults);
	return 0;
}

/* ioasid_fault_answer() - See ioasid.h. */
int ioasid_fault_answer(int fd, uint32_t cookie, bool retry,
			struct ioasid_error *err)
{
	const struct uapi_hwpt_page_response response = {
		.cookie = cookie,
		.code = retry ? UAPI_PAGE_RESP_SUCCESS : UAPI_PAGE_RESP_INVALID,
	};
	ssize_t put = simfd_is(fd) ?
		simfd_pwrite(fd, &response, sizeof(response), 0) :
		write(fd, &response, sizeof(response));

	if (put < 0)
		return explain_fault(errno, "write", fd, cookie, err);

	return 0;
}
