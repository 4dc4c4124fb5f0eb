/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - any message as JSON, by the mapping of proto3
 */
#ifndef IOASIDCTL_JSON_H
#define IOASIDCTL_JSON_H

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

/**
 * json_of() - A message as JSON
 * @message:	Any message, validated
 *
 * Names in lowerCamelCase, 64-bit numbers as strings, enums by name, bytes in
 * base64, maps as objects, google.protobuf.Timestamp as RFC 3339. Fields that
 * have their default value are there; absent messages are not.
 *
 * Return: the object; json_object_put(). Without memory the program exits.
 */
struct json_object *json_of(const ProtobufCMessage *message);

/* json_print_line() - Print a message as JSON on stdout, in one line. */
void json_print_line(const ProtobufCMessage *message);

/* json_print() - Print a message as JSON on stdout. */
void json_print(const ProtobufCMessage *message);

#endif
