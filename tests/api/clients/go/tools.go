// SPDX-License-Identifier: Apache-2.0

//go:build tools

// The plugins of protoc that the client is made with: pinned like what it uses.
package main

import (
	_ "google.golang.org/grpc/cmd/protoc-gen-go-grpc"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)
