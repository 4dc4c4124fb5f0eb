/* SPDX-License-Identifier: Apache-2.0
 *
 * ladder.c - making a device safe for the next holder, rung by rung
 *
 * The order matters. Who still has a descriptor or a map is looked for first,
 * because the next rung waits for it inside the kernel, for ever. Then the
 * device is re-registered. Its unbind comes back when the last descriptor is
 * closed, bound or not, also one that is parked out of sight (in the queue of a
 * socket, say): that it came back proves that none is left. Then it must answer
 * at all, and have its BARs: what BIND finds is what the kernel restores after
 * every reset from there on. Only then it is bound by us, which resets it, and
 * asked how it is while it is bound.
 *
 * Without iommufd (backend type1) a device comes out of its group, which is open
 * once on the host: that we can open it proves that nobody has any of it. An
 * unbind waits for a device's descriptor, but not for its group's; that one is
 * worth nothing once all siblings are unbound, and is seen by us as long as one is
 * not.
 */
#include <errno.h>
#include <string.h>

#include "ops/driver.h"
#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/probe.h"

/**
 * name_causes() - Put the processes into the words, for records that keep these
 * @err:	device.held
 * @ret:	The same with longer words
 */
static void name_causes(const struct error *err, struct error *ret)
{
	size_t i, n;

	*ret = *err;
	for (i = 0; i < err->n_causes; i++) {
		n = strlen(ret->msg);
		(void)str_format(ret->msg + n, sizeof(ret->msg) - n,
				 "%s %s %s (%s)", i ? "," : ":",
				 err->causes[i].kind, err->causes[i].name,
				 err->causes[i].detail);
	}
}

/**
 * look_for_holders() - Does any process still have the device?
 *
 * Return: 0; -EBUSY device.held.
 */
static int look_for_holders(struct host *host, struct operation *op,
			    struct device *device, struct error *err)
{
	struct error named = ERROR_NULL;
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "holders", "", err);
	if (r < 0)
		return r;
	r = host->kernel->ops->cdev_holders(host->kernel, device->facts.bdf,
					    err);
	if (r == 0)
		r = probe_group_free(host, &device->facts, err);
	if (r < 0)
		name_causes(err, &named);
	(void)journal_after(host, op, &act, r, &named);
	if (r < 0)
		record_trouble(device, &named,
			       "end the processes that have it open");
	return r;
}

/**
 * got_stuck() - Record that a helper had to be left behind
 * @device:	The draft's copy
 * @stuck:	The helper
 * @err:	What it was at
 */
static void got_stuck(struct device *device, const struct kernel_stuck *stuck,
		      const struct error *err)
{
	struct device_record *record = &device->record;

	record->trouble = TROUBLE_STUCK;
	record->stuck = *stuck;
	str_copy(record->reason, sizeof(record->reason), err->msg);
	str_format(record->remedy, sizeof(record->remedy),
		   "when it has come back, `ioasidctl device recover %s`",
		   device->facts.bdf);
}

/**
 * settle() - Does the device answer, with the BARs that it was given?
 *
 * Return: 0; -EIO device.unhealthy; -ETIMEDOUT: stuck; -errno.
 */
static int settle(struct host *host, struct operation *op,
		  struct device *device, struct error *err)
{
	struct kernel_stuck stuck = { .pid = 0 };
	bool mended = false;
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "answer", "config",
			   err);
	if (r < 0)
		return r;
	r = host->kernel->ops->mend_config(host->kernel, device->facts.bdf,
					   HELPER_TIMEOUT_MS, &mended, &stuck,
					   err);
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	if (mended)
		str_copy(act.step.method, sizeof(act.step.method),
			 "config, BARs written again");
	return journal_after(host, op, &act, r, err);
}

/**
 * verdict() - Does a device answer as it should after its reset?
 * @facts:	What it should be
 * @health:	What it answers
 *
 * Return: 0; -EIO device.unhealthy.
 */
static int verdict(const struct kernel_device *facts,
		   const struct kernel_health *health, struct error *err)
{
	if (health->vendor == 0xffff && health->device == 0xffff)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s answers all ones: it does not respond on the bus",
				 facts->bdf);
	/* The ids of a VF are those of its PF, and the register has none. */
	if (!facts->physfn[0] && (health->vendor != facts->vendor ||
				  health->device != facts->device))
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s says that it is %04x:%04x, but it was %04x:%04x",
				 facts->bdf, health->vendor, health->device,
				 facts->vendor, facts->device);
	if (health->power_state != 0)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s is in power state D%u and does not leave it",
				 facts->bdf, health->power_state);
	if (health->bar >= 0 && health->bar_ones)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "BAR %d of %s reads all ones", health->bar,
				 facts->bdf);
	return 0;
}

/**
 * keeps_bars() - Does the device still have its BARs, now that it was reset?
 *
 * What is read of them through the cdev are VFIO's own, which are always there.
 *
 * Return: 0; -EIO device.unhealthy; -ETIMEDOUT: stuck; -errno.
 */
static int keeps_bars(struct host *host, struct device *device,
		      struct error *err)
{
	struct kernel_stuck stuck = { .pid = 0 };
	bool mended = false;
	int r;

	r = host->kernel->ops->mend_config(host->kernel, device->facts.bdf,
					   HELPER_TIMEOUT_MS, &mended, &stuck,
					   err);
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	if (r == 0 && mended)
		r = error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
			      "%s has lost its BARs when it was reset",
			      device->facts.bdf);
	return r;
}

/**
 * check_health() - Ask the bound device how it is
 * @context:	The device, bound
 *
 * Return: 0; -EIO device.unhealthy; -ETIMEDOUT: stuck; -errno.
 */
static int check_health(struct host *host, struct operation *op,
			struct device *device,
			const struct probe_context *context,
			struct error *err)
{
	struct kernel_health health;
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "health",
			   "config, power, BAR", err);
	if (r < 0)
		return r;
	r = host->kernel->ops->vfio_health(host->kernel, context->cdev,
					   &health, err);
	if (r == 0)
		r = verdict(&device->facts, &health, err);
	if (r == 0)
		r = keeps_bars(host, device, err);
	return journal_after(host, op, &act, r, err);
}

/**
 * sanitize() - The class's own step: a reset is the only one so far
 * @context:	The device, bound, and so reset once already
 *
 * Asked for by ioctl to hear whether it works; BIND does not tell.
 *
 * Return: 0; -errno: the reset failed.
 */
static int sanitize(struct host *host, struct operation *op,
		    struct device *device, const struct probe_context *context,
		    struct error *err)
{
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "reset",
			   device->facts.reset_methods[0] ?
				   device->facts.reset_methods : "none", err);
	if (r < 0)
		return r;
	if (device->record.no_reset)
		return journal_after(host, op, &act, 0, NULL);
	r = host->kernel->ops->vfio_reset(host->kernel, context->cdev, err);
	return journal_after(host, op, &act, r, err);
}

/**
 * reset_and_check() - See that it answers; bind, which resets; reset; check;
 *			let go
 *
 * Return: 0 or -errno: the device is in quarantine.
 */
static int reset_and_check(struct host *host, struct operation *op,
			   struct device *device, struct error *err)
{
	_cleanup_probe_ struct probe_context context = PROBE_CONTEXT_NULL;
	struct error reset = ERROR_NULL;
	struct act act;
	int r, s;

	r = settle(host, op, device, err);
	if (r == 0)
		r = journal_before(host, op, &act, device->name,
				   probe_act(host), "", err);
	if (r == 0) {
		r = probe_bind(host, &device->facts, &context, err);
		r = journal_after(host, op, &act, r, err);
	}
	if (r == 0) {
		/* Why a reset fails is told by what the device answers. */
		s = sanitize(host, op, device, &context, &reset);
		r = check_health(host, op, device, &context, err);
		if (r == 0 && s < 0) {
			*err = reset;
			r = s;
		}
	}
	if (r < 0)
		record_trouble(device, err,
			       "make the device answer again (power-cycle it, or the slot)");
	return r;
}

/**
 * ladder_run() - See ladder.h
 */
int ladder_run(struct host *host, struct operation *op, struct device *device,
	       struct error *err)
{
	int r;

	device->record.trouble = TROUBLE_NONE;
	r = look_for_holders(host, op, device, err);
	if (r == 0) {
		r = driver_reregister(host, op, device, err);
		if (r < 0)
			record_trouble(device, err,
				       "see why its VFIO driver refuses it");
	}
	if (r == 0)
		r = reset_and_check(host, op, device, err);
	error_object(r < 0 ? err : NULL, "%s", device->name);
	if (r < 0)
		return r;
	device->record.reason[0] = '\0';
	device->record.remedy[0] = '\0';
	device->record.stuck = (struct kernel_stuck){ .pid = 0 };
	return 0;
}

/**
 * ladder_probe() - See ladder.h
 */
int ladder_probe(struct host *host, struct operation *op, struct draft *draft,
		 size_t i, struct error *err)
{
	struct capabilities *caps;
	bool resets;
	int r;

	if (draft->copies[i].caps)
		return 0;
	r = probe_device(host, op, &draft->copies[i], &caps, &resets, err);
	if (r == 0)
		draft_capabilities(draft, i, caps);
	return r;
}
