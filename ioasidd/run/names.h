/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h - users and groups by name
 */
#ifndef IOASIDD_RUN_NAMES_H
#define IOASIDD_RUN_NAMES_H

#include <stdint.h>

/**
 * names_number() - The number of a user or group, as grant_set() wants it
 * @kind:	"uid" or "gid"
 * @name:	Its name
 *
 * Asks what nsswitch.conf(5) names, which may take its time.
 *
 * Return: 0; -ENOENT.
 */
int names_number(const char *kind, const char *name, uint32_t *ret);

#endif
