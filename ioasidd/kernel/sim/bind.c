/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.c - a VFIO cdev is bound to an iommufd, and closed
 *
 * As in the kernel the device is the context's before it is reset, so that
 * nobody else binds it meanwhile; the file becomes one that can be used only
 * when all of it is done.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "kernel/sim/function.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/vfio.h"
#include "kernel/vfio.h"

/* What of struct uapi_device_bind_iommufd there was at first. */
#define BIND_SIZE_MIN offsetof(struct uapi_device_bind_iommufd, token_uuid_ptr)

/* --- may it be bound? --- */

/**
 * copy_bind() - Read the structure, of whatever length
 *
 * Return: 0; -EFAULT; -EINVAL: too short; -E2BIG: something that we do not know
 * is not 0.
 */
static int copy_bind(const struct sim_caller *caller, uint64_t arg,
		     struct uapi_device_bind_iommufd *ret)
{
	struct uapi_device_bind_iommufd cmd = { 0 };
	uint32_t size, known;

	if (sim_copy_in(caller, &size, arg, sizeof(size)) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && size < BIND_SIZE_MIN)
		return -EINVAL;

	known = size < sizeof(cmd) ? size : sizeof(cmd);
	for (uint64_t at = known; sim_rule(SIM_RULE_ARGSZ) && at < size;) {
		uint8_t rest[256];
		size_t n = size - at < sizeof(rest) ? size - at : sizeof(rest);

		if (sim_copy_in(caller, rest, arg + at, n) < 0)
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
		at += n;
	}
	if (sim_copy_in(caller, &cmd, arg, known) < 0)
		return -EFAULT;

	*ret = cmd;
	return 0;
}

/**
 * check_token() - Does a VF have its PF's consent?
 *
 * Only a PF that is with a VFIO driver is asked for; its token is a random one
 * that nobody can know, as there is no VFIO_DEVICE_FEATURE here to set it.
 *
 * Return: 0; -EACCES; -EINVAL: a token that nobody asks for; -EFAULT.
 */
static int check_token(const struct sim_file *file,
		       const struct sim_caller *caller,
		       const struct uapi_device_bind_iommufd *cmd)
{
	const struct kernel_device *facts = &file->device->facts;
	const struct sim_device *pf = NULL;
	uint8_t uuid[16];

	if (cmd->flags & UAPI_DEVICE_BIND_FLAG_TOKEN &&
	    sim_copy_in(caller, uuid, cmd->token_uuid_ptr, sizeof(uuid)) < 0)
		return -EFAULT;
	if (facts->physfn[0])
		pf = sim_device(file->sim, facts->physfn);
	if (pf && pf->facts.vfio)
		return -EACCES;
	if (facts->sriov_total && !facts->physfn[0])
		return 0; /* a PF takes one for the VFs to come */

	return cmd->flags & UAPI_DEVICE_BIND_FLAG_TOKEN ? -EINVAL : 0;
}

/**
 * claim_group() - May a context have the group?
 *
 * Return: 0; -EPERM; -ENODEV: there is no IOMMU in front of the function.
 */
static int claim_group(struct sim *sim, const struct sim_device *device,
		       const struct sim_context *context)
{
	const struct sim_group *group = device->group;

	if (!group)
		return -ENODEV;
	/* There is nothing to be claimed, nor to be isolated. */
	if (group->no_iommu)
		return 0;
	/* Where sysfs does not tell, as on ARM, they are. */
	if (sim_rule(SIM_RULE_ISOLATED_MSI) && !sim->allow_unsafe &&
	    sim->isolated_msi == ISOLATED_MSI_NO)
		return -EPERM;
	if (sim_rule(SIM_RULE_GROUP_HAS_ONE_OWNER) && group->owner &&
	    group->owner != context)
		return -EPERM;
	for (size_t i = 0; i < sim->n_devices; i++)
		if (sim_rule(SIM_RULE_HOST_DRIVER_SIBLING) &&
		    sim->devices[i]->group == group &&
		    sim->devices[i]->present &&
		    vfio_is_host_driver(&sim->devices[i]->facts))
			return -EPERM;

	return 0;
}

/**
 * find_context() - The context behind a descriptor of the caller's
 *
 * Return: 0; -EBADF: it is no descriptor; -EBADFD: it is no iommufd.
 */
static int find_context(struct sim_file *file, const struct sim_caller *caller,
			int fd, struct sim_context **ret)
{
	struct sim_file *other;
	int r = sim_caller_file(file->sim, caller, fd, &other);

	if (r == -EINVAL || (!r && other->kind != SIM_FILE_IOMMUFD))
		return sim_rule(SIM_RULE_BIND_KNOWS_IOMMUFD) ? -EBADFD
							      : -EINVAL;
	if (r < 0)
		return r;

	*ret = other->context;
	return 0;
}

/* --- bind --- */

/**
 * take() - The device becomes the context's
 * @ret_id:	Its id there
 */
static int take(struct sim_file *file, struct sim_context *context,
		uint32_t *ret_id)
{
	struct sim_device *device = file->device;
	int r = sim_context_add_device(context, device, ret_id);

	if (r < 0)
		return r;

	device->bound = file;
	device->group->owner = context;
	device->group->n_bound++;

	return 0;
}

/**
 * give_back() - It is the context's no more
 */
static void give_back(struct sim_file *file, struct sim_context *context,
		      uint32_t id)
{
	struct sim_device *device = file->device;

	if (sim_rule(SIM_RULE_CLOSE_DETACHES))
		sim_context_remove_device(context, id);
	device->bound = NULL;
	device->group->n_bound--;
	if (!device->group->n_bound &&
	    sim_rule(SIM_RULE_CLOSE_RELEASES_GROUP))
		device->group->owner = NULL;
}

/**
 * open_function() - vfio-pci opens the function: a reset, and memory space on
 *
 * That it cannot be reset is no failure; only that somebody has its lock is.
 *
 * Return: 0; -EAGAIN; -ENODEV; -ENOMEM.
 */
static int open_function(struct sim *sim, struct sim_device *device)
{
	struct sim_function *f = function_get(device);
	int r;

	if (!f)
		return -ENOMEM;
	function_set_command(f, PCI_COMMAND_MASTER_BIT,
			     PCI_COMMAND_MEMORY_BIT);
	r = sim_rule(SIM_RULE_BIND_RESETS) ? sim_vfio_try_reset(sim, device)
					   : 0;
	if (!device->present)
		return -ENODEV;
	if (r == -EAGAIN)
		return -EAGAIN;
	f->reset_works = !r || !sim_rule(SIM_RULE_RESET_IS_TRIED);

	return function_view_open(f);
}

/**
 * bind_to() - All that changes something
 * @arg:	Address of the structure, for the id
 */
static int bind_to(struct sim_file *file, const struct sim_caller *caller,
		   struct sim_context *context, uint64_t arg)
{
	uint64_t to = arg + offsetof(struct uapi_device_bind_iommufd,
				     out_devid);
	struct sim_device *device = file->device;
	uint32_t id;
	int r;

	r = take(file, context, &id);
	if (r < 0)
		return r;
	/* The reset lets go of the lock: the iommufd may be closed then. */
	sim_context_ref(context);
	r = open_function(file->sim, device);
	if (r < 0)
		goto undo_take;
	file->context = context;
	file->dev_id = id;
	if (sim_copy_out(caller, to, &id, sizeof(id)) < 0) {
		sim_vfio_release(file);
		return -EFAULT;
	}

	return 0;

undo_take:
	give_back(file, context, id);
	(void)sim_context_unref(context);
	sim_changed(file->sim);
	return r;
}

/**
 * is_old() - Was a file opened before the function was registered as it is now?
 *
 * Unbind waits for every file, so there is none as long as it does. While it
 * waits there is no cdev, and the file is still the function's.
 */
static bool is_old(const struct sim_file *file)
{
	dev_t cdev = file->device->facts.cdev;

	return cdev && minor(cdev) != file->minor;
}

/* sim_vfio_bind() - VFIO_DEVICE_BIND_IOMMUFD */
long sim_vfio_bind(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t arg)
{
	struct sim_device *device = file->device;
	struct uapi_device_bind_iommufd cmd;
	struct sim_context *context;
	int r;

	r = copy_bind(caller, arg, &cmd);
	if (r < 0)
		return r;
	if (cmd.iommufd < 0 || (sim_rule(SIM_RULE_FLAGS) &&
				cmd.flags & ~UAPI_DEVICE_BIND_FLAG_TOKEN))
		return -EINVAL;
	if (device->bound == file)
		return sim_rule(SIM_RULE_BIND_IS_ONCE) ? -EINVAL : -EBUSY;
	r = check_token(file, caller, &cmd);
	if (r < 0)
		return r;
	r = find_context(file, caller, cmd.iommufd, &context);
	if (r < 0)
		return r;
	if (device->bound)
		return sim_rule(SIM_RULE_BIND_IS_ONCE) ? -EINVAL : -EBUSY;
	if (!device->present || is_old(file))
		return -ENODEV;
	r = claim_group(file->sim, device, context);
	if (r < 0)
		return r;

	return bind_to(file, caller, context, arg);
}

/* --- the last close --- */

/**
 * close_function() - vfio-pci closes the function: as it was at BIND, and reset
 *
 * While somebody has the device's lock, as unbind has that waits for this very
 * close, it is not reset.
 */
static void close_function(struct sim *sim, struct sim_device *device)
{
	struct sim_function *f = device->function;
	uint8_t saved[PCI_CONFIG_SIZE];

	memcpy(saved, f->view->saved, sizeof(saved));
	function_view_close(f);
	function_write(f, 0, saved, sizeof(saved));
	function_set_command(f, PCI_COMMAND_MASTER_BIT, 0);
	if (!sim_rule(SIM_RULE_CLOSE_RESETS))
		return;
	f->needs_reset = true;
	if (f->reset_works && !sim_vfio_try_reset(sim, device))
		f->needs_reset = false;
	sim_vfio_try_bus_reset(sim, device);
}

/* sim_vfio_release() - A bound cdev is closed */
void sim_vfio_release(struct sim_file *file)
{
	struct sim_context *context = file->context;

	if (!context)
		return;

	close_function(file->sim, file->device);
	file->context = NULL;
	give_back(file, context, file->dev_id);
	(void)sim_context_unref(context);
	sim_changed(file->sim);
}
