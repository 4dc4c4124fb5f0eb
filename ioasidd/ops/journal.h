/* SPDX-License-Identifier: Apache-2.0
 *
 * journal.h - an operation's record: begun, each act before it is done, ended
 */
#ifndef IOASIDD_OPS_JOURNAL_H
#define IOASIDD_OPS_JOURNAL_H

#include "ops/commit.h"
#include "ops/ops.h"

/**
 * struct act - One act upon the host that is being done
 * @step:	What becomes of the record
 * @start_ns:	When it began, monotonic
 */
struct act {
	struct step step;
	uint64_t start_ns;
};

/**
 * same_wish() - Do two requests of one id ask for the same?
 * @before:	Fingerprint of the first; empty if it was made by a version that
 *		kept none, then it is taken for the same
 * @now:	Of the second
 */
bool same_wish(const char *before, const char *now);

/**
 * refuse_reuse() - Say that a request id stands for something else
 * @request_id:	The id
 * @made:	What was made with it
 *
 * Return: -EEXIST request.id-reused.
 */
int refuse_reuse(const char *request_id, const char *made, struct error *err);

/**
 * journal_replay() - Has the caller asked for this before?
 * @change:	What it asks for now
 * @kind:	Likewise
 * @ret:	Name of the operation it made then
 *
 * Return: 1 if so; 0 if not; -EEXIST request.id-reused.
 */
int journal_replay(struct host *host, const struct caller *caller,
		   const struct change *change, enum operation_kind kind,
		   char ret[NAME_SIZE], struct error *err);

/**
 * journal_begin_consume() - Make an operation durable, then visible
 * @op:		The operation with its undo; owned by the registry on success,
 *		freed on failure
 * @lease:	A copy of a lease, what it is while the operation runs; changes
 *		places with the registry's. NULL for none.
 *
 * Return: 0 or -errno: nothing has begun.
 */
int journal_begin_consume(struct host *host, struct operation *op,
			  struct lease *lease, struct error *err);

/* journal_settle() - From now on it is not to be stopped: it walks back, or is
 * over.
 */
void journal_settle(struct host *host, struct operation *op);

/**
 * journal_before() - Write down what is about to be done
 * @op:		The caller's operation
 * @act:	For journal_after()
 * @object:	Resource name of what it is done to
 * @name:	What is done
 * @method:	How; empty if there is one way
 *
 * Return: 0 when it is durable; -errno: do not do it; of these -ECANCELED
 * operation.cancelled: it was asked to stop.
 */
int journal_before(struct host *host, struct operation *op, struct act *act,
		   const char *object, const char *name, const char *method,
		   struct error *err);

/**
 * journal_after() - Write down how it went
 * @r:		0 or -errno
 * @err:	With @r negative: the words; NULL for those of errno
 *
 * It becomes durable with the next commit of the operation.
 *
 * Return: @r.
 */
int journal_after(struct host *host, struct operation *op, struct act *act,
		  int r, const struct error *err);

/**
 * journal_end() - End an operation: what it made, and its result, in one commit
 * @r:		0: done; -errno: failed, for the reason in @why
 * @lease:	What the lease became; NULL for none
 * @draft:	What devices became; NULL for none
 *
 * Who waits for it is told, and finds the devices of @draft free: their claim
 * ends with it. Claims of an operation without @draft, or whose end could not
 * be recorded, stay; see registry_unclaim().
 *
 * Return: 0 or -errno: the outcome could not be made durable.
 */
int journal_end(struct host *host, struct operation *op, int r,
		const struct error *why, struct lease *lease,
		struct draft *draft, struct error *err);

/* journal_trim() - Forget what has ended and is beyond the history. On a worker,
 * whenever something has ended.
 */
void journal_trim(struct host *host);

#endif
