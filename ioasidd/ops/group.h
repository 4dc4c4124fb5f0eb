/* SPDX-License-Identifier: Apache-2.0
 *
 * group.h - what prepare, restore and start-up share: a claimed group, and the
 *	     way back to the drivers that its devices had
 */
#ifndef IOASIDD_OPS_GROUP_H
#define IOASIDD_OPS_GROUP_H

#include "ops/journal.h"

/**
 * group_claim() - Make the group of one device an operation's own
 * @op:		Its target is the device
 * @ret:	Names of its endpoints
 *
 * Return: 0; -EBUSY device.busy; -ENODEV device.not-found; and those of
 * device_check_endpoint().
 */
int group_claim(struct host *host, const struct operation *op,
		struct strv *ret, struct error *err);

/**
 * group_check_etag() - Does the caller know the device as it is?
 *
 * Return: 0; -ESTALE request.etag-mismatch.
 */
int group_check_etag(struct host *host, const char *device, const char *etag,
		     struct error *err);

/**
 * group_rollback() - Put devices back where the operation's undo says they were
 * @op:		The operation
 * @draft:	All of its devices; their records lose what prepare wrote
 *
 * Goes on when one fails: that one is quarantined or stuck, with the reason in
 * its record.
 *
 * Return: 0, or the first -errno with @err filled.
 */
int group_rollback(struct host *host, struct operation *op,
		   struct draft *draft, struct error *err);

/**
 * group_give_back() - Put one device on its former driver, by its record
 * @op:		The operation
 * @device:	The draft's copy; its record says who had it. If it does not go
 *		back, recovering it is to try that again: the caller puts it in
 *		quarantine
 *
 * Return: as driver_switch().
 */
int group_give_back(struct host *host, struct operation *op,
		    struct device *device, struct error *err);

/* record_trouble() - Quarantine the draft's copy, unless it is in trouble
 * already.
 */
void record_trouble(struct device *device, const struct error *why,
		    const char *remedy);

#endif
