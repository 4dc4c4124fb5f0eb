/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h - what objects keep of the request that made them
 */
#ifndef IOASIDD_MODEL_REQUEST_H
#define IOASIDD_MODEL_REQUEST_H

/* The caller's own id of it, without the end. */
#define REQUEST_ID_MAX 64

/* SHA-256 of what it asks for, in hexadecimal; see front/repeat.h. */
#define REQUEST_FINGERPRINT_SIZE 65

/* Room for whoever asks, by name: a certificate's can be long. */
#define PRINCIPAL_SIZE 256

#endif
