/* SPDX-License-Identifier: Apache-2.0
 *
 * operation.c - operations, their steps and what they would undo
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "model/operation.h"
#include "model/table.h"

static const char *const state_names[] = {
	[OPERATION_RUNNING] = "running",
	[OPERATION_DONE] = "done",
	[OPERATION_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(state_names) == OPERATION_STATE_COUNT,
	      "every state");

static const char *const kind_names[] = {
	[OPERATION_PREPARE] = "prepare",
	[OPERATION_RESTORE] = "restore",
	[OPERATION_RECOVER] = "recover",
	[OPERATION_RECLAIM] = "reclaim",
};
static_assert(ARRAY_SIZE(kind_names) == OPERATION_KIND_COUNT, "every kind");

/**
 * operation_new() - See operation.h
 */
struct operation *operation_new(enum operation_kind kind, const char *target,
				const char *principal, const char *request_id)
{
	struct operation *op = calloc(1, sizeof(*op));
	char ulid[ULID_SIZE];

	if (!op)
		return NULL;
	ulid_make(ulid);
	str_format(op->name, sizeof(op->name), "operations/%s", ulid);
	op->kind = kind;
	str_copy(op->target, sizeof(op->target), target);
	str_copy(op->principal, sizeof(op->principal), principal);
	str_copy(op->request_id, sizeof(op->request_id), request_id);
	op->state = OPERATION_RUNNING;
	op->error = ERROR_NULL;
	op->created_us = clock_real_us();
	return op;
}

/**
 * operation_free() - See operation.h
 */
struct operation *operation_free(struct operation *op)
{
	if (!op)
		return NULL;
	free(op->steps);
	free(op->undo);
	free(op);
	return NULL;
}

/**
 * operation_add_step() - See operation.h
 */
int operation_add_step(struct operation *op, const struct step *step)
{
	struct step *more;

	str_copy(op->step, sizeof(op->step), step->act);
	if (op->n_steps == OPERATION_STEPS_MAX) {
		op->steps[op->n_steps - 1] = *step;
		return 0;
	}
	more = reallocarray(op->steps, op->n_steps + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	op->steps = more;
	op->steps[op->n_steps++] = *step;
	return 0;
}

/**
 * operation_add_undo() - See operation.h
 */
int operation_add_undo(struct operation *op, const struct undo *undo)
{
	struct undo *more;

	more = reallocarray(op->undo, op->n_undo + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	op->undo = more;
	op->undo[op->n_undo++] = *undo;
	return 0;
}

/**
 * operation_state_name() - See operation.h
 */
const char *operation_state_name(enum operation_state state)
{
	return state_names[state];
}

/**
 * operation_state_from_name() - See operation.h
 */
int operation_state_from_name(const char *name, enum operation_state *ret)
{
	int i = table_find(state_names, ARRAY_SIZE(state_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}

/**
 * operation_kind_name() - See operation.h
 */
const char *operation_kind_name(enum operation_kind kind)
{
	return kind_names[kind];
}

/**
 * operation_kind_from_name() - See operation.h
 */
int operation_kind_from_name(const char *name, enum operation_kind *ret)
{
	int i = table_find(kind_names, ARRAY_SIZE(kind_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}
