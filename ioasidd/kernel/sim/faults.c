/* SPDX-License-Identifier: Apache-2.0
 *
 * faults.c - queues of page faults
 *
 * A queue is in use as long as its descriptor is open, and by page tables whose
 * faults go to it. There never are any: no simulated device has PCI's PRI.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* sim_fault_queue_alloc() - IOMMU_FAULT_QUEUE_ALLOC */
int sim_fault_queue_alloc(struct sim_context *context,
			  const struct sim_caller *caller, void *data)
{
	struct uapi_fault_alloc *cmd = data;
	struct sim_faults *faults;
	int r;

	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) && cmd->flags)
		return -EOPNOTSUPP;
	if (!caller->made)
		return -EMFILE;
	faults = calloc(1, sizeof(*faults));
	if (!faults)
		return -ENOMEM;
	faults->object.kind = SIM_OBJECT_FAULTS;
	r = sim_object_add(context, &faults->object);
	if (r < 0) {
		free(faults);
		return r;
	}
	r = sim_open_faults(context, faults->object.id, &caller->made->file);
	if (r < 0) {
		sim_object_end(context, &faults->object);
		return r;
	}

	caller->made->offset = offsetof(struct uapi_fault_alloc, out_fault_fd);
	faults->object.users++;
	cmd->out_fault_id = faults->object.id;
	return 0;
}

/* sim_faults_closed() - The descriptor of a fault queue has been closed */
void sim_faults_closed(struct sim_context *context, uint32_t id)
{
	struct sim_faults *faults;

	if (!sim_object_get(context, id, SIM_OBJECT_FAULTS, &faults))
		faults->object.users--;
}

/* sim_faults_read() - read(2) of a fault queue */
ssize_t sim_faults_read(size_t size, uint64_t at)
{
	return at || size % sizeof(struct uapi_hwpt_pgfault) ? -ESPIPE : 0;
}

/* sim_faults_write() - write(2) of one: an answer to a fault */
ssize_t sim_faults_write(const struct sim_caller *caller, uint64_t buf,
			 size_t size, uint64_t at)
{
	struct uapi_hwpt_page_response response;

	if (at || size % sizeof(response))
		return -ESPIPE;
	if (!size)
		return 0;
	if (sim_copy_in(caller, &response, buf, sizeof(response)) < 0)
		return -EFAULT;

	return -EINVAL; /* to what? */
}
