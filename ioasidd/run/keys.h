/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.h - the keys of ioasidd.conf, as a table
 */
#ifndef IOASIDD_RUN_KEYS_H
#define IOASIDD_RUN_KEYS_H

#include "run/config.h"

/* keys_section() - Is there such a section? */
bool keys_section(const char *section);

/**
 * keys_set() - Take over one line of ioasidd.conf
 * @section:	Of it
 * @key:	What stands there
 * @value:	likewise
 * @ret_why:	Why it cannot be taken, 160 bytes
 *
 * Return: 0; -EINVAL with @ret_why; -ENOMEM.
 */
int keys_set(struct config *config, const char *section, const char *key,
	     const char *value, char ret_why[160]);

/* keys_set_quota() - The same, of [quota] and [quota OWNER]. */
int keys_set_quota(struct quota *quota, const char *key, const char *value,
		   char ret_why[160]);

#endif
