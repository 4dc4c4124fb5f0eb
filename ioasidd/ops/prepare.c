/* SPDX-License-Identifier: Apache-2.0
 *
 * prepare.c - from the host's drivers to VFIO: the whole group, or nothing
 */
#include <errno.h>

#include "base/log.h"
#include "ops/authorize.h"
#include "ops/driver.h"
#include "ops/group.h"
#include "ops/probe.h"
#include "ops/scan.h"
#include "ops/work.h"

/**
 * struct preparing - A prepare at work; owned by its worker
 * @work:	The operation; its draft has the endpoints of the group
 * @driver:	The VFIO driver
 * @options:	What the caller allows; @options.driver is not used here
 * @isolated_msi: Of this host; scans write the registry's
 * @no_iommu_mode: Likewise
 * @backend:	Likewise
 */
struct preparing {
	struct work work;
	char driver[DRIVER_SIZE];
	struct prepare_options options;
	enum kernel_isolated_msi isolated_msi;
	bool no_iommu_mode;
	enum kernel_backend backend;
};

/* --- checks --- */

/**
 * is_ready() - Is the endpoint where prepare would bring it?
 * @p:		The prepare
 * @device:	The draft's copy
 */
static bool is_ready(const struct preparing *p, const struct device *device)
{
	return device->state == DEVICE_READY &&
	       str_eq(device->facts.driver, p->driver);
}

/**
 * name_holders() - Say who has a device open
 * @bdf:	The device
 * @err:	A filled error; causes are added
 */
static void name_holders(struct host *host, const char *bdf,
			 struct error *err)
{
	struct error held = ERROR_NULL;
	size_t i;

	if (host->kernel->ops->cdev_holders(host->kernel, bdf, &held) != -EBUSY)
		return;
	for (i = 0; i < held.n_causes; i++)
		error_cause(err, held.causes[i].kind, held.causes[i].name,
			    "%s", held.causes[i].detail);
}

/**
 * check_state() - Is the device free to be taken?
 * @device:	The draft's copy
 *
 * Return: 0; -EBUSY device.leased, device.foreign, device.unusable.
 */
static int check_state(struct host *host, const struct device *device,
		       struct error *err)
{
	const struct device_record *record = &device->record;

	switch (device->state) {
	case DEVICE_HOST:
	case DEVICE_READY:
		return 0;
	case DEVICE_FOREIGN:
		/* On VFIO since before a restart, but ours. */
		if (device->recorded && record->prepared)
			return 0;
		error_set(err, -EBUSY, ERROR_DEVICE_FOREIGN,
			  "%s is on %s, but was not put there by ioasidd",
			  device->facts.bdf, device->facts.driver);
		name_holders(host, device->facts.bdf, err);
		return -EBUSY;
	case DEVICE_LEASED:
	case DEVICE_RECLAIMING:
		return error_set(err, -EBUSY, ERROR_DEVICE_LEASED,
				 "%s is with %s", device->facts.bdf,
				 device->lease);
	case DEVICE_QUARANTINED:
	case DEVICE_STUCK:
		error_set(err, -EBUSY, ERROR_DEVICE_UNUSABLE, "%s is %s: %s",
			  device->facts.bdf, device_state_name(device->state),
			  record->reason);
		error_remedy(err, "%s", record->remedy);
		return -EBUSY;
	case DEVICE_PREPARING:
	case DEVICE_GONE:
	case DEVICE_STATE_COUNT:
		break;
	}
	return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			 "%s is not on this host any more", device->name);
}

/**
 * check_sriov() - Refuse PFs with VFs, and VFs whose PF is with VFIO
 * @facts:	The device
 *
 * Return: 0; -EBUSY device.sriov.
 */
static int check_sriov(struct host *host, const struct kernel_device *facts,
		       struct error *err)
{
	const struct device *pf;
	char name[NAME_SIZE];
	bool with_vfio;

	if (facts->sriov_num)
		return error_set(err, -EBUSY, ERROR_DEVICE_SRIOV,
				 "%s has %u virtual functions, which would vanish or be without a driver for their PF",
				 facts->bdf, facts->sriov_num);
	if (!facts->physfn[0])
		return 0;
	device_name_from_bdf(facts->physfn, name);
	registry_lock(host->registry);
	pf = registry_device(host->registry, name);
	with_vfio = pf && (pf->facts.vfio || pf->lease[0]);
	registry_unlock(host->registry);
	if (!with_vfio)
		return 0;
	return error_set(err, -EBUSY, ERROR_DEVICE_SRIOV,
			 "%s is a virtual function of %s, which is with VFIO itself: who has that one controls it",
			 facts->bdf, facts->physfn);
}

/**
 * no_reset() - The refusal of a device that cannot be reset
 * @device:	The draft's copy
 *
 * Return: -EINVAL.
 */
static int no_reset(const struct device *device, struct error *err)
{
	int r = error_set(err, -EINVAL, ERROR_DEVICE_NO_RESET,
			  "the kernel has no way to reset %s",
			  device->facts.bdf);

	error_object(err, "%s", device->name);
	return r;
}

/**
 * check_no_iommu() - May a device be taken that no IOMMU contains?
 * @p:		The prepare
 * @facts:	The device
 *
 * One that VFIO has already has been taken by the kernel.
 *
 * Return: 0; -EINVAL device.no-group; -EOPNOTSUPP backend.unsupported.
 */
static int check_no_iommu(const struct preparing *p,
			  const struct kernel_device *facts, struct error *err)
{
	if (!p->options.allow_no_iommu)
		return error_set(err, -EINVAL, ERROR_DEVICE_NO_GROUP,
				 "there is no IOMMU in front of %s: whoever has it can reach all memory of the host",
				 facts->bdf);
	if (p->backend == KERNEL_BACKEND_TYPE1 ||
	    p->backend == KERNEL_BACKEND_SPAPR)
		return error_set(err, -EOPNOTSUPP, ERROR_BACKEND_UNSUPPORTED,
				 "there is no IOMMU in front of %s, and with backend %s such devices are left alone",
				 facts->bdf, kernel_backend_name(p->backend));
	if (p->no_iommu_mode || facts->vfio)
		return 0;
	error_set(err, -EINVAL, ERROR_DEVICE_NO_GROUP,
		  "there is no IOMMU in front of %s, and the kernel gives no such device to VFIO",
		  facts->bdf);
	error_remedy(err, "turn VFIO's no-IOMMU mode on, vfio.enable_unsafe_noiommu_mode=1; it taints the kernel");
	return -EINVAL;
}

/**
 * check_interrupts() - May a device be taken whose interrupts harm others?
 * @p:		The prepare
 * @facts:	The device
 *
 * They are memory writes: without an IOMMU another decision covers them.
 *
 * Return: 0; -EINVAL device.unsafe-interrupts.
 */
static int check_interrupts(const struct preparing *p,
			    const struct kernel_device *facts,
			    struct error *err)
{
	if (kernel_no_iommu(facts) || p->isolated_msi != ISOLATED_MSI_NO ||
	    p->options.allow_unsafe_interrupts)
		return 0;
	return error_set(err, -EINVAL, ERROR_DEVICE_UNSAFE_INTERRUPTS,
			 "interrupt remapping is off: whoever has %s can raise any interrupt of the host",
			 facts->bdf);
}

/**
 * check_device() - May this endpoint be taken?
 * @p:		The prepare
 * @device:	The draft's copy
 *
 * Return: 0; or as in device.proto.
 */
static int check_device(struct preparing *p, const struct device *device,
			struct error *err)
{
	struct host *host = p->work.host;
	const struct kernel_device *facts = &device->facts;
	int r;

	r = check_state(host, device, err);
	if (r == 0)
		r = check_sriov(host, facts, err);
	if (r == 0 && kernel_no_iommu(facts))
		r = check_no_iommu(p, facts, err);
	if (r < 0)
		return r;
	if (!facts->reset_methods[0] && !p->options.allow_no_reset)
		return no_reset(device, err);
	r = check_interrupts(p, facts, err);
	if (r < 0)
		return r;
	/* One on VFIO may have holders too: its driver would wait for them. */
	if (p->options.force || !facts->driver[0] || is_ready(p, device))
		return 0;
	return host->kernel->ops->device_users(host->kernel, facts->bdf, err);
}

/**
 * check_group() - May every endpoint that is not ready be taken?
 * @p:		The prepare
 *
 * Return: 0; the first refusal, about its device.
 */
static int check_group(struct preparing *p, struct error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < p->work.draft.n && r == 0; i++) {
		r = check_device(p, &p->work.draft.copies[i], err);
		if (r < 0)
			error_object(err, "%s", p->work.draft.copies[i].name);
	}
	return r;
}

/**
 * authorize_options() - May the caller pass over what keeps others safe?
 * @p:		The prepare
 * @caller:	Who asks
 *
 * Return: 0; -EACCES.
 */
static int authorize_options(struct preparing *p, const struct caller *caller,
			     struct error *err)
{
	const struct draft *draft = &p->work.draft;
	int r = 0;

	if (!p->options.force && !p->options.allow_no_reset &&
	    !p->options.allow_unsafe_interrupts && !p->options.allow_no_iommu)
		return 0;
	for (size_t i = 0; i < draft->n && r == 0; i++)
		r = authorize_device(p->work.host, caller, "device.force",
				     draft->copies[i].name, NULL, false, err);
	return r;
}

/**
 * note_undo() - Write down in the operation what each endpoint is now
 * @p:		The prepare
 *
 * One that we have moved before keeps the driver that it had before that.
 *
 * Return: 0 or -errno.
 */
static int note_undo(struct preparing *p, struct error *err)
{
	const struct kernel_ops *k = p->work.host->kernel->ops;
	struct kernel_stuck stuck;
	size_t i;
	int r;

	for (i = 0; i < p->work.draft.n; i++) {
		const struct device *device = &p->work.draft.copies[i];
		struct undo undo = { .device = "" };

		if (is_ready(p, device))
			continue;
		str_copy(undo.device, sizeof(undo.device), device->name);
		if (device->recorded && device->record.prepared) {
			str_copy(undo.driver, sizeof(undo.driver),
				 device->record.former_driver);
			str_copy(undo.override, sizeof(undo.override),
				 device->record.former_override);
		} else {
			str_copy(undo.driver, sizeof(undo.driver),
				 device->facts.driver);
			r = k->get_override(p->work.host->kernel,
					    device->facts.bdf,
					    HELPER_TIMEOUT_MS, undo.override,
					    &stuck, err);
			if (r < 0)
				return r;
		}
		if (operation_add_undo(p->work.op, &undo) < 0)
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory");
	}
	return 0;
}

/* --- the work --- */

/**
 * write_record() - Say in the record what the device is now, and was
 * @p:		The prepare
 * @device:	The draft's copy
 * @undo:	What it was
 */
static void write_record(const struct preparing *p, struct device *device,
			 const struct undo *undo)
{
	struct device_record *record = &device->record;

	device_identify(&device->facts, record);
	record->prepared = true;
	str_copy(record->vfio_driver, DRIVER_SIZE, p->driver);
	str_copy(record->former_driver, DRIVER_SIZE, undo->driver);
	str_copy(record->former_override, DRIVER_SIZE, undo->override);
	record->unsafe_interrupts =
		p->isolated_msi != ISOLATED_MSI_YES &&
		p->options.allow_unsafe_interrupts;
	record->no_iommu = kernel_no_iommu(&device->facts);
}

/**
 * move_all() - Take every endpoint that has an undo to the VFIO driver
 * @p:		The prepare
 *
 * Return: 0; -errno at the first that does not go.
 */
static int move_all(struct preparing *p, struct error *err)
{
	size_t i, j = 0;
	int r;

	for (i = 0; i < p->work.op->n_undo; i++) {
		const struct undo *undo = &p->work.op->undo[i];

		while (!str_eq(p->work.draft.copies[j].name, undo->device))
			j++;
		write_record(p, &p->work.draft.copies[j], undo);
		r = driver_switch(p->work.host, p->work.op,
				  &p->work.draft.copies[j], p->driver,
				  p->driver, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * probe_all() - Find out what each endpoint can do
 * @p:		The prepare; all endpoints are on VFIO
 *
 * Return: 0; -errno at the first that cannot be bound.
 */
static int probe_all(struct preparing *p, struct error *err)
{
	struct capabilities *caps;
	bool resets;
	size_t i;
	int r;

	for (i = 0; i < p->work.draft.n; i++) {
		struct device *device = &p->work.draft.copies[i];

		if (is_ready(p, device))
			continue;
		r = probe_device(p->work.host, p->work.op, device, &caps,
				 &resets, err);
		if (r < 0)
			return r;
		draft_capabilities(&p->work.draft, i, caps);
		device->record.no_reset = !resets;
		if (!resets && !p->options.allow_no_reset)
			return no_reset(device, err);
	}
	return 0;
}

/**
 * drop_capabilities() - Forget what was probed: the devices go back
 * @p:		The prepare
 */
static void drop_capabilities(struct preparing *p)
{
	size_t i;

	for (i = 0; i < p->work.draft.n; i++)
		if (!is_ready(p, &p->work.draft.copies[i]))
			draft_capabilities(&p->work.draft, i, NULL);
}

/**
 * run() - The operation, on a worker
 * @data:	struct preparing; owned
 */
static void run(void *data)
{
	struct error err = ERROR_NULL, undo_err = ERROR_NULL;
	struct preparing *p = data;
	int r, undone = 0;

	r = move_all(p, &err);
	if (r == 0)
		r = probe_all(p, &err);
	if (r < 0) {
		journal_settle(p->work.host, p->work.op);
		drop_capabilities(p);
		undone = group_rollback(p->work.host, p->work.op,
					&p->work.draft, &undo_err);
	}
	if (undone < 0)
		log_problem(LOG_LEVEL_ERROR, &undo_err,
			    "%s: cannot undo it all", p->work.op->name);
	/* One that was cancelled is one that was undone. */
	if (undone < 0 && r == -ECANCELED) {
		r = undone;
		err = undo_err;
	}
	work_end(&p->work, r, &err);
}

/**
 * stays() - Is there nothing to be done to an endpoint?
 * @work:	The prepare
 * @device:	The draft's copy
 */
static bool stays(const struct work *work, const struct device *device)
{
	return is_ready((const struct preparing *)work, device);
}

/**
 * prepare_new() - Claim the group and see what of it has to be moved
 * @caller:	Who asks
 * @change:	What for
 * @options:	How
 * @ret:	work_drop() or work_begin_consume()
 *
 * Return: 0 or -errno: nothing is claimed.
 */
static int prepare_new(struct host *host, const struct caller *caller,
		       const struct change *change,
		       const struct prepare_options *options,
		       struct preparing **ret, struct error *err)
{
	struct preparing *p;
	struct work *work;
	int r;

	r = work_new(sizeof(*p), host, caller, change, OPERATION_PREPARE,
		     false, &work, err);
	if (r < 0)
		return r;
	p = (struct preparing *)work; /* it is the first member */
	p->options = *options;
	registry_lock(host->registry);
	p->isolated_msi = host->registry->isolated_msi;
	p->no_iommu_mode = host->registry->no_iommu_mode;
	p->backend = host->registry->backend;
	registry_unlock(host->registry);
	str_copy(p->driver, sizeof(p->driver),
		 options->driver[0] ? options->driver : "vfio-pci");
	r = authorize_options(p, caller, err);
	if (r == 0)
		r = check_group(p, err);
	if (r == 0)
		r = note_undo(p, err);
	if (r < 0)
		work_drop(work);
	else
		*ret = p;
	return r;
}

/**
 * prepare_start() - See ops.h
 */
int prepare_start(struct host *host, const struct caller *caller,
		  const struct change *change,
		  const struct prepare_options *options, char ret[NAME_SIZE],
		  struct error *err)
{
	struct preparing *p = NULL;
	int r;

	ret[0] = '\0';
	r = journal_replay(host, caller, change, OPERATION_PREPARE, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = scan_now(host, err);
	if (r == 0)
		r = group_check_etag(host, change->name, change->etag, err);
	if (r == 0)
		r = prepare_new(host, caller, change, options, &p, err);
	if (r != 0)
		return r;
	if (change->dry_run) {
		work_drop(&p->work);
		return 0;
	}
	str_copy(ret, NAME_SIZE, p->work.op->name);
	if (p->work.op->n_undo == 0)
		return work_nothing_consume(&p->work, err);
	p->work.op->cancellable = true;
	return work_begin_consume(&p->work, DEVICE_PREPARING, stays, run, err);
}
