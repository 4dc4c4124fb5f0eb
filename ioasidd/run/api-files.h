/* SPDX-License-Identifier: Apache-2.0
 *
 * api-files.h - what ioasid-api is to know, as sealed memfds
 */
#ifndef IOASIDD_RUN_API_FILES_H
#define IOASIDD_RUN_API_FILES_H

#include "run/api-process.h"

/**
 * api_files_read() - Read the files of the options
 * @ret:	To be ended with api_files_deinit()
 *
 * Return: 0; -EINVAL request.invalid if TCP is served without one that it
 * needs; others of files that cannot be read.
 */
int api_files_read(const struct api_options *options,
		   struct api_link_files *ret, struct error *err);

/* api_files_deinit() - Close them; empty afterwards. */
void api_files_deinit(struct api_link_files *files);

#endif
