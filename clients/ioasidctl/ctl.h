/* SPDX-License-Identifier: Apache-2.0
 *
 * ctl.h - what the verbs of ioasidctl share: the call, the words, exit codes
 */
#ifndef IOASIDCTL_CTL_H
#define IOASIDCTL_CTL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ioasid/v1/operation.pb-c.h"
#include "ioasidctl/options.h"
#include "libioasid/ioasid.h"

/* What ioasidctl exits with; in --help and ioasidctl(1). */
enum ctl_exit {
	/* What was asked for is so. */
	CTL_DONE = 0,
	/* The daemon refused it, or it failed. */
	CTL_FAILED = 1,
	/* The command line makes no sense. */
	CTL_USAGE = 2,
	/* The daemon cannot be reached, or went away. */
	CTL_UNREACHABLE = 3,
	/* The time was over, or the operation still runs. */
	CTL_PENDING = 4,
	/* run: the command cannot be executed, as of env(1). */
	CTL_CANNOT_EXEC = 126,
	/* run: there is no such command. */
	CTL_NO_COMMAND = 127,
};

/**
 * struct ctl - One run of ioasidctl
 * @socket:	Where the daemon is; NULL for the default
 * @json:	For programs
 * @timeout_ms:	For each answer, and for an operation; -1 for no limit
 * @conn:	The connection; NULL before the first call
 */
struct ctl {
	const char *socket;
	bool json;
	int timeout_ms;
	struct ioasid *conn;
};

/**
 * struct verb - Something that ioasidctl does
 * @name:	One to three words: "lease create"
 * @args:	What follows it, for the usage
 * @summary:	What it does, one line
 * @details:	More, for its own --help; NULL for nothing
 * @options:	Its own options, ended by one without a name
 * @min_args:	How many arguments it takes at least
 * @max_args:	And at most; -1 for any number
 * @command:	What follows the first argument is not ours to read
 * @run:	Does it; returns enum ctl_exit
 */
struct verb {
	const char *name;
	const char *args;
	const char *summary;
	const char *details;
	const struct option_spec *options;
	int min_args;
	int max_args;
	bool command;
	int (*run)(struct ctl *ctl, char **args, int n_args);
};

extern const struct verb verb_devices, verb_device_show, verb_device_recover,
	verb_groups, verb_prepare, verb_restore, verb_lease_create,
	verb_lease_list, verb_lease_show, verb_lease_release,
	verb_operation_list, verb_operation_show, verb_operation_wait,
	verb_operation_cancel, verb_watch, verb_version, verb_run,
	verb_machine_capture, verb_lease_token_reissue, verb_policy_check,
	verb_map_list, verb_space_list, verb_space_show, verb_space_create,
	verb_space_delete, verb_space_attach, verb_space_detach,
	verb_window_set, verb_window_add, verb_window_resize,
	verb_window_remove, verb_window_plan, verb_bind_list, verb_bind_show,
	verb_bind_create, verb_bind_delete, verb_bind_attach,
	verb_bind_detach, verb_bind_invalidate, verb_dirty_on,
	verb_dirty_off, verb_dirty_show, verb_usage;

/* No option; what ends a table of them. */
#define NO_MORE_OPTIONS { .name = NULL }

/**
 * struct ctl_change - What every verb that starts an operation can be told
 * @wait:	Wait for its end, as without it
 * @no_wait:	Print the operation's name instead of waiting for its end
 * @dry_run:	Check everything, change nothing
 */
struct ctl_change {
	bool wait, no_wait, dry_run;
};

/* Filled by CHANGE_OPTIONS, which such a verb has in its table. */
extern struct ctl_change ctl_change;

#define CHANGE_OPTIONS                                                     \
	{ "wait", 'w', OPTION_FLAG, &ctl_change.wait, NULL,                \
	  "wait until the operation has ended, the default" },             \
	{ "no-wait", 0, OPTION_FLAG, &ctl_change.no_wait, NULL,            \
	  "print the operation's name instead of waiting for its end" },   \
	{ "dry-run", 'n', OPTION_FLAG, &ctl_change.dry_run, NULL,          \
	  "check everything, change nothing" }

/* --- call.c: methods and their failures ---------------------------------- */

/**
 * ctl_connect() - Connect, unless that has been done
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_connect(struct ctl *ctl);

/* ctl_disconnect() - Close the connection. */
void ctl_disconnect(struct ctl *ctl);

/**
 * ctl_call() - Call a method
 * @method:	"Leases/GetLease"
 * @request:	Its request message
 * @type:	Descriptor of its reply
 * @object:	What it is about, if an error does not say; may be NULL
 * @ret:	The reply; message_free()
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_call(struct ctl *ctl, const char *method,
	     const ProtobufCMessage *request,
	     const ProtobufCMessageDescriptor *type, const char *object,
	     ProtobufCMessage **ret);

/* ctl_list() - ctl_call() for List methods: all pages as one reply. */
int ctl_list(struct ctl *ctl, const char *method, ProtobufCMessage *request,
	     const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret);

/**
 * ctl_complain() - Say what went wrong, for a person, on stderr
 * @err:	What
 * @object:	What it is about, if @err does not say; may be NULL
 *
 * Return: the exit code for it.
 */
int ctl_complain(const struct ioasid_error *err, const char *object);

/**
 * ctl_usage() - Say what is wrong with the command line, on stderr
 *
 * Return: CTL_USAGE.
 */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * ctl_fail() - Say why ioasidctl itself cannot go on, on stderr
 *
 * Return: CTL_FAILED.
 */
int ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ctl_no_memory() - Say so and exit. */
_Noreturn void ctl_no_memory(void);

/* --- follow.c: operations ------------------------------------------------ */

/**
 * ctl_follow() - Call a method that answers with an operation; wait; show it
 * @method:	"Devices/PrepareDevice"
 * @request:	Its request message
 * @object:	What it is about
 *
 * As ctl_change.no_wait says it is not waited for.
 *
 * Return: the exit code of the verb.
 */
int ctl_follow(struct ctl *ctl, const char *method,
	       const ProtobufCMessage *request, const char *object);

/* ctl_show_operation() - Show an operation and its steps, for a person. */
void ctl_show_operation(const Ioasid__V1__Operation *op);

/* ctl_show_steps() - Show steps as a table, indented. */
void ctl_show_steps(Ioasid__V1__Step *const *steps, size_t n);

/* --- names.c: what people call things ------------------------------------ */

#define CTL_NAME_SIZE 112

/**
 * ctl_device_name() - The resource name of a device
 * @arg:	"3b:00.0", "0000:3b:00.0", "pci-0000-3b-00.0" or the name
 * @ret:	"devices/pci-0000-3b-00.0"
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int ctl_device_name(const char *arg, char ret[CTL_NAME_SIZE]);

/**
 * ctl_object_name() - The resource name of a lease, a space, a page table or an
 *		       operation
 * @kind:	"leases", "spaces", "pageTables" or "operations"
 * @arg:	The name, with "<kind>/" in front or without
 * @ret:	With it
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int ctl_object_name(const char *kind, const char *arg,
		    char ret[CTL_NAME_SIZE]);

/* ctl_short_name() - A resource name without its kind. */
const char *ctl_short_name(const char *name);

/**
 * ctl_word() - The word for a value of an enum
 * @type:	The enum
 * @value:	The value
 * @ret:	In lower case; the number if there is no word for it
 *
 * Return: @ret.
 */
const char *ctl_word(const ProtobufCEnumDescriptor *type, int value,
		     char ret[32]);

/**
 * ctl_word_value() - The value of an enum that a word stands for
 * @type:	The enum
 * @word:	As of ctl_word()
 * @ret:	The value; none that is 0 is found
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said which there are.
 */
int ctl_word_value(const ProtobufCEnumDescriptor *type, const char *word,
		   int *ret);

/**
 * ctl_pci_name() - What vendor and device are called
 * @vendor:	Vendor id
 * @device:	Device id
 * @ret:	Words, or the ids if there are none
 * @size:	Room there
 */
void ctl_pci_name(uint32_t vendor, uint32_t device, char *ret, size_t size);

/* ctl_time() - A timestamp for a person, local time; "-" for none. */
const char *ctl_time(const Google__Protobuf__Timestamp *t, char ret[32]);

/* ctl_size() - Bytes for a person: "512M", "unlimited". */
const char *ctl_size(uint64_t bytes, bool unlimited, char ret[32]);

/* ctl_uid() - The uid that a name or number stands for. 0 or -EINVAL. */
int ctl_uid(const char *arg, uint32_t *ret);

/* --- offer.c: what `lease create` and `run` offer ------------------------ */

/**
 * struct offer_words - An offer as the command line has it
 * @devices:	As the user calls them
 * @n_devices:	How many
 * @memlock:	A size, "unlimited" or NULL
 * @memory:	The guest's memory, bytes; 0 if unknown
 * @uid:	Who may claim
 * @pid:	Which process may; 0 for any
 * @expires_s:	Seconds from now; 0 for never
 * @restore:	Give the devices back afterwards
 * @dry_run:	Change nothing
 * @labels:	"key=value"
 * @unit:	Where the claimant must run; NULL for anywhere
 * @token:	Make a token
 * @token_expires_s: Seconds from now; 0 for as long as the offer is
 * @nobody:	Nobody but who has the token may claim
 * @mode:	enum ioasid_lease_mode
 * @grace_s:	Of hold: how long a successor may claim it; 0 for the default
 * @spaces:	Of hold: SPACEs, see space-spec.h
 * @is_volatile: Of guarded: it need not outlive ioasidd
 * @shared_uid:	Of transfer, of nodes: though others have the holder's uid
 */
struct offer_words {
	char **devices;
	size_t n_devices;
	const char *memlock;
	uint64_t memory;
	uint32_t uid;
	int32_t pid;
	uint64_t expires_s;
	bool restore;
	bool dry_run;
	struct strv labels;
	const char *unit;
	bool token;
	uint64_t token_expires_s;
	bool nobody;
	int mode;
	uint64_t grace_s;
	struct strv spaces;
	bool is_volatile;
	bool shared_uid;
};

/**
 * ctl_offer() - Make an offer
 * @words:	What to whom
 * @ret:	The lease; message_free()
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_offer(struct ctl *ctl, const struct offer_words *words,
	      ProtobufCMessage **ret);

/* --- token.c: tokens, which never are in a command line ------------------ */

/* What a token is: 64 digits; and a NUL. */
#define CTL_TOKEN_SIZE 65

/**
 * ctl_token_create() - Make the file that a token is to go to, before there is
 *			one
 * @path:	It must not be there
 * @ret_fd:	ctl_token_write_consume()
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_token_create(const char *path, int *ret_fd);

/**
 * ctl_token_write_consume() - Write a token into its file, and overwrite it here
 * @path:	Of the file; removed if there is no token, or it cannot be
 *		written
 * @fd:		Closed
 * @token:	The token; empty for none
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_token_write_consume(const char *path, int fd, char *token);

/**
 * ctl_token_read() - Read a token
 * @path:	A file; "-" for standard input
 * @ret:	The token; overwrite it
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int ctl_token_read(const char *path, char ret[CTL_TOKEN_SIZE]);

#endif
