/* SPDX-License-Identifier: Apache-2.0
 *
 * space.h - what the verbs for spaces and their windows share
 */
#ifndef IOASIDCTL_SPACE_H
#define IOASIDCTL_SPACE_H

#include "ioasid/v1/space.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/window-spec.h"

/* Filled by SPACE_OPTIONS, which verbs that change a space have. */
extern bool space_dry_run;

#define SPACE_OPTIONS                                                      \
	{ "dry-run", 'n', OPTION_FLAG, &space_dry_run, NULL,               \
	  "check everything, change nothing" }

/* space_show() - Show a space for a person. */
void space_show(const Ioasid__V1__Space *space);

/**
 * space_call() - Call a method that answers with a space, and show that
 * @method:	"Spaces/GetSpace"
 * @request:	Its request message
 * @object:	What it is about
 *
 * Return: the exit code of the verb.
 */
int space_call(struct ctl *ctl, const char *method,
	       const ProtobufCMessage *request, const char *object);

/**
 * space_get() - Read a space
 * @name:	Its name
 * @ret:	The space; message_free()
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int space_get(struct ctl *ctl, char *name, Ioasid__V1__Space **ret);

/**
 * space_set_windows() - Say what a space promises, and show it then
 * @name:	Its name
 * @wishes:	All that it is to promise
 * @etag:	Only if its lease is as it was then; NULL in any case
 *
 * Return: the exit code of the verb.
 */
int space_set_windows(struct ctl *ctl, char *name, struct window_wishes *wishes,
		      char *etag);

/**
 * space_number() - Read START or SIZE of a window
 * @what:	Which of them
 * @text:	As it stands on the command line
 * @ret:	Bytes
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int space_number(const char *what, const char *text, uint64_t *ret);

/**
 * space_find_window() - The window of a space that begins somewhere
 * @space:	The space
 * @start:	Where
 * @ret:	Its index
 *
 * Return: CTL_DONE; CTL_FAILED if there is none, and it has been said.
 */
int space_find_window(const Ioasid__V1__Space *space, uint64_t start,
		      size_t *ret);

#endif
