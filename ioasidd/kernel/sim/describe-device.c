/* SPDX-License-Identifier: Apache-2.0
 *
 * describe-device.c - PCI functions of a description
 *
 * A PF comes before its VFs, and their groups are numbered after all others, as
 * the kernel does when VFs are made after start-up.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/describe.h"
#include "kernel/sim/driver.h"

#define CLASS_BRIDGE 0x06
#define DELAY_MAX_MS 3600000
#define BAR_MIN 16ULL
#define BAR_MAX (1ULL << 40)

#define DEVICE(field) DESCRIBE_FIELD(struct sim_device, field)

/* --- what devices and VFs have in common --- */

/**
 * set_reset_methods() - Names of methods, a space between them
 *
 * Source: pci_reset_fn_methods of Linux 7.3.
 */
static int set_reset_methods(struct describe *d, void *object,
			     struct json_object *value)
{
	static const char *const words[] = {
		"device_specific", "acpi", "flr", "af_flr", "pm", "bus",
		"cxl_bus",
	};
	char text[sizeof(((struct kernel_device *)0)->reset_methods)];
	char *rest = text, *word;

	(void)str_copy(text, sizeof(text), json_object_get_string(value));
	while (text[0] && (word = strsep(&rest, " "))) {
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && !str_eq(words[i], word))
			i++;
		if (i == ARRAY_SIZE(words))
			return describe_refuse(d, "'%s' is no reset method",
					       word);
	}

	return 0;
}

/**
 * struct bars - BARs that are being read
 */
struct bars {
	uint64_t *size;
	size_t n;
};

/**
 * add_bar() - Size of one BAR
 */
static int add_bar(struct describe *d, void *object, struct json_object *value)
{
	struct bars *bars = object;
	uint64_t size = 0;
	int r = describe_number(d, value, 0, BAR_MAX, &size);

	if (r < 0)
		return r;
	if (size && (size < BAR_MIN || size & (size - 1)))
		return describe_refuse(d, "must be 0, or a power of two from %llu on",
				       BAR_MIN);
	bars->size[bars->n++] = size;

	return 0;
}

static int set_bars(struct describe *d, void *object, struct json_object *value)
{
	struct bars bars = { .size = ((struct sim_device *)object)->bar_size };

	return describe_each(d, value, DESCRIBE_NUMBER, SIM_BARS, &bars,
			     add_bar);
}

/* The kinds of causes: see struct error_cause. */
static const char *const user_words[] = {
	"process", "mount", "swap", "holder", "netdev", "block", "device",
	"descriptor", NULL,
};

#define USER(field) DESCRIBE_FIELD(struct sim_user, field)

static const struct describe_key user_keys[] = {
	{ KEY("kind", STRING), USER(kind), .required = true,
	  .words = user_words },
	{ KEY("name", STRING), USER(name), .required = true, .min = 1 },
	{ KEY("detail", STRING), USER(detail) },
};

const struct describe_kind describe_user_kind = {
	"users", user_keys, ARRAY_SIZE(user_keys),
};

static int add_user(struct describe *d, void *object, struct json_object *value)
{
	struct sim_device *device = object;

	return describe_object(d, &describe_user_kind, value,
			       &device->users[device->n_users++]);
}

static int set_users(struct describe *d, void *object,
		     struct json_object *value)
{
	return describe_each(d, value, DESCRIBE_OBJECT, SIM_USERS_MAX, object,
			     add_user);
}

static const struct describe_key delays_keys[] = {
	{ KEY("bind_ms", NUMBER), DEVICE(bind_ms), .max = DELAY_MAX_MS },
	{ KEY("unbind_ms", NUMBER), DEVICE(unbind_ms),
	  .max = DELAY_MAX_MS },
	{ KEY("reset_ms", NUMBER), DEVICE(reset_ms), .max = DELAY_MAX_MS },
};

const struct describe_kind describe_delays_kind = {
	"delays", delays_keys, ARRAY_SIZE(delays_keys),
};

static int set_delays(struct describe *d, void *object,
		      struct json_object *value)
{
	return describe_object(d, &describe_delays_kind, value, object);
}

/* sim_errno() - The number of an errno's name */
int sim_errno(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *known = strerrorname_np(i);

		if (known && str_eq(known, name))
			return i;
	}

	return 0;
}

/**
 * read_errno() - Read the name of an error
 */
static int read_errno(struct describe *d, struct json_object *value, int *ret)
{
	int number = sim_errno(json_object_get_string(value));

	if (!number)
		return describe_refuse(d, "'%s' is no errno, such as ENOTTY",
				       json_object_get_string(value));

	*ret = number;
	return 0;
}

static int set_reset_error(struct describe *d, void *object,
			   struct json_object *value)
{
	struct sim_device *device = object;

	return read_errno(d, value, &device->reset_error);
}

static int set_probe_error(struct describe *d, void *object,
			   struct json_object *value)
{
	struct sim_device *device = object;

	return read_errno(d, value, &device->probe_error);
}

#define COMMON_KEYS							\
	{ KEY("note", STRING) },					\
	{ KEY("device", NUMBER), DEVICE(facts.device), .required = true,\
	  .max = UINT16_MAX },						\
	{ KEY("subsystem_vendor", NUMBER), DEVICE(facts.subsystem_vendor),\
	  .max = UINT16_MAX },						\
	{ KEY("subsystem_device", NUMBER), DEVICE(facts.subsystem_device),\
	  .max = UINT16_MAX },						\
	{ KEY("revision", NUMBER), DEVICE(facts.revision), .max = UINT8_MAX },\
	{ KEY("driver", STRING), DEVICE(host_driver) },			\
	{ KEY("reset_methods", STRING), DEVICE(facts.reset_methods),	\
	  .set = set_reset_methods },					\
	{ KEY("bars", ARRAY), .set = set_bars },			\
	{ KEY("users", ARRAY), .set = set_users },			\
	{ KEY("delays", OBJECT), .set = set_delays },			\
	{ KEY("reset_error", STRING), .set = set_reset_error },		\
	{ KEY("probe_error", STRING), .set = set_probe_error }

/* --- SR-IOV --- */

static const struct describe_key vf_keys[] = {
	COMMON_KEYS,
	{ KEY("class", NUMBER), DEVICE(facts.class), .max = 0xffffff },
};

const struct describe_kind describe_vf_kind = {
	"vf", vf_keys, ARRAY_SIZE(vf_keys),
};

/**
 * struct sriov - What "sriov" says
 * @pf:		The PF; its template is made
 */
struct sriov {
	struct sim_device *pf;
	unsigned int total, enabled, first, stride;
};

/**
 * set_vf() - What the VFs are like: as the PF where nothing else is said
 */
static int set_vf(struct describe *d, void *object, struct json_object *value)
{
	struct sriov *sriov = object;
	const struct sim_device *pf = sriov->pf;
	struct sim_device *vf = calloc(1, sizeof(*vf));

	if (!vf)
		return describe_no_memory(d);
	sriov->pf->vf_template = vf;
	vf->facts = (struct kernel_device){
		.vendor = pf->facts.vendor,
		.subsystem_vendor = pf->facts.subsystem_vendor,
		.class = pf->facts.class,
		.revision = pf->facts.revision,
		.numa_node = pf->facts.numa_node,
		.group = -1,
	};
	(void)str_copy(vf->facts.iommu, sizeof(vf->facts.iommu),
		       pf->facts.iommu);
	(void)str_copy(vf->facts.physfn, sizeof(vf->facts.physfn),
		       pf->facts.bdf);
	/* The specification of SR-IOV asks for it. */
	(void)str_copy(vf->facts.reset_methods, sizeof(vf->facts.reset_methods),
		       "flr");

	return describe_object(d, &describe_vf_kind, value, vf);
}

#define SRIOV(field) DESCRIBE_FIELD(struct sriov, field)

static const struct describe_key sriov_keys[] = {
	{ KEY("total", NUMBER), SRIOV(total), .required = true, .min = 1,
	  .max = UINT16_MAX },
	{ KEY("enabled", NUMBER), SRIOV(enabled), .max = UINT16_MAX },
	{ KEY("first_offset", NUMBER), SRIOV(first), .min = 1,
	  .max = UINT16_MAX },
	{ KEY("stride", NUMBER), SRIOV(stride), .min = 1,
	  .max = UINT16_MAX },
	{ KEY("vf", OBJECT), .set = set_vf },
};

const struct describe_kind describe_sriov_kind = {
	"sriov", sriov_keys, ARRAY_SIZE(sriov_keys),
};

/**
 * add_pf() - Remember a PF, until all devices are known
 */
static int add_pf(struct describe *d, const struct sriov *sriov)
{
	struct describe_pf *more;

	more = reallocarray(d->pfs, d->n_pfs + 1, sizeof(*more));
	if (!more)
		return describe_no_memory(d);
	d->pfs = more;
	more[d->n_pfs++] = (struct describe_pf){
		.pf = sriov->pf,
		.index = d->steps[1].index, /* devices[index].sriov */
		.first = sriov->first,
		.stride = sriov->stride,
		.enabled = sriov->enabled,
	};

	return 0;
}

static int set_sriov(struct describe *d, void *object,
		     struct json_object *value)
{
	struct sriov sriov = { .pf = object, .first = 1, .stride = 1 };
	int r = describe_object(d, &describe_sriov_kind, value, &sriov);

	if (r < 0)
		return r;
	if (sriov.enabled > sriov.total)
		return describe_refuse(d, "'enabled' is more than 'total'");
	if (sriov.enabled && !sriov.pf->vf_template)
		return describe_refuse(d, "needs 'vf' for what is enabled");
	sriov.pf->facts.sriov_total = sriov.total;

	return add_pf(d, &sriov);
}

/* --- devices --- */

static int set_bdf(struct describe *d, void *object, struct json_object *value)
{
	const char *text = json_object_get_string(value);
	char bdf[BDF_SIZE];

	if (bdf_parse(text, bdf) < 0 || !str_eq(bdf, text))
		return describe_refuse(d, "'%s' is no PCI address as the kernel writes it, such as 0000:3b:00.0",
				       text);

	return 0;
}

static int set_group(struct describe *d, void *object,
		     struct json_object *value)
{
	struct sim_device *device = object;

	device->group = sim_group_known(d->sim, device->facts.group);
	if (!device->group)
		return describe_refuse(d, "there is no group %d",
				       device->facts.group);

	return 0;
}

/**
 * set_iommu() - The IOMMU, which is that of the device's group
 */
static int set_iommu(struct describe *d, void *object,
		     struct json_object *value)
{
	struct sim_device *device = object;
	const char *name = device->facts.iommu;
	struct sim_iommu *iommu = sim_iommu_known(d->sim, name);

	if (!iommu)
		return describe_refuse(d, "there is no IOMMU '%s'", name);
	if (!device->group)
		return describe_refuse(d, "needs 'group': what is behind an IOMMU is in a group");
	if (device->group->iommu && device->group->iommu != iommu)
		return describe_refuse(d, "group %d is behind IOMMU '%s'",
				       device->facts.group,
				       device->group->iommu->facts.name);
	device->group->iommu = iommu;

	return 0;
}

/**
 * find_pf() - The PF of that address, among those that came before
 */
static struct describe_pf *find_pf(struct describe *d, const char *bdf)
{
	for (size_t i = 0; i < d->n_pfs; i++)
		if (str_eq(d->pfs[i].pf->facts.bdf, bdf))
			return &d->pfs[i];

	return NULL;
}

/**
 * set_physfn() - The device is a VF
 */
static int set_physfn(struct describe *d, void *object,
		      struct json_object *value)
{
	struct sim_device *device = object;
	struct describe_pf *pf = find_pf(d, device->facts.physfn);

	if (!pf)
		return describe_refuse(d, "no device with 'sriov' and bdf '%s' comes before",
				       device->facts.physfn);
	if (pf->pf->vf_template)
		return describe_refuse(d, "VFs of %s are made from its 'vf', or described one by one: not both",
				       device->facts.physfn);
	if (pf->described == pf->pf->facts.sriov_total)
		return describe_refuse(d, "%s has %u VFs at most",
				       device->facts.physfn, pf->described);
	device->vf_of = pf->described++;
	pf->pf->facts.sriov_num = pf->described;

	return 0;
}

static const struct describe_key device_keys[] = {
	{ KEY("bdf", STRING), DEVICE(facts.bdf), .required = true,
	  .set = set_bdf },
	{ KEY("vendor", NUMBER), DEVICE(facts.vendor), .required = true,
	  .max = UINT16_MAX },
	{ KEY("class", NUMBER), DEVICE(facts.class), .required = true,
	  .max = 0xffffff },
	COMMON_KEYS,
	{ KEY("bridge", BOOL), DEVICE(facts.bridge) },
	{ KEY("numa_node", NUMBER), DEVICE(facts.numa_node), .min = -1,
	  .max = 1023 },
	{ KEY("group", NUMBER), DEVICE(facts.group), .max = INT32_MAX,
	  .set = set_group },
	{ KEY("iommu", STRING), DEVICE(facts.iommu), .min = 1,
	  .set = set_iommu },
	{ KEY("override", STRING), DEVICE(override) },
	{ KEY("physfn", STRING), DEVICE(facts.physfn), .min = 1,
	  .set = set_physfn },
	{ KEY("sriov", OBJECT), .set = set_sriov },
};

const struct describe_kind describe_device_kind = {
	"devices", device_keys, ARRAY_SIZE(device_keys),
};

/* describe_device() - A device, into the machine */
int describe_device(struct describe *d, void *unused, struct json_object *value)
{
	struct sim_device *device = calloc(1, sizeof(*device));
	size_t n_pfs = d->n_pfs;
	char bdf[BDF_SIZE];
	int r;

	if (!device)
		return describe_no_memory(d);
	device->facts.numa_node = -1;
	device->facts.group = -1;
	device->present = true;
	r = describe_object(d, &describe_device_kind, value, device);
	if (r < 0) {
		(void)sim_device_free(device);
		return r;
	}

	if (device->facts.class >> 16 == CLASS_BRIDGE)
		device->facts.bridge = true;
	(void)str_copy(bdf, sizeof(bdf), device->facts.bdf);
	r = sim_add_device_consume(d->sim, device);
	if (r < 0)
		d->n_pfs = n_pfs;
	if (r == -EEXIST)
		return describe_refuse(d, "there is a device %s already", bdf);

	return r < 0 ? describe_no_memory(d) : 0;
}

/* --- VFs --- */

/**
 * add_group() - A group for one VF, like that of its PF
 * @ret:	Borrowed from the machine
 */
static int add_group(struct describe *d, const struct sim_group *like,
		     struct sim_group **ret)
{
	struct sim_group *group = calloc(1, sizeof(*group));
	size_t size = like->facts.n_reserved * sizeof(*like->facts.reserved);
	int last = d->sim->groups[d->sim->n_groups - 1]->facts.number;

	if (!group)
		return describe_no_memory(d);
	if (last == INT32_MAX) {
		free(group);
		return describe_refuse(d, "no number is left for a group");
	}
	group->facts = like->facts;
	group->facts.number = last + 1;
	group->facts.reserved = size ? malloc(size) : NULL;
	group->iommu = like->iommu;
	if (size && !group->facts.reserved) {
		free(group);
		return describe_no_memory(d);
	}
	if (size)
		memcpy(group->facts.reserved, like->facts.reserved, size);
	if (sim_add_group_consume(d->sim, group) < 0)
		return describe_no_memory(d);

	*ret = group;
	return 0;
}

/**
 * add_vf() - Make a VF
 * @index:	Which, from 0
 */
static int add_vf(struct describe *d, const struct describe_pf *pf,
		  unsigned int index)
{
	struct sim_device *vf = malloc(sizeof(*vf));
	char bdf[BDF_SIZE];
	int r = 0;

	if (!vf)
		return describe_no_memory(d);
	*vf = *pf->pf->vf_template;
	vf->vf_of = index;
	vf->present = index < pf->enabled;
	if (sriov_address(pf->pf->facts.bdf, pf->first, pf->stride, index,
			  vf->facts.bdf) < 0)
		r = describe_refuse(d, "VF %u would be beyond bus ff", index);
	else if (d->sim->n_devices == SIM_DEVICES_MAX)
		r = describe_refuse(d, "with its VFs there are more than %d devices",
				    SIM_DEVICES_MAX);
	else if (pf->pf->group)
		r = add_group(d, pf->pf->group, &vf->group);
	if (r < 0) {
		free(vf);
		return r;
	}

	if (vf->group)
		vf->facts.group = vf->group->facts.number;
	(void)str_copy(bdf, sizeof(bdf), vf->facts.bdf);
	r = sim_add_device_consume(d->sim, vf);
	if (r == -EEXIST)
		return describe_refuse(d, "VF %u would be at %s, where there is a device",
				       index, bdf);

	return r < 0 ? describe_no_memory(d) : 0;
}

/**
 * add_vfs() - Make some VFs of each PF
 * @enabled:	Those that are present; false: the others
 */
static int add_vfs(struct describe *d, bool enabled)
{
	int r = 0;

	for (size_t i = 0; !r && i < d->n_pfs; i++) {
		const struct describe_pf *pf = &d->pfs[i];
		unsigned int from = enabled ? 0 : pf->enabled;
		unsigned int to = enabled ? pf->enabled :
					    pf->pf->facts.sriov_total;

		if (!pf->pf->vf_template)
			continue;
		pf->pf->facts.sriov_num = pf->enabled;
		describe_enter(d, "devices", 0);
		describe_enter(d, NULL, pf->index);
		describe_enter(d, "sriov", 0);
		for (; !r && from < to; from++)
			r = add_vf(d, pf, from);
		for (int n = 0; n < 3; n++)
			describe_leave(d);
	}

	return r;
}

/* describe_vfs() - Make the VFs of all PFs */
int describe_vfs(struct describe *d)
{
	int r = add_vfs(d, true);

	return r < 0 ? r : add_vfs(d, false);
}
