/* SPDX-License-Identifier: Apache-2.0
 *
 * iommufd.c - calls on an iommufd: the structures, and those without a file of
 *	       their own
 *
 * What is not simulated is answered as by a kernel that does not have it, with
 * ENOTTY: events and queues of vIOMMUs, the VFIO container's calls.
 */
#include "kernel/sim/iommufd.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/sim/memory.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* --- calls --- */

/**
 * destroy_used() - Say why an object is not destroyed
 *
 * Return: -EBUSY; another number if the rule is off.
 */
static int destroy_used(const struct sim_context *context,
			const struct sim_object *object)
{
	enum sim_rule rule = SIM_RULE_DESTROY_ATTACHED_EBUSY;

	if (object->kind == SIM_OBJECT_SPACE)
		rule = SIM_RULE_DESTROY_SPACE_EBUSY;

	for (size_t i = 0; i < context->n_objects; i++)
		if (context->objects[i]->kind == SIM_OBJECT_NESTED &&
		    &((struct sim_table *)context->objects[i])->parent->object
		    == object)
			rule = SIM_RULE_DESTROY_PARENT_EBUSY;

	return sim_rule(rule) ? -EBUSY : -EINVAL;
}

/* destroy() - IOMMU_DESTROY */
static int destroy(struct sim_context *context, const struct sim_caller *caller,
		   void *data)
{
	const struct uapi_destroy *cmd = data;
	struct sim_object *object = sim_object_find(context, cmd->id);

	if (!object)
		return sim_rule(SIM_RULE_NO_OBJECT_ENOENT) ? -ENOENT : -EINVAL;

	/* A device is its driver's: it goes with its last descriptor. */
	if (object->kind == SIM_OBJECT_DEVICE)
		return sim_rule(SIM_RULE_DESTROY_DEVICE_EBUSY) ? -EBUSY :
								 -EPERM;
	if (object->users)
		return destroy_used(context, object);

	sim_object_end(context, object);
	return 0;
}

/* option_rlimit_mode() - To whom pinned memory is accounted */
static int option_rlimit_mode(struct sim_context *context,
			      const struct sim_caller *caller,
			      struct uapi_option *cmd)
{
	if (cmd->object_id)
		return -EOPNOTSUPP;

	if (cmd->op == UAPI_OPTION_OP_GET) {
		cmd->val64 = context->per_process;
		return 0;
	}
	if (cmd->op != UAPI_OPTION_OP_SET)
		return -EOPNOTSUPP;

	if (sim_rule(SIM_RULE_OPTION_EPERM) &&
	    !sim_caller_capable(caller, SIM_CAP_SYS_RESOURCE))
		return -EPERM;
	if (sim_rule(SIM_RULE_OPTION_EBUSY) && context->n_objects)
		return -EBUSY;
	if (cmd->val64 > 1)
		return -EINVAL;

	context->per_process = cmd->val64;
	return 0;
}

/* option_huge_pages() - Whether a space's page tables have long pages */
static int option_huge_pages(struct sim_context *context,
			     struct uapi_option *cmd)
{
	struct sim_space *space;
	int r;

	r = sim_object_get(context, cmd->object_id, SIM_OBJECT_SPACE, &space);
	if (r < 0)
		return r;

	if (cmd->op == UAPI_OPTION_OP_GET) {
		cmd->val64 = !space->ioas.small_pages;
		return 0;
	}
	if (cmd->op != UAPI_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (cmd->val64 > 1)
		return -EINVAL;

	return sim_ioas_huge_pages(&space->ioas, cmd->val64);
}

/* option() - IOMMU_OPTION */
static int option(struct sim_context *context, const struct sim_caller *caller,
		  void *data)
{
	struct uapi_option *cmd = data;

	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && cmd->reserved)
		return -EOPNOTSUPP;

	if (cmd->option_id == UAPI_OPTION_RLIMIT_MODE)
		return option_rlimit_mode(context, caller, cmd);
	if (cmd->option_id == UAPI_OPTION_HUGE_PAGES)
		return option_huge_pages(context, cmd);

	return -EOPNOTSUPP;
}

/* --- structures --- */

/* The longest structure. */
#define CMD_SIZE_MAX 128

/**
 * struct call - A call that there is
 * @request:	Its number
 * @size:	Of the structure that we know
 * @least:	Of the first one there was
 * @run:	Does it; changes the structure
 * @answers:	The structure goes back to the caller
 * @made:	Where in it the id of a new object is; 0 for none
 */
static const struct call {
	unsigned long request;
	size_t size, least;
	int (*run)(struct sim_context *context, const struct sim_caller *caller,
		   void *cmd);
	bool answers;
	size_t made;
} calls[] = {
#define END(s, f) (offsetof(struct uapi_##s, f) + \
		   sizeof(((struct uapi_##s *)NULL)->f))
#define CALL(request, s, f, run, answers, made) \
	{ request, sizeof(struct uapi_##s), END(s, f), run, answers, made }
	CALL(UAPI_DESTROY, destroy, id, destroy, false, 0),
	CALL(UAPI_IOAS_ALLOC, ioas_alloc, out_ioas_id, sim_ioas_alloc, true,
	     offsetof(struct uapi_ioas_alloc, out_ioas_id)),
	CALL(UAPI_IOAS_ALLOW_IOVAS, ioas_allow_iovas, allowed_iovas,
	     sim_ioas_allow_iovas, false, 0),
	CALL(UAPI_IOAS_COPY, ioas_copy, src_iova, sim_ioas_copy, true, 0),
	CALL(UAPI_IOAS_IOVA_RANGES, ioas_iova_ranges, out_iova_alignment,
	     sim_ioas_iova_ranges, true, 0),
	CALL(UAPI_IOAS_MAP, ioas_map, iova, sim_ioas_map, true, 0),
	CALL(UAPI_IOAS_UNMAP, ioas_unmap, length, sim_ioas_unmap, true, 0),
	CALL(UAPI_OPTION, option, val64, option, true, 0),
	CALL(UAPI_HWPT_ALLOC, hwpt_alloc, reserved, sim_hwpt_alloc, true,
	     offsetof(struct uapi_hwpt_alloc, out_hwpt_id)),
	CALL(UAPI_GET_HW_INFO, hw_info, reserved, sim_get_hw_info, true, 0),
	CALL(UAPI_HWPT_SET_DIRTY_TRACKING, hwpt_set_dirty_tracking, reserved,
	     sim_hwpt_set_dirty, false, 0),
	CALL(UAPI_HWPT_GET_DIRTY_BITMAP, hwpt_get_dirty_bitmap, data,
	     sim_hwpt_get_dirty, false, 0),
	CALL(UAPI_HWPT_INVALIDATE, hwpt_invalidate, reserved,
	     sim_hwpt_invalidate, true, 0),
	CALL(UAPI_FAULT_QUEUE_ALLOC, fault_alloc, out_fault_fd,
	     sim_fault_queue_alloc, true,
	     offsetof(struct uapi_fault_alloc, out_fault_id)),
	CALL(UAPI_IOAS_MAP_FILE, ioas_map_file, iova, sim_ioas_map_file, true,
	     0),
	CALL(UAPI_VIOMMU_ALLOC, viommu_alloc, out_viommu_id, sim_viommu_alloc,
	     true, offsetof(struct uapi_viommu_alloc, out_viommu_id)),
	CALL(UAPI_VDEVICE_ALLOC, vdevice_alloc, virt_id, sim_vdevice_alloc,
	     true, offsetof(struct uapi_vdevice_alloc, out_vdevice_id)),
#undef CALL
#undef END
};

/* call_of() - Return: NULL for a number that is none. */
static const struct call *call_of(unsigned long request)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].request == request)
			return &calls[i];

	return NULL;
}

/**
 * read_rest() - Is all of a structure that we do not know 0?
 * @arg:	Where that begins
 * @size:	How long it is
 *
 * Return: 0; -E2BIG; -EFAULT.
 */
static int read_rest(const struct sim_caller *caller, uint64_t arg, size_t size)
{
	unsigned char buf[SIM_PAGE];
	int r;

	while (size) {
		size_t n = size < sizeof(buf) ? size : sizeof(buf);

		r = sim_copy_in(caller, buf, arg, n);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (sim_rule(SIM_RULE_SIZE_TAIL_E2BIG) && buf[i])
				return -E2BIG;
		arg += n;
		size -= n;
	}

	return 0;
}

/**
 * read_cmd() - Read the caller's structure, shorter or longer than ours
 * @cmd:	Zeroed; room for @call's size
 * @size:	What it says of itself
 */
static int read_cmd(const struct sim_caller *caller, const struct call *call,
		    uint64_t arg, uint32_t size, void *cmd)
{
	int r;

	if (size < call->least) {
		if (sim_rule(SIM_RULE_SIZE_SHORT_EINVAL))
			return -EINVAL;
		size = (uint32_t)call->least;
	}

	if (size > call->size) {
		r = read_rest(caller, arg + call->size, size - call->size);
		if (r < 0)
			return r;
		size = (uint32_t)call->size;
	}

	return sim_copy_in(caller, cmd, arg, size);
}

/* unmake() - End an object of which the caller was not told */
static void unmake(struct sim_context *context,
		   const struct sim_caller *caller, uint32_t id)
{
	if (caller->made && caller->made->file)
		caller->made->file = sim_close(caller->made->file);
	sim_object_end(context, sim_object_find(context, id));
}

/* sim_context_ioctl() - A call on the iommufd */
long sim_context_ioctl(struct sim_context *context,
		       const struct sim_caller *caller, unsigned long request,
		       uint64_t arg)
{
	const struct call *call = call_of(request);
	_Alignas(8) char cmd[CMD_SIZE_MAX] = { 0 };
	uint32_t size;
	int r, result;

	if (!call)
		return sim_rule(SIM_RULE_UNKNOWN_CALL_ENOTTY) ? -ENOTTY :
								-EINVAL;

	r = sim_copy_in(caller, &size, arg, sizeof(size));
	if (r < 0)
		return r;
	r = read_cmd(caller, call, arg, size, cmd);
	if (r < 0)
		return r;

	result = call->run(context, caller, cmd);
	/* Errors with an answer: how many ranges there are, and how many
	 * invalidations were done.
	 */
	if ((result < 0 && result != -EMSGSIZE &&
	     request != UAPI_HWPT_INVALIDATE) || !call->answers)
		return result;

	if (size > call->size)
		size = (uint32_t)call->size;
	r = sim_copy_out(caller, arg, cmd, size);
	if (r < 0 && call->made)
		unmake(context, caller, *(uint32_t *)(cmd + call->made));
	return r < 0 ? r : result;
}
