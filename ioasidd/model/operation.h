/* SPDX-License-Identifier: Apache-2.0
 *
 * operation.h - operations: journalled changes with their steps and result
 *
 * Pure. Guarded by the registry's lock.
 */
#ifndef IOASIDD_MODEL_OPERATION_H
#define IOASIDD_MODEL_OPERATION_H

#include "model/lease.h"

#define OPERATION_STEPS_MAX 1024

enum operation_state {
	OPERATION_RUNNING,
	OPERATION_DONE,
	OPERATION_FAILED,
	OPERATION_STATE_COUNT
};

enum operation_kind {
	OPERATION_PREPARE,	/* a group, to VFIO */
	OPERATION_RESTORE,	/* a group, back to its drivers */
	OPERATION_RECOVER,	/* a device, out of quarantine */
	OPERATION_RECLAIM,	/* a lease, its devices made safe */
	OPERATION_KIND_COUNT
};

/**
 * struct step - One act upon the host with its result
 * @object:	Resource name
 * @act:	"unbind", "probe", "re-register", "reset", "health", ...
 * @method:	How; empty if there is one way
 * @result:	"ok", or what went wrong
 * @took_us:	How long it took
 * @at_us:	When it began
 */
struct step {
	char object[NAME_SIZE];
	char act[24];
	char method[32];
	char result[256];
	uint64_t took_us;
	uint64_t at_us;
};

/**
 * struct undo - What one device was before an operation touched it
 * @device:	Its name
 * @driver:	The driver it had; empty for none
 * @override:	Its driver_override; empty for none
 */
struct undo {
	char device[NAME_SIZE];
	char driver[DRIVER_SIZE];
	char override[DRIVER_SIZE];
};

/**
 * struct operation - One operation
 * @name:	"operations/<ULID>"
 * @revision:	Of its last change
 * @request_id:	The caller's; empty for none
 * @fingerprint: Of the request; empty if it is not known
 * @principal:	Who asked for it, see struct caller
 * @kind:	What it does
 * @target:	Resource name of the object it changes
 * @state:	Where it stands
 * @step:	The act at work or the last one
 * @steps:	What was done; @n_steps of them
 * @undo:	What it changes was before, written before it is begun; @n_undo
 * @error:	Why it failed
 * @cancellable: It can still be walked back; not kept over a restart
 * @cancelling:	It was asked to stop; likewise
 * @created_us:	When it was accepted
 * @ended_us:	When it ended; 0 before
 */
struct operation {
	char name[NAME_SIZE];
	uint64_t revision;
	char request_id[REQUEST_ID_MAX + 1];
	char fingerprint[REQUEST_FINGERPRINT_SIZE];
	char principal[PRINCIPAL_SIZE];
	enum operation_kind kind;
	char target[NAME_SIZE];
	enum operation_state state;
	char step[24];
	struct step *steps;
	size_t n_steps;
	struct undo *undo;
	size_t n_undo;
	struct error error;
	bool cancellable, cancelling;
	uint64_t created_us, ended_us;
};

/* operation_new() - A running one, named. Return: NULL without memory. */
struct operation *operation_new(enum operation_kind kind, const char *target,
				const char *principal, const char *request_id);

/* operation_free() - NULL is allowed. Return: NULL. */
struct operation *operation_free(struct operation *op);

/* operation_add_step() - Append a step. Past OPERATION_STEPS_MAX the last one
 * is overwritten. Return: 0 or -ENOMEM.
 */
int operation_add_step(struct operation *op, const struct step *step);

/* operation_add_undo() - Append what a device was. Return: 0 or -ENOMEM. */
int operation_add_undo(struct operation *op, const struct undo *undo);

const char *operation_state_name(enum operation_state state);
int operation_state_from_name(const char *name, enum operation_state *ret);
const char *operation_kind_name(enum operation_kind kind);
int operation_kind_from_name(const char *name, enum operation_kind *ret);

#endif
