/* SPDX-License-Identifier: Apache-2.0
 *
 * vmm.c - tell a command the numbers of its descriptors
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

/**
 * placeholder() - Read a placeholder
 * @s:		What begins with '{'
 * @ret_end:	Behind it
 *
 * Return: the device's number; -1 for {iommufd}; -2 if it is none.
 */
static int placeholder(const char *s, const char **ret_end)
{
	const char *rest = str_starts(s, "{iommufd}");
	int n = 0;

	if (rest) {
		*ret_end = rest;
		return -1;
	}
	rest = str_starts(s, "{device");
	if (!rest || *rest < '0' || *rest > '9')
		return -2;
	/* Three digits are more than any lease has. */
	for (int i = 0; i < 3 && *rest >= '0' && *rest <= '9'; i++)
		n = n * 10 + *rest++ - '0';
	if (*rest != '}')
		return -2;
	*ret_end = rest + 1;
	return n;
}

/* vmm_highest_device() - See vmm.h. */
int vmm_highest_device(char **args, int n_args)
{
	const char *s, *end;
	int highest = -1;

	for (int i = 0; i < n_args; i++)
		for (s = strchr(args[i], '{'); s; s = strchr(s + 1, '{'))
			if (placeholder(s, &end) > highest)
				highest = placeholder(s, &end);
	return highest;
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
		const char *end;
		int n = *arg == '{' ? placeholder(arg, &end) : -2;

		if (n == -1) {
			fprintf(out, "%d", claim->iommufd);
		} else if (n >= 0 && (size_t)n < claim->n_devices) {
			fprintf(out, "%d", claim->devices[n].fd);
		} else {
			(void)fputc(*arg++, out);
			continue;
		}
		arg = end;
	}
	r = ferror(out);
	if (fclose(out) != 0 || r)
		return -ENOMEM;
	return strv_add(ret, text);
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
