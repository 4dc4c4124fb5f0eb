/* SPDX-License-Identifier: Apache-2.0
 *
 * api-process.h - ioasid-api: started, watched, started again
 *
 * DOC: Theory of Operation
 *
 * The program is run as the user ioasid-api, or as 65534 where there is no such
 * user; by who is not root, as himself. It gets the link as descriptor 3 and
 * what it is to know as sealed memfds over the link: it opens no file.
 *
 * When it ends, or is ended because it misbehaves, all of its connections are
 * over and it is started again, 100 ms later; each time that it did not live for
 * a minute twice as long, up to 30 s. Until then who connects waits with the
 * kernel. Users of the native socket do not notice.
 */
#ifndef IOASIDD_RUN_API_PROCESS_H
#define IOASIDD_RUN_API_PROCESS_H

#include "base/log.h"
#include "front/api-link.h"
#include "front/contract.h"

struct api_process;

/**
 * struct api_options - What is asked of the API
 * @program:	Path of ioasid-api; NULL: beside the running program, or else in
 *		../libexec from there
 * @link:	What is served
 * @certificate: Paths of PEM files, needed where TCP is served; read by us
 * @key:	likewise
 * @authorities: likewise: whose certificates clients may have
 * @revoked:	Likewise, a CRL; NULL for none
 * @limits:	For its clients; NULL for the defaults
 * @log_level:	The least urgent level that it logs
 *
 * Strings must live as long as the process.
 */
struct api_options {
	const char *program;
	struct api_link_options link;
	const char *certificate;
	const char *key;
	const char *authorities;
	const char *revoked;
	const Ioasid__V1__LinkLimits *limits;
	enum log_level log_level;
};

/**
 * api_process_start() - Listen and start it
 * @ret:	Ends with api_process_stop(); NULL if there is no such program,
 *		which is logged
 *
 * Loop thread, like all here.
 *
 * Return: 0; -EADDRINUSE kernel.system if somebody listens there; -EINVAL
 * request.invalid if TCP is served without a certificate; others of files that
 * cannot be read.
 */
int api_process_start(struct front *front, const struct api_options *options,
		      struct api_process **ret, struct error *err);

/**
 * api_process_reload() - Read the files anew, and let it use them
 * @options:	As for api_process_start(); what is not about files is not
 *		changed by it
 *
 * If it will not take them it goes on with those that it has; that is logged.
 *
 * Return: 0; -errno if they cannot be read: nothing is changed.
 */
int api_process_reload(struct api_process *process,
		       const struct api_options *options, struct error *err);

/* api_process_stop() - End it, and listen no more. NULL is allowed.
 * Return: NULL.
 */
struct api_process *api_process_stop(struct api_process *process);

#endif
