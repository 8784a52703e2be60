// The oracle: grpc-gateway in front of a gRPC server, as its own documents set it up.
//
// It takes the server's address, prints the port that it listens on, and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	// Error details are written as JSON by their types.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "propusk/gateway/v1"
)

func newHandler(backend string) (http.Handler, error) {
	mux := runtime.NewServeMux(
		// What the contract says of JSON: the proto's names, zero values printed, unset messages left
		// out, unknown fields ignored.
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		}),
		// What google.api.http says of paths: decoded after they are matched, but for slashes within
		// a variable of several segments. The gateway's default is older than that.
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptSlash),
	)
	connection, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return mux, gatewayv1.RegisterWideServiceHandler(context.Background(), mux, connection)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gateway HOST:PORT")
	}
	handler, err := newHandler(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
