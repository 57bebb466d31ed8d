// A control plane of go-control-plane: snapshots come in on standard input, what the proxy says goes out on standard output,
// both as lines of JSON (README.md of the conformance cases).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	runtimeservice "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	// Secrets are made of bytes here, so that nothing else names their type.
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// oneNode takes all proxies for the same one: a case has only one.
type oneNode struct{}

func (oneNode) ID(*core.Node) string { return "" }

// resources of one type, whose bodies are serialized.
type resources struct {
	Version string   `json:"version"`
	Bodies  [][]byte `json:"bodies"`
}

// event is one thing that happened on a stream.
type event struct {
	Event       string   `json:"event"`
	Stream      int64    `json:"stream"`
	TypeURL     string   `json:"type_url,omitempty"`
	Node        string   `json:"node,omitempty"`
	Version     string   `json:"version,omitempty"`
	Nonce       string   `json:"nonce,omitempty"`
	Names       []string `json:"names,omitempty"`
	Subscribe   []string `json:"subscribe,omitempty"`
	Unsubscribe []string `json:"unsubscribe,omitempty"`
	Initial     []string `json:"initial,omitempty"`
	Error       *failure `json:"error,omitempty"`
	Port        int      `json:"port,omitempty"`
	Message     string   `json:"message,omitempty"`
}

type failure struct {
	Code    int32  `json:"code"`
	Message string `json:"message"`
}

func failed(detail *status.Status) *failure {
	if detail == nil {
		return nil
	}
	return &failure{detail.GetCode(), detail.GetMessage()}
}

// teller writes events, one at a time.
type teller struct {
	lock sync.Mutex
	out  *json.Encoder
}

func (t *teller) tell(e event) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if err := t.out.Encode(e); err != nil {
		log.Fatal(err)
	}
}

func (t *teller) callbacks() server.CallbackFuncs {
	return server.CallbackFuncs{
		StreamRequestFunc: func(stream int64, r *discovery.DiscoveryRequest) error {
			t.tell(event{Event: "request", Stream: stream, TypeURL: r.GetTypeUrl(), Node: r.GetNode().GetId(), Version: r.GetVersionInfo(),
				Nonce: r.GetResponseNonce(), Names: r.GetResourceNames(), Error: failed(r.GetErrorDetail())})
			return nil
		},
		StreamResponseFunc: func(_ context.Context, stream int64, _ *discovery.DiscoveryRequest, r *discovery.DiscoveryResponse) {
			t.tell(event{Event: "response", Stream: stream, TypeURL: r.GetTypeUrl(), Version: r.GetVersionInfo(), Nonce: r.GetNonce()})
		},
		StreamDeltaRequestFunc: func(stream int64, r *discovery.DeltaDiscoveryRequest) error {
			initial := make([]string, 0, len(r.GetInitialResourceVersions()))
			for name := range r.GetInitialResourceVersions() {
				initial = append(initial, name)
			}
			t.tell(event{Event: "delta_request", Stream: stream, TypeURL: r.GetTypeUrl(), Node: r.GetNode().GetId(), Nonce: r.GetResponseNonce(),
				Subscribe: r.GetResourceNamesSubscribe(), Unsubscribe: r.GetResourceNamesUnsubscribe(), Initial: initial,
				Error: failed(r.GetErrorDetail())})
			return nil
		},
		StreamDeltaResponseFunc: func(stream int64, _ *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
			t.tell(event{Event: "response", Stream: stream, TypeURL: r.GetTypeUrl(), Version: r.GetSystemVersionInfo(), Nonce: r.GetNonce()})
		},
		StreamClosedFunc: func(stream int64, _ *core.Node) {
			t.tell(event{Event: "closed", Stream: stream})
		},
		DeltaStreamClosedFunc: func(stream int64, _ *core.Node) {
			t.tell(event{Event: "closed", Stream: stream})
		},
	}
}

// snapshot of all types that are given.
func snapshot(all map[string]resources) (*cache.Snapshot, error) {
	made := &cache.Snapshot{}
	for typeURL, given := range all {
		index := cache.GetResponseType(typeURL)
		if index == types.UnknownType {
			return nil, fmt.Errorf("unknown type %s", typeURL)
		}
		items := make([]types.Resource, 0, len(given.Bodies))
		for _, body := range given.Bodies {
			message, err := (&anypb.Any{TypeUrl: typeURL, Value: body}).UnmarshalNew()
			if err != nil {
				return nil, err
			}
			items = append(items, message)
		}
		made.Resources[index] = cache.NewResources(given.Version, items)
	}
	return made, nil
}

func register(to *grpc.Server, s server.Server) {
	discovery.RegisterAggregatedDiscoveryServiceServer(to, s)
	clusterservice.RegisterClusterDiscoveryServiceServer(to, s)
	endpointservice.RegisterEndpointDiscoveryServiceServer(to, s)
	extensionservice.RegisterExtensionConfigDiscoveryServiceServer(to, s)
	listenerservice.RegisterListenerDiscoveryServiceServer(to, s)
	routeservice.RegisterRouteDiscoveryServiceServer(to, s)
	runtimeservice.RegisterRuntimeDiscoveryServiceServer(to, s)
	secretservice.RegisterSecretDiscoveryServiceServer(to, s)
}

func main() {
	ctx := context.Background()
	told := &teller{out: json.NewEncoder(os.Stdout)}
	snapshots := cache.NewSnapshotCache(false, oneNode{}, nil)
	serving := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	register(serving, server.NewServer(ctx, snapshots, told.callbacks()))

	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(serving.Serve(listener)) }()
	told.tell(event{Event: "listening", Port: listener.Addr().(*net.TCPAddr).Port})

	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		all := map[string]resources{}
		if err := json.Unmarshal(line, &all); err != nil {
			log.Fatal(err)
		}
		made, err := snapshot(all)
		if err == nil {
			err = snapshots.SetSnapshot(ctx, "", made)
		}
		if err != nil {
			told.tell(event{Event: "failed", Message: err.Error()})
			continue
		}
		told.tell(event{Event: "set"})
	}
}
