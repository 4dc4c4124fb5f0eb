/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - what clients see: what all objects have, and operations
 */
#include "front/view.h"

#include <assert.h>
#include <stdio.h>

#include "ops/ops.h"

/**
 * view_time() - A moment
 * @arena:	Where it goes
 * @us:		Microseconds since 1970; 0 for none
 *
 * Return: the moment; NULL for none.
 */
pb_timestamp *view_time(struct arena *arena, uint64_t us)
{
	pb_timestamp *time;

	if (!us)
		return NULL;
	time = arena_message(arena, &google__protobuf__timestamp__descriptor);
	if (!time)
		return NULL;
	time->seconds = (int64_t)(us / 1000000);
	time->nanos = (int32_t)(us % 1000000 * 1000);

	return time;
}

/**
 * view_etag() - An object's etag
 * @arena:	Where it goes
 * @revision:	The object's
 */
char *view_etag(struct arena *arena, uint64_t revision)
{
	char etag[24];

	etag_of(revision, etag);
	return arena_text(arena, etag);
}

/* view_array() - See view.h */
void *view_array(struct arena *arena, size_t n)
{
	return n ? arena_alloc(arena, n * sizeof(void *)) : NULL;
}

/* view_causes() - See view.h */
pb_cause **view_causes(struct arena *arena, const struct error *err,
		       size_t *ret_n)
{
	pb_cause **causes = view_array(arena, err->n_causes);

	*ret_n = 0;
	for (size_t i = 0; causes && i < err->n_causes; i++) {
		pb_cause *cause = arena_message(arena, PB(cause));

		if (!cause)
			break;
		cause->kind = arena_text(arena, err->causes[i].kind);
		cause->name = arena_text(arena, err->causes[i].name);
		cause->detail = arena_text(arena, err->causes[i].detail);
		causes[(*ret_n)++] = cause;
	}
	return causes;
}

/**
 * view_step() - One step
 * @arena:	Where it goes
 * @step:	The step
 */
static pb_step *view_step(struct arena *arena, const struct step *step)
{
	pb_step *ret = arena_message(arena, PB(step));

	if (!ret)
		return NULL;
	ret->object = arena_text(arena, step->object);
	ret->act = arena_text(arena, step->act);
	ret->method = arena_text(arena, step->method);
	ret->result = arena_text(arena, step->result);
	ret->took_us = step->took_us;
	ret->at = view_time(arena, step->at_us);

	return ret;
}

/**
 * view_left_out() - A step that says that some are missing
 * @arena:	Where it goes
 * @n:		How many
 */
static pb_step *view_left_out(struct arena *arena, size_t n)
{
	struct step step = { .act = "..." };

	snprintf(step.result, sizeof(step.result),
		 "%zu earlier steps are left out: they do not fit", n);
	return view_step(arena, &step);
}

/* view_steps() - Filled from the end, so that what is left out is the beginning */
pb_step **view_steps(struct arena *arena, const struct operation *op,
		     size_t room, size_t *ret_n)
{
	size_t n = op ? op->n_steps : 0, first = n, size = 0;
	pb_step **steps = view_array(arena, n);

	*ret_n = 0;
	if (!steps)
		return NULL;
	while (first) {
		pb_step *step = view_step(arena, &op->steps[first - 1]);

		if (!step)
			return NULL;
		/* 1 for the tag, 2 for the length */
		size += 3 + ioasid__v1__step__get_packed_size(step);
		if (size > room)
			break;
		steps[--first] = step;
	}
	if (first) {
		steps[first - 1] = view_left_out(arena, first);
		if (!steps[--first])
			return NULL;
	}
	*ret_n = n - first;

	return steps + first;
}

/**
 * view_error() - Why an operation failed
 * @arena:	Where it goes
 * @err:	The error; ERROR_NONE for none
 */
static pb_error *view_error(struct arena *arena, const struct error *err)
{
	const struct error_kind *kind = error_kind(err->kind);
	pb_error *ret;

	if (err->kind == ERROR_NONE)
		return NULL;
	ret = arena_message(arena, PB(error));
	if (!ret)
		return NULL;
	ret->id = arena_text(arena, kind->id);
	ret->message = arena_text(arena, err->msg);
	ret->object = arena_text(arena, err->object);
	ret->remedy = arena_text(arena,
				 *err->remedy ? err->remedy : kind->remedy);
	ret->causes = view_causes(arena, err, &ret->n_causes);

	return ret;
}

static const Ioasid__V1__Operation__State operation_states[] = {
	[OPERATION_RUNNING] = IOASID__V1__OPERATION__STATE__RUNNING,
	[OPERATION_DONE] = IOASID__V1__OPERATION__STATE__DONE,
	[OPERATION_FAILED] = IOASID__V1__OPERATION__STATE__FAILED,
};
static_assert(ARRAY_SIZE(operation_states) == OPERATION_STATE_COUNT,
	      "each operation state has a number in the contract");

/* view_operation_state() - See view.h */
int view_operation_state(const struct operation *op)
{
	return operation_states[op->state];
}

/* view_operation() - An operation */
pb_operation *view_operation(struct arena *arena, const struct operation *op)
{
	pb_operation *ret = arena_message(arena, PB(operation));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, op->name);
	ret->revision = op->revision;
	ret->etag = view_etag(arena, op->revision);
	ret->kind = arena_text(arena, operation_kind_name(op->kind));
	ret->target = arena_text(arena, op->target);
	ret->state = operation_states[op->state];
	ret->step = arena_text(arena, op->step);
	ret->steps = view_steps(arena, op, VIEW_STEPS_SIZE, &ret->n_steps);
	ret->principal = arena_text(arena, op->principal);
	ret->request_id = arena_text(arena, op->request_id);
	if (op->state == OPERATION_FAILED)
		ret->error = view_error(arena, &op->error);
	ret->created = view_time(arena, op->created_us);
	ret->ended = view_time(arena, op->ended_us);
	ret->cancelling = op->state == OPERATION_RUNNING && op->cancelling;

	return ret;
}
