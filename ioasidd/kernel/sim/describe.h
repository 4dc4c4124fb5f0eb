/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.h - reading a machine's description: tables of keys
 *
 * DOC: Theory of Operation
 *
 * Each kind of object in a description is one table of keys. What is not in the
 * table is refused, and what is in it is checked for type and range before it
 * is stored, so a setter only sees what can be right. The README of
 * packaging/machines documents the same tables; a unit test compares.
 *
 * While an object is read, the steps to it are kept, for messages: where it is
 * in the text is looked up only if it is wrong.
 */
#ifndef IOASIDD_KERNEL_SIM_DESCRIBE_H
#define IOASIDD_KERNEL_SIM_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/sim/locate.h"
#include "kernel/sim/sim.h"

struct json_object;

#define DESCRIBE_DEPTH 12

enum describe_type {
	DESCRIBE_STRING,
	DESCRIBE_BOOL,
	DESCRIBE_NUMBER,	/* integer, or string "0x..." or of digits */
	DESCRIBE_ARRAY,
	DESCRIBE_OBJECT,
};

/**
 * struct describe_pf - A PF whose VFs are to be made
 * @pf:		The PF; borrowed from the machine
 * @index:	Of the PF in "devices"
 * @first:	Routing ids from PF to first VF
 * @stride:	From one VF to the next
 * @enabled:	VFs that are present at the start
 * @described:	VFs that are devices of their own in the description
 */
struct describe_pf {
	struct sim_device *pf;
	size_t index;
	unsigned int first, stride, enabled, described;
};

/**
 * struct describe - A description that is being read
 * @text:	All of it
 * @name:	Of the file
 * @sim:	What becomes of it
 * @steps:	Where we are; @n_steps of them
 * @pfs:	PFs; @n_pfs of them
 * @err:	Filled by describe_refuse(); may be NULL
 */
struct describe {
	const char *text, *name;
	struct sim *sim;
	struct locate_step steps[DESCRIBE_DEPTH];
	size_t n_steps;
	struct describe_pf *pfs;
	size_t n_pfs;
	struct error *err;
};

/**
 * struct describe_key - A key of an object
 * @name:	The key
 * @type:	Of its value
 * @required:	It must be there
 * @offset:	Of the field that it is stored in; if @size is not 0
 * @size:	Of that field, bytes
 * @min:	Of a number; a string of 1: must not be empty
 * @max:	Of a number
 * @words:	A string must be one of these; NULL-ended; NULL: any
 * @set:	Called with the object and the value; NULL: stored only
 */
struct describe_key {
	const char *name;
	enum describe_type type;
	bool required;
	size_t offset, size;
	int64_t min;
	uint64_t max;
	const char *const *words;
	int (*set)(struct describe *d, void *object, struct json_object *value);
};

#define KEY(key, word) .name = key, .type = DESCRIBE_##word
#define DESCRIBE_FIELD(object, field) \
	.offset = offsetof(object, field), \
	.size = sizeof(((object *)0)->field)

/**
 * struct describe_kind - A kind of object
 * @name:	For the README's headings
 * @keys:	In the order in which they are read; @n_keys of them
 */
struct describe_kind {
	const char *name;
	const struct describe_key *keys;
	size_t n_keys;
};

/* All kinds, ended with NULL. */
extern const struct describe_kind *const describe_kinds[];

extern const struct describe_kind describe_iommu_kind;
extern const struct describe_kind describe_aperture_kind;
extern const struct describe_kind describe_hw_info_kind;
extern const struct describe_kind describe_group_kind;
extern const struct describe_kind describe_reserved_kind;
extern const struct describe_kind describe_device_kind;
extern const struct describe_kind describe_user_kind;
extern const struct describe_kind describe_delays_kind;
extern const struct describe_kind describe_sriov_kind;
extern const struct describe_kind describe_vf_kind;

/* --- describe.c --- */

/**
 * describe_refuse() - Say what is wrong where we are, with file and line
 *
 * Return: -EINVAL.
 */
int describe_refuse(struct describe *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* describe_no_memory() - Return: -ENOMEM. */
int describe_no_memory(struct describe *d);

/* describe_enter() - A step into an object or array; then describe_leave(). */
void describe_enter(struct describe *d, const char *key, size_t index);
void describe_leave(struct describe *d);

/**
 * describe_object() - Read an object by its table
 * @value:	Checked to be one
 * @object:	The structure that offsets are of
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int describe_object(struct describe *d, const struct describe_kind *kind,
		    struct json_object *value, void *object);

/**
 * describe_number() - Read a number where we are
 *
 * Return: 0; -EINVAL if it is none, or out of range.
 */
int describe_number(struct describe *d, struct json_object *value, int64_t min,
		    uint64_t max, uint64_t *ret);

/**
 * describe_each() - Read each element of an array
 * @array:	Checked to be one
 * @type:	What each must be
 * @max:	How many there may be
 * @read:	Called with @object and the element
 */
int describe_each(struct describe *d, struct json_object *array,
		  enum describe_type type, size_t max, void *object,
		  int (*read)(struct describe *d, void *object,
			      struct json_object *value));

/**
 * describe_names() - Read an array of names
 * @names:	Where they go
 * @ret_n:	How many
 */
int describe_names(struct describe *d, struct json_object *array,
		   char (*names)[DRIVER_SIZE], size_t max, size_t *ret_n);

/* --- describe-iommu.c, describe-device.c --- */

int describe_iommu(struct describe *d, void *unused, struct json_object *value);
int describe_group(struct describe *d, void *unused, struct json_object *value);
int describe_device(struct describe *d, void *unused,
		    struct json_object *value);

/* describe_vfs() - Make the VFs of all PFs, when all devices are known. */
int describe_vfs(struct describe *d);

#endif
