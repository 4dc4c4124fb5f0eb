/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.h - a line for every change and every refusal
 *
 *	audit: principal=uid:1000 pid=4711 via=native method=Leases/CreateLease
 *	object=devices/pci-0000-3b-00.0 outcome=ok made=leases/01k...
 *
 * in one line, words in this order; what there is none of is "-". The outcome is
 * "ok" or the error's id. With dry-run=yes at the end nothing was changed. With
 * the journal, MESSAGE_ID tells changes from refusals, see ioasidd(8).
 *
 * All changes are written. Of refusals, which cost whoever is refused nothing,
 * only so many a second; how many were left out says the next one. Nothing is
 * written that is a secret: of a request its object, of a reply its name.
 *
 * From every thread.
 */
#ifndef IOASIDD_FRONT_AUDIT_H
#define IOASIDD_FRONT_AUDIT_H

#include "front/methods.h"

/**
 * audit_record() - Write down what became of a request, if that is to be
 * @method:	What was asked for
 * @change:	It is a method that changes something
 * @caller:	Who asked
 * @input:	The request message; NULL if it was refused unread
 * @reply:	The reply message; NULL if there is none
 * @r:		What the handler has returned
 * @err:	Filled if that is negative
 */
void audit_record(const struct method *method, bool change,
		  const struct caller *caller, const ProtobufCMessage *input,
		  const ProtobufCMessage *reply, int r,
		  const struct error *err);

#endif
