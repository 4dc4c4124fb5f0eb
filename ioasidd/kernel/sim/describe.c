/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.c - a machine from its description: the walk by tables
 */
#include "kernel/sim/describe.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/driver.h"

#define JSON_DEPTH 16
#define RELEASE "7.3.4-ioasid-sim"

static const char *const type_words[] = {
	[DESCRIBE_STRING] = "a string",
	[DESCRIBE_BOOL] = "true or false",
	[DESCRIBE_NUMBER] = "a number",
	[DESCRIBE_ARRAY] = "an array",
	[DESCRIBE_OBJECT] = "an object",
};

/* --- messages --- */

/**
 * write_path() - The way to where we are, "devices[3].bdf: "
 * @ret:	Empty at the top
 */
static void write_path(const struct describe *d, char ret[256])
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < d->n_steps && at < 200; i++) {
		const struct locate_step *step = &d->steps[i];

		if (step->key)
			(void)str_format(ret + at, 50, "%s%s", at ? "." : "",
					 step->key);
		else
			(void)str_format(ret + at, 50, "[%zu]", step->index);
		at += strlen(ret + at);
	}
	if (at)
		memcpy(ret + at, ": ", 3);
}

/* describe_refuse() - Say what is wrong where we are */
int describe_refuse(struct describe *d, const char *fmt, ...)
{
	char path[256], words[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	write_path(d, path);

	return error_set(d->err, -EINVAL, ERROR_REQUEST_INVALID,
			 "%s:%u: %s%s", d->name,
			 locate_line(d->text, d->steps, d->n_steps), path,
			 words);
}

/* describe_no_memory() - There is no memory */
int describe_no_memory(struct describe *d)
{
	return error_set(d->err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			 "no memory for the machine of %s", d->name);
}

/* describe_enter() - A step into an object or an array */
void describe_enter(struct describe *d, const char *key, size_t index)
{
	/* No table is that deep: JSON_DEPTH is checked before. */
	if (d->n_steps < DESCRIBE_DEPTH)
		d->steps[d->n_steps] = (struct locate_step){ key, index };
	d->n_steps++;
}

/* describe_leave() - And back */
void describe_leave(struct describe *d)
{
	d->n_steps--;
}

/* --- values --- */

/**
 * is_type() - Is a value of the type?
 */
static bool is_type(struct json_object *value, enum describe_type type)
{
	switch (type) {
	case DESCRIBE_STRING:
		return json_object_is_type(value, json_type_string);
	case DESCRIBE_BOOL:
		return json_object_is_type(value, json_type_boolean);
	case DESCRIBE_NUMBER:
		return json_object_is_type(value, json_type_int) ||
		       json_object_is_type(value, json_type_string);
	case DESCRIBE_ARRAY:
		return json_object_is_type(value, json_type_array);
	case DESCRIBE_OBJECT:
		return json_object_is_type(value, json_type_object);
	}

	return false;
}

/* describe_number() - Read a number where we are */
int describe_number(struct describe *d, struct json_object *value, int64_t min,
		    uint64_t max, uint64_t *ret)
{
	bool negative = false;
	uint64_t number;

	if (json_object_is_type(value, json_type_string)) {
		if (str_u64(json_object_get_string(value), 0, UINT64_MAX,
			    &number) < 0)
			return describe_refuse(d, "'%s' is no number of 64 bits",
					       json_object_get_string(value));
	} else {
		/* json-c makes the largest one of what is larger. */
		number = json_object_get_uint64(value);
		negative = json_object_get_int64(value) < 0;
		if (number == UINT64_MAX)
			return describe_refuse(d, "a number so large is written as a string, \"0xffffffffffffffff\"");
	}

	if (negative ? json_object_get_int64(value) < min :
		       number > max || (min > 0 && number < (uint64_t)min))
		return describe_refuse(d, "must be from %lld to %llu",
				       (long long)min, (unsigned long long)max);

	*ret = negative ? (uint64_t)json_object_get_int64(value) : number;
	return 0;
}

/**
 * store_number() - Put a number into a field
 * @size:	Of the field: 1, 2, 4 or 8
 */
static void store_number(void *field, size_t size, uint64_t number)
{
	uint8_t small = (uint8_t)number;
	uint16_t half = (uint16_t)number;
	uint32_t word = (uint32_t)number;

	if (size == sizeof(small))
		memcpy(field, &small, size);
	else if (size == sizeof(half))
		memcpy(field, &half, size);
	else if (size == sizeof(word))
		memcpy(field, &word, size);
	else
		memcpy(field, &number, sizeof(number));
}

/**
 * refuse_word() - Say which words there are
 */
static int refuse_word(struct describe *d, const char *text,
		       const char *const *words)
{
	char list[160] = "";
	size_t at = 0;

	for (size_t i = 0; words[i]; i++) {
		(void)str_format(list + at, sizeof(list) - at, "%s%s",
				 i ? ", " : "", words[i]);
		at = strlen(list);
	}

	return describe_refuse(d, "'%s' is none of %s", text, list);
}

/**
 * store_string() - Check a string, and put it into a field
 */
static int store_string(struct describe *d, const struct describe_key *key,
			struct json_object *value, char *field)
{
	const char *text = json_object_get_string(value);
	size_t size = strlen(text);
	size_t i = 0;

	if (size != (size_t)json_object_get_string_len(value))
		return describe_refuse(d, "has a NUL in it");
	for (size_t c = 0; c < size; c++)
		if ((unsigned char)text[c] < 0x20 || text[c] == 0x7f)
			return describe_refuse(d, "has a control character in it");
	if (!size && key->min)
		return describe_refuse(d, "must not be empty");
	while (key->words && key->words[i] && !str_eq(key->words[i], text))
		i++;
	if (key->words && !key->words[i])
		return refuse_word(d, text, key->words);
	if (key->size && size >= key->size)
		return describe_refuse(d, "is longer than %zu bytes",
				       key->size - 1);
	if (key->size)
		(void)str_copy(field, key->size, text);

	return 0;
}

/**
 * read_key() - Check a value by its key, store it, and give it to the setter
 */
static int read_key(struct describe *d, const struct describe_key *key,
		    struct json_object *value, void *object)
{
	char *field = (char *)object + key->offset;
	uint64_t number = 0;
	bool yes;
	int r = 0;

	if (!is_type(value, key->type))
		return describe_refuse(d, "must be %s", type_words[key->type]);

	switch (key->type) {
	case DESCRIBE_STRING:
		r = store_string(d, key, value, field);
		break;
	case DESCRIBE_BOOL:
		yes = json_object_get_boolean(value);
		if (key->size)
			memcpy(field, &yes, sizeof(yes));
		break;
	case DESCRIBE_NUMBER:
		r = describe_number(d, value, key->min, key->max, &number);
		if (!r && key->size)
			store_number(field, key->size, number);
		break;
	case DESCRIBE_ARRAY:
	case DESCRIBE_OBJECT:
		break;
	}
	if (!r && key->set)
		r = key->set(d, object, value);

	return r;
}

/**
 * check_keys() - Is every key of an object one of its table?
 */
static int check_keys(struct describe *d, const struct describe_kind *kind,
		      struct json_object *value)
{
	json_object_object_foreach(value, name, item) {
		size_t i = 0;
		int r;

		(void)item;
		while (i < kind->n_keys && !str_eq(kind->keys[i].name, name))
			i++;
		if (i < kind->n_keys)
			continue;
		describe_enter(d, name, 0);
		r = describe_refuse(d, "there is no such key in %s",
				    kind->name);
		describe_leave(d);
		return r;
	}

	return 0;
}

/* describe_object() - Read an object by its table */
int describe_object(struct describe *d, const struct describe_kind *kind,
		    struct json_object *value, void *object)
{
	int r = check_keys(d, kind, value);

	for (size_t i = 0; !r && i < kind->n_keys; i++) {
		const struct describe_key *key = &kind->keys[i];
		struct json_object *item;

		if (json_object_object_get_ex(value, key->name, &item)) {
			describe_enter(d, key->name, 0);
			r = read_key(d, key, item, object);
			describe_leave(d);
		} else if (key->required) {
			r = describe_refuse(d, "needs '%s'", key->name);
		}
	}

	return r;
}

/* describe_each() - Read each element of an array */
int describe_each(struct describe *d, struct json_object *array,
		  enum describe_type type, size_t max, void *object,
		  int (*read)(struct describe *d, void *object,
			      struct json_object *value))
{
	size_t n = json_object_array_length(array);
	int r = 0;

	if (n > max)
		return describe_refuse(d, "has %zu elements; %zu at most", n,
				       max);
	for (size_t i = 0; !r && i < n; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		describe_enter(d, NULL, i);
		if (is_type(item, type))
			r = read(d, object, item);
		else
			r = describe_refuse(d, "must be %s", type_words[type]);
		describe_leave(d);
	}

	return r;
}

/**
 * struct names - An array of names that is being read
 */
struct names {
	char (*names)[DRIVER_SIZE];
	size_t n;
};

/**
 * read_name() - Read one of them
 * @object:	struct names
 */
static int read_name(struct describe *d, void *object,
		     struct json_object *value)
{
	static const struct describe_key key = {
		.size = DRIVER_SIZE, .min = 1,
	};
	struct names *list = object;
	int r = store_string(d, &key, value, list->names[list->n]);

	list->n += !r;

	return r;
}

/* describe_names() - Read an array of names */
int describe_names(struct describe *d, struct json_object *array,
		   char (*names)[DRIVER_SIZE], size_t max, size_t *ret_n)
{
	struct names list = { .names = names };
	int r = describe_each(d, array, DESCRIBE_STRING, max, &list, read_name);

	if (!r)
		*ret_n = list.n;

	return r;
}

/* --- the top --- */

static int set_vfio_drivers(struct describe *d, void *object,
			    struct json_object *value)
{
	return describe_names(d, value, d->sim->vfio_drivers,
			      ARRAY_SIZE(d->sim->vfio_drivers),
			      &d->sim->n_vfio_drivers);
}

static int set_generic_drivers(struct describe *d, void *object,
			       struct json_object *value)
{
	return describe_names(d, value, d->sim->generic_drivers,
			      ARRAY_SIZE(d->sim->generic_drivers),
			      &d->sim->n_generic_drivers);
}

static const struct describe_key kernel_keys[] = {
	{ KEY("release", STRING), .min = 1,
	  DESCRIBE_FIELD(struct sim, info.release) },
	{ KEY("iommufd", BOOL),
	  DESCRIBE_FIELD(struct sim, info.iommufd) },
	{ KEY("vfio_drivers", ARRAY), .set = set_vfio_drivers },
	{ KEY("generic_drivers", ARRAY), .set = set_generic_drivers },
	{ KEY("allow_unsafe_interrupts", BOOL),
	  DESCRIBE_FIELD(struct sim, allow_unsafe) },
	{ KEY("no_iommu_mode", BOOL),
	  DESCRIBE_FIELD(struct sim, no_iommu_mode) },
};

static const struct describe_kind kernel_kind = {
	"kernel", kernel_keys, ARRAY_SIZE(kernel_keys),
};

static int set_kernel(struct describe *d, void *object,
		      struct json_object *value)
{
	return describe_object(d, &kernel_kind, value, d->sim);
}

static int set_isolated_msi(struct describe *d, void *object,
			    struct json_object *value)
{
	const char *word = json_object_get_string(value);

	d->sim->isolated_msi = str_eq(word, "yes") ? ISOLATED_MSI_YES :
			       str_eq(word, "no") ? ISOLATED_MSI_NO :
						    ISOLATED_MSI_UNKNOWN;
	return 0;
}

static int set_iommus(struct describe *d, void *object,
		      struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_OBJECT, SIM_DEVICES_MAX,
			     NULL, describe_iommu);
}

static int set_groups(struct describe *d, void *object,
		      struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_OBJECT, SIM_DEVICES_MAX,
			     NULL, describe_group);
}

static int set_devices(struct describe *d, void *object,
		       struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_OBJECT, SIM_DEVICES_MAX,
			     NULL, describe_device);
}

static const char *const schema_words[] = { "ioasid.machine.v1", NULL };
static const char *const isolated_msi_words[] = {
	"yes", "no", "unknown", NULL,
};

/* Groups name no IOMMUs and devices name both: they are read in this order. */
static const struct describe_key machine_keys[] = {
	{ KEY("schema", STRING), .required = true, .words = schema_words },
	{ KEY("note", STRING) },
	{ KEY("kernel", OBJECT), .set = set_kernel },
	{ KEY("isolated_msi", STRING), .words = isolated_msi_words,
	  .set = set_isolated_msi },
	{ KEY("iommus", ARRAY), .set = set_iommus },
	{ KEY("groups", ARRAY), .set = set_groups },
	{ KEY("devices", ARRAY), .required = true, .set = set_devices },
};

static const struct describe_kind machine_kind = {
	"machine", machine_keys, ARRAY_SIZE(machine_keys),
};

const struct describe_kind *const describe_kinds[] = {
	&machine_kind,		  &kernel_kind,
	&describe_iommu_kind,	  &describe_aperture_kind,
	&describe_hw_info_kind,	  &describe_group_kind,
	&describe_reserved_kind,  &describe_device_kind,
	&describe_user_kind,	  &describe_delays_kind,
	&describe_sriov_kind,	  &describe_vf_kind,
	NULL,
};

/**
 * read_machine() - Read the whole description
 */
static int read_machine(struct describe *d, struct json_object *top)
{
	struct sim *sim = d->sim;
	int r;

	if (!json_object_is_type(top, json_type_object))
		return describe_refuse(d, "a description is an object");

	(void)str_copy(sim->info.release, sizeof(sim->info.release), RELEASE);
	sim->info.iommufd = true;
	(void)str_copy(sim->vfio_drivers[0], DRIVER_SIZE, "vfio-pci");
	sim->n_vfio_drivers = 1;
	(void)str_copy(sim->generic_drivers[0], DRIVER_SIZE, "uio_pci_generic");
	(void)str_copy(sim->generic_drivers[1], DRIVER_SIZE, "pci-stub");
	sim->n_generic_drivers = 2;

	r = describe_object(d, &machine_kind, top, sim);
	if (!r)
		r = describe_vfs(d);
	if (r < 0)
		return r;

	for (size_t i = 0; i < sim->n_devices; i++)
		if (sim->devices[i]->present)
			(void)driver_settle(sim, sim->devices[i]);

	return 0;
}

/* --- the text --- */

/**
 * parse() - Let json-c read the text
 * @ret:	json_object_put()
 */
static int parse(struct describe *d, struct json_object **ret)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	size_t size = strlen(d->text), end, key_size;
	enum json_tokener_error e;
	struct json_object *top;
	unsigned int line;
	const char *key;
	int r = 0;

	if (!tok)
		return describe_no_memory(d);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
			       JSON_TOKENER_VALIDATE_UTF8);
	top = json_tokener_parse_ex(tok, d->text,
				    (int)(size < INT_MAX ? size : INT_MAX - 1));
	e = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);

	line = locate_offset(d->text, end);
	if (e == json_tokener_continue)
		r = error_set(d->err, -EINVAL, ERROR_REQUEST_INVALID,
			      "%s:%u: the text ends within a value", d->name,
			      line);
	else if (e == json_tokener_error_parse_number)
		r = error_set(d->err, -EINVAL, ERROR_REQUEST_INVALID,
			      "%s:%u: a number is expected; one so large is written as a string, \"0xffffffffffffffff\"",
			      d->name, line);
	else if (e != json_tokener_success)
		r = error_set(d->err, -EINVAL, ERROR_REQUEST_INVALID,
			      "%s:%u: %s", d->name, line,
			      json_tokener_error_desc(e));
	else if (locate_duplicate(d->text, &line, &key, &key_size))
		r = error_set(d->err, -EINVAL, ERROR_REQUEST_INVALID,
			      "%s:%u: '%.*s' is there twice", d->name, line,
			      (int)(key_size < 64 ? key_size : 64), key);
	if (r < 0) {
		(void)json_object_put(top);
		return r;
	}

	*ret = top;
	return 0;
}

/* sim_describe() - Make a machine from its description */
int sim_describe(const char *text, const char *name, struct sim **ret,
		 struct error *err)
{
	struct describe d = { .text = text, .name = name, .err = err };
	struct json_object *top = NULL;
	int r;

	r = parse(&d, &top);
	if (r < 0)
		return r;
	r = sim_new(&d.sim);
	if (r < 0) {
		r = describe_no_memory(&d);
	} else {
		sim_lock(d.sim);
		r = read_machine(&d, top);
		sim_unlock(d.sim);
	}
	(void)json_object_put(top);
	free(d.pfs);
	if (r < 0) {
		(void)sim_free(d.sim);
		return r;
	}

	*ret = d.sim;
	return 0;
}
