// SPDX-License-Identifier: Apache-2.0

// Command client is grpc-go against ioasidd: one line of JSON for each step,
// the same steps as those of client.mjs.
//
//	client TARGET [AUTHORITIES CERTIFICATE KEY]
//
// TARGET is as gRPC names it: "unix:/run/ioasidd/api.sock" or "localhost:8443".
// With certificates it speaks TLS, mutual. IOASID_DEVICE names a device to
// prepare. What must be true of the lines is said in test_long_clients.py.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"ioasidd/client/ioasid"
)

type fields map[string]any

// say writes the line of a step.
func say(step string, what fields) {
	what["step"] = step
	line, err := json.Marshal(what)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

// answer is a message as JSON with the names of the .proto files.
func answer(message proto.Message) json.RawMessage {
	text, err := protojson.MarshalOptions{
		UseProtoNames: true, EmitUnpopulated: true}.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

// name is a code as the others' clients call it.
func name(err error) string {
	if err == io.EOF {
		return "OK"
	}
	return code.Code(status.Code(err)).String()
}

// outcome is what a call has come to.
func outcome(message proto.Message, err error) fields {
	if err == nil {
		return fields{"answer": answer(message)}
	}
	what := fields{"code": name(err)}
	wire, _ := proto.Marshal(status.Convert(err).Proto())
	what["bin"] = []string{base64.StdEncoding.EncodeToString(wire)}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			what["reason"], what["domain"] = info.Reason, info.Domain
		}
	}
	return what
}

// within is a context that ends.
func within(seconds float64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(),
		time.Duration(seconds*float64(time.Second)))
}

// transport is TLS with a client's certificate, or nothing.
func transport(files []string) credentials.TransportCredentials {
	if len(files) == 0 {
		return insecure.NewCredentials()
	}
	authorities, err := os.ReadFile(files[0])
	if err != nil {
		log.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(files[1], files[2])
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authorities)
	return credentials.NewTLS(&tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{own}})
}

// reads asks for what changes nothing.
func reads(connection *grpc.ClientConn) {
	ctx, cancel := within(60)
	defer cancel()
	host := ioasid.NewHostClient(connection)
	devices := ioasid.NewDevicesClient(connection)
	health := grpc_health_v1.NewHealthClient(connection)

	version, err := host.GetVersion(ctx, &ioasid.GetVersionRequest{})
	say("version", outcome(version, err))
	list, err := devices.ListDevices(ctx,
		&ioasid.ListDevicesRequest{PageSize: 2})
	say("list", outcome(list, err))
	missing, err := devices.GetDevice(ctx,
		&ioasid.GetDeviceRequest{Name: "devices/pci-9999-99-00.0"})
	say("missing", outcome(missing, err))
	check, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: "ioasid.v1.Devices"})
	say("health", outcome(check, err))

	var good atomic.Int32
	var all sync.WaitGroup
	for i := 0; i < 500; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := host.GetVersion(ctx,
				&ioasid.GetVersionRequest{}); err == nil {
				good.Add(1)
			}
		}()
	}
	all.Wait()
	say("parallel", fields{"good": good.Load()})
	watchHealth(health)
}

// watchHealth cancels a watch after its first item.
func watchHealth(health grpc_health_v1.HealthClient) {
	ctx, cancel := within(30)
	defer cancel()
	items := []json.RawMessage{}
	stream, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	for err == nil {
		var item *grpc_health_v1.HealthCheckResponse
		if item, err = stream.Recv(); err == nil {
			items = append(items, answer(item))
			cancel()
		}
	}
	say("health-watch", fields{"items": items, "code": name(err)})
}

// change prepares a device, and cancels a watch once it has told of it twice.
// The watch begins where a list was: its headers come with its first item, so
// there is nothing else to tell that it has begun.
func change(connection *grpc.ClientConn, device string) {
	ctx, cancel := within(60)
	defer cancel()
	devices := ioasid.NewDevicesClient(connection)
	list, err := devices.ListDevices(ctx, &ioasid.ListDevicesRequest{})
	if err != nil {
		log.Fatal(err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events, err := ioasid.NewEventsClient(connection).WatchEvents(watching,
		&ioasid.WatchEventsRequest{Revision: list.GetRevision()})
	if err != nil {
		log.Fatal(err)
	}
	operation, err := devices.PrepareDevice(ctx,
		&ioasid.PrepareDeviceRequest{Name: device})
	say("prepare", outcome(operation, err))
	done, err := ioasid.NewOperationsClient(connection).WaitOperation(ctx,
		&ioasid.WaitOperationRequest{Name: operation.GetName()})
	say("wait", outcome(done, err))

	items := []json.RawMessage{}
	for err = nil; err == nil; {
		var item *ioasid.Change
		if item, err = events.Recv(); err == nil {
			items = append(items, answer(item))
			if len(items) == 2 {
				stop()
				break
			}
		}
	}
	for err == nil {
		_, err = events.Recv()
	}
	say("watch", fields{"items": items, "code": name(err)})
}

// late watches until its deadline, while nothing changes.
func late(connection *grpc.ClientConn) {
	start := time.Now()
	ctx, cancel := within(0.5)
	defer cancel()
	events, err := ioasid.NewEventsClient(connection).WatchEvents(ctx,
		&ioasid.WatchEventsRequest{})
	for err == nil {
		_, err = events.Recv()
	}
	say("deadline", fields{"code": name(err),
		"ms": time.Since(start).Milliseconds()})
}

func main() {
	if len(os.Args) != 2 && len(os.Args) != 5 {
		log.Fatal("usage: client TARGET [AUTHORITIES CERTIFICATE KEY]")
	}
	connection, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(transport(os.Args[2:])))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	reads(connection)
	if device := os.Getenv("IOASID_DEVICE"); device != "" {
		change(connection, device)
	}
	late(connection)
}
