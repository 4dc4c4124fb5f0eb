/* SPDX-License-Identifier: Apache-2.0
 *
 * attach-reasons.c - why the kernel does not put a device on a space
 */
#include "ops/attach-reasons.h"

#include <errno.h>
#include <inttypes.h>

#include "base/str.h"

/**
 * find_device() - The draft's copy that an error is about
 *
 * Return: NULL if it is about none.
 */
static const struct device *find_device(const struct draft *draft,
					const struct error *err)
{
	for (size_t i = 0; i < draft->n; i++)
		if (str_eq(draft->copies[i].name, err->object))
			return &draft->copies[i];
	return NULL;
}

/**
 * name_siblings() - Name the other devices of a group, and where they are
 * @device:	The device that is refused
 * @ret:	A filled error: each is added as a cause
 *
 * Return: how many.
 */
static size_t name_siblings(const struct draft *draft,
			    const struct lease *lease,
			    const struct device *device, struct error *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < draft->n; i++) {
		const struct device *other = &draft->copies[i];
		const struct space *on;

		if (other == device ||
		    other->facts.group != device->facts.group)
			continue;
		on = lease_space_of(lease, other->name);
		error_cause(ret, "device", other->name,
			    "of the same group, was put on %s, and where its holder has put it since",
			    on ? on->name : "no space");
		n++;
	}
	return n;
}

/**
 * name_ranges() - Name what a device cannot use of all addresses
 * @caps:	What its probe has found
 * @ret:	A filled error: each is added as a cause
 *
 * Return: how many.
 */
static size_t name_ranges(const struct capabilities *caps, const char *name,
			  struct error *ret)
{
	uint64_t from = 0;
	size_t i, n = 0;

	for (i = 0; i < caps->n_ranges; i++) {
		const struct kernel_range *range = &caps->ranges[i];

		if (range->start > from) {
			error_cause(ret, "range", name,
				    "cannot use 0x%" PRIx64 "-0x%" PRIx64,
				    from, range->start - 1);
			n++;
		}
		from = range->last + 1;
	}
	if (i == 0 || from == 0)
		return n;
	error_cause(ret, "range", name, "cannot use 0x%" PRIx64 "-0x%" PRIx64,
		    from, UINT64_MAX);
	return n + 1;
}

/* attach_reasons() - See attach-reasons.h */
void attach_reasons(const struct draft *draft, const struct lease *lease,
		    const struct space *space, int number, struct error *err)
{
	const struct device *device = find_device(draft, err);
	struct error named = ERROR_NULL;
	size_t n = 0;

	if (!device)
		return;
	if (number == EINVAL) {
		error_set(&named, -number, ERROR_SPACE_SIBLING,
			  "%s cannot be put on %s: another device of its group is elsewhere, and they cannot be apart",
			  device->facts.bdf, space->name);
		n = name_siblings(draft, lease, device, &named);
	} else if (number == EADDRINUSE && device->caps) {
		error_set(&named, -number, ERROR_SPACE_OCCUPIED,
			  "%s cannot be put on %s: its holder has mapped memory, or promised to, at what the device cannot use",
			  device->facts.bdf, space->name);
		n = name_ranges(device->caps, device->name, &named);
	}
	if (!n)
		return;
	error_object(&named, "%s", device->name);
	*err = named;
}
