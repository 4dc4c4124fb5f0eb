/* SPDX-License-Identifier: Apache-2.0
 *
 * sha256.h - SHA-256, of FIPS 180-4
 *
 * For short secrets of our own making, not for speed: the root program links no
 * library of cryptography for this alone.
 */
#ifndef IOASIDD_BASE_SHA256_H
#define IOASIDD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

/* sha256() - The hash of @size bytes */
void sha256(const void *data, size_t size, uint8_t ret[SHA256_SIZE]);

#endif
