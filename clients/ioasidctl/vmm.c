/* SPDX-License-Identifier: Apache-2.0
 *
 * vmm.c - tell a command the numbers of its descriptors, or what to open
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/vmm.h"

static const char *const vmm_words[] = { "none", "qemu" };
static_assert(ARRAY_SIZE(vmm_words) == VMM_COUNT, "name every enum vmm");

/* The id of the iommufd object in QEMU. */
#define QEMU_IOMMUFD "ioasid0"

/* vmm_find() - See vmm.h. */
int vmm_find(const char *word, const char *command, enum vmm *ret)
{
	const char *slash = strrchr(command, '/');
	const char *base = slash ? slash + 1 : command;

	if (!word) {
		*ret = str_starts(base, "qemu-system") ? VMM_QEMU : VMM_NONE;
		return 0;
	}
	for (int i = 0; i < VMM_COUNT; i++) {
		if (str_eq(word, vmm_words[i])) {
			*ret = (enum vmm)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* What a placeholder stands for. */
enum place {
	PLACE_NOTHING,
	PLACE_IOMMUFD,
	PLACE_DEVICE,
	PLACE_GROUP,
};

/**
 * placeholder() - Read a placeholder
 * @s:		What begins with '{'
 * @ret_n:	Of a device or group its number
 * @ret_end:	Behind it
 */
static enum place placeholder(const char *s, int *ret_n, const char **ret_end)
{
	enum place place = PLACE_DEVICE;
	const char *rest = str_starts(s, "{iommufd}");
	int n = 0;

	*ret_n = -1;
	if (rest) {
		*ret_end = rest;
		return PLACE_IOMMUFD;
	}
	rest = str_starts(s, "{device");
	if (!rest) {
		rest = str_starts(s, "{group");
		place = PLACE_GROUP;
	}
	if (!rest || *rest < '0' || *rest > '9')
		return PLACE_NOTHING;
	/* Three digits are more than any lease has. */
	for (int i = 0; i < 3 && *rest >= '0' && *rest <= '9'; i++)
		n = n * 10 + *rest++ - '0';
	if (*rest != '}')
		return PLACE_NOTHING;
	*ret_n = n;
	*ret_end = rest + 1;
	return place;
}

/* vmm_highest_device() - See vmm.h. */
int vmm_highest_device(char **args, int n_args)
{
	const char *s, *end;
	int n, highest = -1;

	for (int i = 0; i < n_args; i++)
		for (s = strchr(args[i], '{'); s; s = strchr(s + 1, '{'))
			if (placeholder(s, &n, &end) == PLACE_DEVICE &&
			    n > highest)
				highest = n;
	return highest;
}

/* vmm_wants_iommufd() - See vmm.h. */
bool vmm_wants_iommufd(char **args, int n_args)
{
	const char *s, *end;
	int n;

	for (int i = 0; i < n_args; i++)
		for (s = strchr(args[i], '{'); s; s = strchr(s + 1, '{'))
			if (placeholder(s, &n, &end) == PLACE_IOMMUFD)
				return true;
	return false;
}

/**
 * bdf_of() - The address of a device as the kernel writes it
 * @name:	"devices/pci-0000-3b-00.0"
 * @ret:	"0000:3b:00.0"; what follows "pci-" if it is none
 */
static void bdf_of(const char *name, char ret[32])
{
	const char *bdf = str_starts(ctl_short_name(name), "pci-");

	(void)str_copy(ret, 32, bdf ? bdf : name);
	for (char *s = ret; *s; s++)
		*s = *s == '-' ? ':' : *s;
}

/**
 * node_of() - The node that a device's group is opened by
 * @claim:	The claim, of nodes
 * @device:	Its name
 */
static const char *node_of(const struct ioasid_claim *claim,
			   const char *device)
{
	const struct ioasid_lease *lease = claim->lease;

	for (size_t i = 0; i < lease->n_nodes; i++)
		for (size_t k = 0; k < lease->nodes[i].n_devices; k++)
			if (str_eq(lease->nodes[i].devices[k], device))
				return lease->nodes[i].path;
	return "";
}

/**
 * put() - Write what a placeholder stands for
 * @out:	Where to
 * @place:	Which; if it stands for nothing here, nothing is written
 * @n:		Of a device or group its number
 * @claim:	The descriptors, or nodes
 *
 * Return: false if it stands for nothing here.
 */
static bool put(FILE *out, enum place place, int n,
		const struct ioasid_claim *claim)
{
	const bool nodes = claim->lease->n_nodes > 0;
	const struct ioasid_claimed_device *device =
		n >= 0 && (size_t)n < claim->n_devices ? &claim->devices[n] :
							 NULL;
	char bdf[32];

	if (place == PLACE_IOMMUFD && !nodes) {
		fprintf(out, "%d", claim->iommufd);
	} else if (place == PLACE_DEVICE && device && !nodes) {
		fprintf(out, "%d", device->fd);
	} else if (place == PLACE_DEVICE && device) {
		bdf_of(device->name, bdf);
		(void)fputs(bdf, out);
	} else if (place == PLACE_GROUP && device && nodes) {
		(void)fputs(node_of(claim, device->name), out);
	} else {
		return false;
	}
	return true;
}

/**
 * fill() - Fill the placeholders of one argument
 * @arg:	The argument
 * @claim:	The descriptors
 * @ret:	Gets the argument with them
 *
 * Return: 0 or -ENOMEM.
 */
static int fill(const char *arg, const struct ioasid_claim *claim,
		struct strv *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out;
	int r;

	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	while (*arg) {
		enum place place = PLACE_NOTHING;
		const char *end = arg;
		int n = -1;

		if (*arg == '{')
			place = placeholder(arg, &n, &end);
		if (put(out, place, n, claim))
			arg = end;
		else
			(void)fputc(*arg++, out);
	}
	r = ferror(out);
	if (fclose(out) != 0 || r)
		return -ENOMEM;
	return strv_add(ret, text);
}

/**
 * qemu_host_options() - Add QEMU's options for devices that it opens itself
 * @claim:	The nodes
 * @ret:	Gets them
 *
 * By host= and without iommufd= it takes /dev/vfio/vfio and the group's node.
 *
 * Return: 0 or -ENOMEM.
 */
static int qemu_host_options(const struct ioasid_claim *claim,
			     struct strv *ret)
{
	char bdf[32];

	for (size_t i = 0; i < claim->n_devices; i++) {
		const char *name = claim->devices[i].name;

		bdf_of(name, bdf);
		if (strv_add(ret, "-device") < 0 ||
		    strv_addf(ret, "vfio-pci,id=%s,host=%s",
			      ctl_short_name(name), bdf) < 0)
			return -ENOMEM;
	}
	return 0;
}

/**
 * qemu_options() - Add QEMU's options
 * @claim:	The descriptors
 * @ret:	Gets them
 *
 * Return: 0 or -ENOMEM.
 */
static int qemu_options(const struct ioasid_claim *claim, struct strv *ret)
{
	if (claim->lease->n_nodes)
		return qemu_host_options(claim, ret);
	if (strv_add(ret, "-object") < 0 ||
	    strv_addf(ret, "iommufd,id=" QEMU_IOMMUFD ",fd=%d",
		      claim->iommufd) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < claim->n_devices; i++)
		if (strv_add(ret, "-device") < 0 ||
		    strv_addf(ret, "vfio-pci,id=%s,iommufd=" QEMU_IOMMUFD
			      ",fd=%d", ctl_short_name(claim->devices[i].name),
			      claim->devices[i].fd) < 0)
			return -ENOMEM;
	return 0;
}

/* vmm_args() - See vmm.h. */
int vmm_args(enum vmm vmm, char **args, int n_args,
	     const struct ioasid_claim *claim, struct strv *ret)
{
	int r = 0;

	for (int i = 0; i < n_args && r == 0; i++)
		r = vmm == VMM_NONE && i > 0 ? fill(args[i], claim, ret) :
					       strv_add(ret, args[i]);
	if (r == 0 && vmm == VMM_QEMU)
		r = qemu_options(claim, ret);
	if (r < 0)
		strv_deinit(ret);
	return r;
}
