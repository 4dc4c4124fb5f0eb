/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - all of the simulated machine as text, to see what has changed
 *
 * A line for each thing, in an order that depends on nothing but the state:
 * what is as before reads as before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/function.h"
#include "kernel/sim/sim.h"

/**
 * write_device() - One function, without what cannot change
 */
static void write_device(const struct sim_device *device, FILE *out)
{
	const struct kernel_device *facts = &device->facts;

	if (!device->present) {
		fprintf(out, "device %s absent\n", facts->bdf);
		return;
	}

	fprintf(out, "device %s driver=%s", facts->bdf, facts->driver);
	if (device->override[0])
		fprintf(out, " override=%s", device->override);
	if (facts->vfio)
		fprintf(out, " cdev=%s", facts->cdev_name);
	if (device->n_files)
		fprintf(out, " files=%u", device->n_files);
	if (device->bound)
		fprintf(out, " bound=%u", device->bound->dev_id);
	if (device->lock_owner)
		fprintf(out, " locked");
	if (facts->sriov_total)
		fprintf(out, " vfs=%u", facts->sriov_num);
	if (device->bus_dead)
		fprintf(out, " dead");
	if (device->function && device->function->n_faults)
		fprintf(out, " faults=%u fault=0x%" PRIx64,
			device->function->n_faults,
			device->function->fault_iova);
	fprintf(out, "\n");
}

/**
 * context_of() - A context that somebody has open, or has bound a device to
 * @file:	A file
 * @first:	The first file of all
 *
 * Return: that of @file, unless a file before it has the same; NULL.
 */
static const struct sim_context *context_of(const struct sim_file *file,
					    const struct sim_file *first)
{
	if (!file->context)
		return NULL;
	for (; first != file; first = first->next)
		if (first->context == file->context)
			return NULL;

	return file->context;
}

/**
 * write_all() - The whole machine
 */
static void write_all(const struct sim *sim, FILE *out)
{
	unsigned int n = 0;

	for (size_t i = 0; i < sim->n_devices; i++)
		write_device(sim->devices[i], out);
	for (size_t i = 0; i < sim->n_groups; i++)
		if (sim->groups[i]->n_bound)
			fprintf(out, "group %d bound=%u\n",
				sim->groups[i]->facts.number,
				sim->groups[i]->n_bound);
	for (const struct sim_file *file = sim->files; file; file = file->next)
		if (context_of(file, sim->files)) {
			fprintf(out, "context %u\n", n++);
			sim_context_state(file->context, out);
		}
}

/* sim_state() - All that a test could find changed */
int sim_state(struct sim *sim, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool bad;

	if (!out)
		return -ENOMEM;
	write_all(sim, out);
	bad = ferror(out);
	/* Closing is what makes @text, so it comes in any case. */
	if (fclose(out) || bad || !text)
		return -ENOMEM;

	*ret = TAKE_PTR(text);
	return 0;
}
