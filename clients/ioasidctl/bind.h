/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.h - what the verbs for page tables and dirty tracking share
 */
#ifndef IOASIDCTL_BIND_H
#define IOASIDCTL_BIND_H

#include "ioasid/v1/page_table.pb-c.h"
#include "ioasidctl/ctl.h"

/* Filled by BIND_OPTIONS, which verbs that change a page table have. */
extern bool bind_dry_run;

#define BIND_OPTIONS                                                       \
	{ "dry-run", 'n', OPTION_FLAG, &bind_dry_run, NULL,                \
	  "check everything, change nothing" }

/* Filled by PASID_OPTION; 0 for none. */
extern uint64_t bind_pasid;

#define PASID_OPTION                                                       \
	{ "pasid", 'p', OPTION_NUMBER, &bind_pasid, "PASID",               \
	  "only the DMA with this PASID" }

/* bind_show() - Show a page table for a person. */
void bind_show(const Ioasid__V1__PageTable *table);

/**
 * bind_call() - Call a method that answers with a page table, and show that
 * @method:	"PageTables/GetPageTable"
 * @request:	Its request message
 * @object:	What it is about
 *
 * Return: the exit code of the verb.
 */
int bind_call(struct ctl *ctl, const char *method,
	      const ProtobufCMessage *request, const char *object);

/* bind_type_word() - What its data is: "host", "vtd-s1", or a number.
 * Return: @ret.
 */
const char *bind_type_word(uint32_t data_type, char ret[16]);

/**
 * bind_hex() - Read bytes as hexadecimal digits
 * @what:	The option, for the words
 * @text:	As it stands on the command line
 * @ret:	Their place, @max of it
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int bind_hex(const char *what, const char *text, uint8_t *ret, size_t max,
	     size_t *ret_n);

/**
 * bind_places() - The names of a page table and a device, and a PASID
 * @args:	The first two
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int bind_places(char **args, char name[CTL_NAME_SIZE],
		char device[CTL_NAME_SIZE]);

/* dirty_set() - Turn dirty tracking of a page table on or off, and show it. */
int dirty_set(struct ctl *ctl, const char *arg, bool on);

#endif
