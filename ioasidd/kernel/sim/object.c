/* SPDX-License-Identifier: Apache-2.0
 *
 * object.c - contexts of the simulated machine, and what is in them
 */
#include "kernel/sim/object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sim/memory.h"
#include "kernel/sim/rule.h"

/* sim_context_new() - An empty context */
int sim_context_new(struct sim *sim, struct sim_context **ret)
{
	struct sim_context *context = calloc(1, sizeof(*context));

	if (!context)
		return -ENOMEM;

	context->sim = sim;
	context->refs = 1;
	*ret = context;
	return 0;
}

/* sim_context_machine() - The machine it is of */
struct sim *sim_context_machine(const struct sim_context *context)
{
	return context->sim;
}

/* sim_context_ref() - Hold it */
struct sim_context *sim_context_ref(struct sim_context *context)
{
	context->refs++;
	return context;
}

/* sim_context_unref() - Let go of it: with the last one all objects end */
struct sim_context *sim_context_unref(struct sim_context *context)
{
	if (!context || --context->refs)
		return NULL;
	if (!sim_rule(SIM_RULE_CONTEXT_END_UNPINS))
		return NULL;

	/* Leaves first: each that ends makes others leaves. */
	while (context->n_objects)
		for (size_t i = context->n_objects; i-- > 0;) {
			struct sim_object *object = context->objects[i];

			if (object->kind == SIM_OBJECT_DEVICE)
				sim_context_remove_device(context, object->id);
			else if (!object->users)
				sim_object_end(context, object);
			else
				continue;
			break;
		}

	free(context->objects);
	free(context);
	return NULL;
}

/* place_of() - Where an id is, or would be */
static size_t place_of(const struct sim_context *context, uint32_t id)
{
	size_t low = 0, high = context->n_objects;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (context->objects[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

/* sim_object_find() - The object of an id */
struct sim_object *sim_object_find(const struct sim_context *context,
				   uint32_t id)
{
	size_t at = place_of(context, id);

	if (at == context->n_objects || context->objects[at]->id != id ||
	    context->objects[at]->kind == SIM_OBJECT_GONE)
		return NULL;

	return context->objects[at];
}

/* sim_object_get() - One of a kind */
int sim_object_get(const struct sim_context *context, uint32_t id,
		   enum sim_object_kind kind, void *ret)
{
	struct sim_object *object = sim_object_find(context, id);

	if (!object || object->kind != kind)
		return sim_rule(SIM_RULE_NO_OBJECT_ENOENT) ? -ENOENT : -EINVAL;

	*(struct sim_object **)ret = object;
	return 0;
}

/* free_id() - The lowest id that is free. The ids are sorted and begin with 1,
 * so up to the first gap each is one more than its place.
 */
static uint32_t free_id(const struct sim_context *context)
{
	uint32_t id = 1;

	if (!sim_rule(SIM_RULE_ID_LOWEST_FREE))
		return context->highest_id + 1;

	while (id <= context->n_objects && context->objects[id - 1]->id == id)
		id++;

	return id;
}

/* sim_object_add() - Give it an id and put it in */
int sim_object_add(struct sim_context *context, struct sim_object *object)
{
	struct sim_object **more;
	size_t at;

	more = reallocarray(context->objects, context->n_objects + 1,
			    sizeof(*more));
	if (!more)
		return -ENOMEM;
	context->objects = more;

	object->id = free_id(context);
	if (object->id > context->highest_id)
		context->highest_id = object->id;

	at = place_of(context, object->id);
	memmove(&more[at + 1], &more[at],
		(context->n_objects - at) * sizeof(*more));
	more[at] = object;
	context->n_objects++;
	return 0;
}

/* free_space() - End a space that no page table translates */
static void free_space(struct sim_space *space)
{
	sim_space_unmap(space, 0, space->ioas.n_areas);
	sim_ioas_deinit(&space->ioas);
	free(space);
}

/* sim_object_end() - Take it out and free it */
void sim_object_end(struct sim_context *context, struct sim_object *object)
{
	size_t at = place_of(context, object->id);

	context->n_objects--;
	memmove(&context->objects[at], &context->objects[at + 1],
		(context->n_objects - at) * sizeof(*context->objects));

	switch (object->kind) {
	case SIM_OBJECT_SPACE:
		free_space((struct sim_space *)object);
		break;
	case SIM_OBJECT_TABLE:
	case SIM_OBJECT_NESTED:
		sim_table_free((struct sim_table *)object);
		break;
	case SIM_OBJECT_DEVICE:
		free(((struct sim_bound *)object)->attachments);
		free(object);
		break;
	case SIM_OBJECT_VIOMMU:
		sim_viommu_free((struct sim_viommu *)object);
		break;
	case SIM_OBJECT_VDEVICE:
		sim_vdevice_free((struct sim_vdevice *)object);
		break;
	case SIM_OBJECT_FAULTS:
	case SIM_OBJECT_GONE:
		free(object);
		break;
	}
}

/* --- for sim_state() --- */

/* space_state() - A line for a space, one for each mapping */
static void space_state(const struct sim_space *space, FILE *out)
{
	const struct sim_ioas *ioas = &space->ioas;
	char words[96];

	fprintf(out, "  space %u alignment %" PRIu64 "%s\n", space->object.id,
		ioas->alignment, ioas->small_pages ? " small-pages" : "");
	for (size_t i = 0; i < ioas->windows.n; i++)
		fprintf(out, "    window %" PRIx64 "-%" PRIx64 "\n",
			ioas->windows.ranges[i].start,
			ioas->windows.ranges[i].last);
	for (size_t i = 0; i < ioas->n_areas; i++) {
		sim_memory_words(ioas->areas[i].memory, words, sizeof(words));
		fprintf(out, "    map %" PRIx64 "-%" PRIx64 " %s%s %s\n",
			ioas->areas[i].iova, ioas->areas[i].last,
			ioas->areas[i].readable ? "r" : "-",
			ioas->areas[i].writeable ? "w" : "-", words);
	}
}

/* table_state() - A line for a page table */
static void table_state(const struct sim_table *table, FILE *out)
{
	fprintf(out, "  table %u on %u%s%s%s%s%s\n", table->object.id,
		table->viommu ? table->viommu->object.id :
		table->parent ? table->parent->object.id :
				table->space->object.id,
		table->automatic ? " automatic" : "",
		table->nest_parent ? " nest-parent" : "",
		table->pasid ? " pasid" : "",
		table->dirty_tracking ? " dirty-tracking" : "",
		table->watched ? " watched" : "");
	if (table->faults)
		fprintf(out, "    faults to %u\n", table->faults->object.id);
	for (size_t i = 0; i < table->n_dirty; i++)
		fprintf(out, "    dirty %" PRIx64 "\n", table->dirty[i]);
}

/* viommu_state() - A line for a guest's share of an IOMMU */
static void viommu_state(const struct sim_viommu *viommu, FILE *out)
{
	fprintf(out, "  viommu %u on %u\n", viommu->object.id,
		viommu->parent->object.id);
}

/* vdevice_state() - A line for what a guest calls a device */
static void vdevice_state(const struct sim_vdevice *vdevice, FILE *out)
{
	fprintf(out, "  vdevice %u of viommu %u, device %u as %" PRIx64 "\n",
		vdevice->object.id, vdevice->viommu->object.id,
		vdevice->bound->object.id, vdevice->virt_id);
}

/* bound_state() - A line for a device */
static void bound_state(const struct sim_bound *bound, FILE *out)
{
	fprintf(out, "  device %u %s", bound->object.id,
		bound->device->facts.bdf);
	for (size_t i = 0; i < bound->n; i++) {
		fprintf(out, " on %u",
			bound->attachments[i].table->object.id);
		if (bound->attachments[i].pasid != SIM_NO_PASID)
			fprintf(out, " pasid %u", bound->attachments[i].pasid);
	}
	fprintf(out, "\n");
}

/* sim_context_state() - A line for each object */
void sim_context_state(const struct sim_context *context, FILE *out)
{
	fprintf(out, "context%s\n", context->per_process ? " per-process" : "");
	for (size_t i = 0; i < context->n_objects; i++) {
		const struct sim_object *object = context->objects[i];

		switch (object->kind) {
		case SIM_OBJECT_SPACE:
			space_state((const struct sim_space *)object, out);
			break;
		case SIM_OBJECT_TABLE:
		case SIM_OBJECT_NESTED:
			table_state((const struct sim_table *)object, out);
			break;
		case SIM_OBJECT_DEVICE:
			bound_state((const struct sim_bound *)object, out);
			break;
		case SIM_OBJECT_FAULTS:
			fprintf(out, "  faults %u\n", object->id);
			break;
		case SIM_OBJECT_VIOMMU:
			viommu_state((const struct sim_viommu *)object, out);
			break;
		case SIM_OBJECT_VDEVICE:
			vdevice_state((const struct sim_vdevice *)object, out);
			break;
		case SIM_OBJECT_GONE:
			fprintf(out, "  gone %u\n", object->id);
			break;
		}
	}
}
