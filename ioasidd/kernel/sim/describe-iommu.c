/* SPDX-License-Identifier: Apache-2.0
 *
 * describe-iommu.c - IOMMUs and groups of a description
 */
#include <endian.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/sim/describe.h"
#include "kernel/sim/driver.h"

#define IOMMU(field) DESCRIBE_FIELD(struct sim_iommu, field)

/* --- IOMMUs --- */

/**
 * set_registers() - Registers have any names
 */
static int set_registers(struct describe *d, void *object,
			 struct json_object *value)
{
	struct kernel_iommu *facts = &((struct sim_iommu *)object)->facts;

	json_object_object_foreach(value, name, item) {
		struct kernel_register *reg =
			&facts->registers[facts->n_registers];
		int r = 0;

		describe_enter(d, name, 0);
		if (facts->n_registers == ARRAY_SIZE(facts->registers))
			r = describe_refuse(d, "is one register too many: %zu at most",
					    ARRAY_SIZE(facts->registers));
		else if (!json_object_is_type(item, json_type_string))
			r = describe_refuse(d, "must be a string");
		else if (!str_copy(reg->name, sizeof(reg->name), name) ||
			 !str_copy(reg->value, sizeof(reg->value),
				   json_object_get_string(item)))
			r = describe_refuse(d, "its name is longer than %zu bytes, or its value than %zu",
					    sizeof(reg->name) - 1,
					    sizeof(reg->value) - 1);
		describe_leave(d);
		if (r < 0)
			return r;
		facts->n_registers++;
	}

	return 0;
}

static const struct describe_key aperture_keys[] = {
	{ KEY("start", NUMBER), .required = true, .max = UINT64_MAX,
	  DESCRIBE_FIELD(struct kernel_range, start) },
	{ KEY("last", NUMBER), .required = true, .max = UINT64_MAX,
	  DESCRIBE_FIELD(struct kernel_range, last) },
};

const struct describe_kind describe_aperture_kind = {
	"aperture", aperture_keys, ARRAY_SIZE(aperture_keys),
};

static int set_aperture(struct describe *d, void *object,
			struct json_object *value)
{
	struct sim_iommu *iommu = object;
	int r = describe_object(d, &describe_aperture_kind, value,
				&iommu->aperture);

	if (!r && iommu->aperture.start >= iommu->aperture.last)
		r = describe_refuse(d, "'last' must be more than 'start'");

	return r;
}

static int set_alignment(struct describe *d, void *object,
			 struct json_object *value)
{
	const struct sim_iommu *iommu = object;

	if (iommu->alignment & (iommu->alignment - 1))
		return describe_refuse(d, "must be a power of two");

	return 0;
}

/**
 * set_data() - Hexadecimal digits, two a byte
 */
static int set_data(struct describe *d, void *object, struct json_object *value)
{
	static const char digits[] = "0123456789abcdef";
	struct kernel_hw_info *hw = object;
	const char *text = json_object_get_string(value);
	size_t n = strlen(text);

	if (n % 2 || n / 2 > sizeof(hw->data) || text[strspn(text, digits)])
		return describe_refuse(d, "must be two digits of '%s' for each of up to %zu bytes",
				       digits, sizeof(hw->data));
	for (size_t i = 0; i < n; i++)
		hw->data[i / 2] = (uint8_t)(hw->data[i / 2] << 4 |
			(strchr(digits, text[i]) - digits));
	hw->data_len = (uint32_t)n / 2;

	return 0;
}

static const struct describe_key hw_info_keys[] = {
	{ KEY("type", NUMBER), .required = true, .max = UINT32_MAX,
	  DESCRIBE_FIELD(struct kernel_hw_info, type) },
	{ KEY("data", STRING), .set = set_data },
	{ KEY("capabilities", NUMBER), .max = UINT64_MAX,
	  DESCRIBE_FIELD(struct kernel_hw_info, capabilities) },
	{ KEY("max_pasid_log2", NUMBER), .max = 20,
	  DESCRIBE_FIELD(struct kernel_hw_info, max_pasid_log2) },
};

const struct describe_kind describe_hw_info_kind = {
	"hw_info", hw_info_keys, ARRAY_SIZE(hw_info_keys),
};

static int set_hw_info(struct describe *d, void *object,
		       struct json_object *value)
{
	struct sim_iommu *iommu = object;

	iommu->hw_supported = true;

	return describe_object(d, &describe_hw_info_kind, value, &iommu->hw);
}

/**
 * set_page_table() - A kind of page table that can be made
 */
static int set_page_table(struct describe *d, void *object,
			  struct json_object *value)
{
	struct sim_iommu *iommu = object;
	const char *word = json_object_get_string(value);

	if (str_eq(word, "nest-parent"))
		iommu->nest_parent = true;
	else if (str_eq(word, "dirty-tracking"))
		iommu->dirty_tracking = true;
	else if (str_eq(word, "pasid"))
		iommu->pasid = true;
	else
		return describe_refuse(d, "'%s' is none of nest-parent, dirty-tracking, pasid",
				       word);

	return 0;
}

static int set_page_tables(struct describe *d, void *object,
			   struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_STRING, 3, object,
			     set_page_table);
}

static int set_nested_type(struct describe *d, void *object,
			   struct json_object *value)
{
	const struct sim_iommu *iommu = object;

	if (iommu->nested_type && !iommu->nest_parent)
		return describe_refuse(d, "needs 'nest-parent' in 'page_tables'");

	return 0;
}

static const char *const family_words[] = {
	"vt-d", "amd-vi", "smmuv3", "virtio-iommu", "spapr-tce", "other", NULL,
};

static const struct describe_key iommu_keys[] = {
	{ KEY("name", STRING), IOMMU(facts.name), .required = true,
	  .min = 1 },
	{ KEY("family", STRING), IOMMU(facts.family), .required = true,
	  .words = family_words },
	{ KEY("note", STRING) },
	{ KEY("registers", OBJECT), .set = set_registers },
	{ KEY("aperture", OBJECT), .set = set_aperture },
	{ KEY("alignment", NUMBER), IOMMU(alignment), .min = 1,
	  .max = SIM_PAGE, .set = set_alignment },
	{ KEY("hw_info", OBJECT), .set = set_hw_info },
	{ KEY("page_tables", ARRAY), .set = set_page_tables },
	{ KEY("nested_type", NUMBER), IOMMU(nested_type), .max = 3,
	  .set = set_nested_type },
};

const struct describe_kind describe_iommu_kind = {
	"iommus", iommu_keys, ARRAY_SIZE(iommu_keys),
};

/**
 * is_first_stage() - Are its usual page tables first-stage ones?
 *
 * Those of VT-d are if it can be (scalable mode and first-level translation in
 * its extended capabilities); they cannot tell writing from reading and writing.
 * Source: drivers/iommu/intel/iommu.c of Linux 7.3.
 */
static bool is_first_stage(const struct sim_iommu *iommu)
{
	const uint64_t both = 1ULL << 43 | 1ULL << 47;
	uint64_t ecap = 0;

	/* struct iommu_hw_info_vtd: flags, reserved, cap, ecap */
	if (iommu->hw.type == UAPI_HW_INFO_TYPE_INTEL_VTD &&
	    iommu->hw.data_len >= 24)
		memcpy(&ecap, iommu->hw.data + 16, sizeof(ecap));

	return (le64toh(ecap) & both) == both;
}

/* describe_iommu() - An IOMMU, into the machine */
int describe_iommu(struct describe *d, void *unused, struct json_object *value)
{
	struct sim_iommu *iommu = calloc(1, sizeof(*iommu));
	char name[sizeof(iommu->facts.name)];
	int r;

	if (!iommu)
		return describe_no_memory(d);
	iommu->aperture.last = UINT64_MAX;
	iommu->alignment = SIM_PAGE;
	r = describe_object(d, &describe_iommu_kind, value, iommu);
	if (r < 0) {
		free(iommu);
		return r;
	}
	iommu->first_stage = is_first_stage(iommu);

	(void)str_copy(name, sizeof(name), iommu->facts.name);
	r = sim_add_iommu_consume(d->sim, iommu);
	if (r == -EEXIST)
		return describe_refuse(d, "there is an IOMMU '%s' already",
				       name);

	return r < 0 ? describe_no_memory(d) : 0;
}

/* --- groups --- */

static const char *const reserved_words[] = {
	"direct", "direct-relaxable", "reserved", "msi", NULL,
};

static const struct describe_key reserved_keys[] = {
	{ KEY("start", NUMBER), .required = true, .max = UINT64_MAX,
	  DESCRIBE_FIELD(struct kernel_reserved, start) },
	{ KEY("last", NUMBER), .required = true, .max = UINT64_MAX,
	  DESCRIBE_FIELD(struct kernel_reserved, last) },
	{ KEY("type", STRING), .required = true, .words = reserved_words,
	  DESCRIBE_FIELD(struct kernel_reserved, type) },
};

const struct describe_kind describe_reserved_kind = {
	"reserved", reserved_keys, ARRAY_SIZE(reserved_keys),
};

/**
 * add_reserved() - One reserved region
 */
static int add_reserved(struct describe *d, void *object,
			struct json_object *value)
{
	struct kernel_group *facts = &((struct sim_group *)object)->facts;
	struct kernel_reserved region = { 0 }, *more;
	int r = describe_object(d, &describe_reserved_kind, value, &region);

	if (r < 0)
		return r;
	if (region.start > region.last)
		return describe_refuse(d, "'last' must not be less than 'start'");
	more = reallocarray(facts->reserved, facts->n_reserved + 1,
			    sizeof(*more));
	if (!more)
		return describe_no_memory(d);
	facts->reserved = more;
	more[facts->n_reserved++] = region;

	return 0;
}

static int set_reserved(struct describe *d, void *object,
			struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_OBJECT, 256, object,
			     add_reserved);
}

/* The kernel's words for the type of a group's default domain. */
static const char *const type_words[] = {
	"DMA", "DMA-FQ", "identity", "blocked", "unmanaged", "unknown", NULL,
};

static const struct describe_key group_keys[] = {
	{ KEY("number", NUMBER), .required = true, .max = INT32_MAX,
	  DESCRIBE_FIELD(struct sim_group, facts.number) },
	{ KEY("note", STRING) },
	{ KEY("type", STRING), .words = type_words,
	  DESCRIBE_FIELD(struct sim_group, facts.type) },
	{ KEY("reserved", ARRAY), .set = set_reserved },
};

const struct describe_kind describe_group_kind = {
	"groups", group_keys, ARRAY_SIZE(group_keys),
};

/* describe_group() - A group, into the machine */
int describe_group(struct describe *d, void *unused, struct json_object *value)
{
	struct sim_group *group = calloc(1, sizeof(*group));
	int number, r;

	if (!group)
		return describe_no_memory(d);
	(void)str_copy(group->facts.type, sizeof(group->facts.type), "DMA");
	r = describe_object(d, &describe_group_kind, value, group);
	if (r < 0) {
		(void)sim_group_free(group);
		return r;
	}

	number = group->facts.number;
	r = sim_add_group_consume(d->sim, group);
	if (r == -EEXIST)
		return describe_refuse(d, "there is a group %d already",
				       number);

	return r < 0 ? describe_no_memory(d) : 0;
}
