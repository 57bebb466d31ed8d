//! Envoy's sandbox for Wasm, and other files as people write them.

use std::net::SocketAddr;

use sandgate_config::model::{CodecType, Discovery, EndpointAddress, HttpFilterKind};

use crate::support::accepted;

const SANDBOX: &str = r#"
static_resources:
  listeners:
  - name: main
    address:
      socket_address:
        address: 0.0.0.0
        port_value: 8000
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress_http
          codec_type: auto
          route_config:
            name: local_route
            virtual_hosts:
            - name: local_service
              domains:
              - "*"
              routes:
              - match:
                  prefix: "/"
                route:
                  cluster: web_service

          http_filters:
          - name: wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: "my_plugin"
                root_id: "my_root_id"
                # if your wasm filter requires custom configuration you can add
                # as follows
                configuration:
                  "@type": "type.googleapis.com/google.protobuf.StringValue"
                  value: |
                    {}
                vm_config:
                  vm_id: "my_vm_id"
                  code:
                    local:
                      filename: "FILE"
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router

  clusters:
  - name: web_service
    type: strict_dns
    lb_policy: round_robin
    load_assignment:
      cluster_name: service1
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address:
                address: web_service
                port_value: 9000
admin:
  address:
    socket_address:
      address: 0.0.0.0
      port_value: 8001
"#;

#[test]
fn the_sandbox_runs_unchanged() {
    let bootstrap = accepted(&SANDBOX.replace("FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
    let listener = &bootstrap.listeners[0];
    assert_eq!(listener.address, "0.0.0.0:8000".parse::<SocketAddr>().unwrap());
    let manager = &listener.filter_chains[0].http_connection_manager().unwrap();
    assert_eq!((manager.codec_type, manager.stat_prefix.as_str()), (CodecType::Auto, "ingress_http"));
    let HttpFilterKind::Wasm(plugin) = &manager.http_filters[0].kind else { panic!("not a plugin") };
    assert_eq!(
        (plugin.name.as_str(), plugin.root_id.as_str(), plugin.vm.vm_id.as_str()),
        ("my_plugin", "my_root_id", "my_vm_id")
    );
    assert_eq!((&plugin.configuration[..], plugin.vm.runtime.as_str()), (&b"{}\n"[..], ""));
    assert!(matches!(manager.http_filters[1].kind, HttpFilterKind::Router(_)));
    let cluster = &bootstrap.clusters[0];
    assert!(matches!(cluster.discovery, Discovery::StrictDns(_)));
    let wanted = EndpointAddress::Name { host: "web_service".to_owned(), port: 9000 };
    assert_eq!(cluster.localities[0].endpoints[0].address, wanted);
    assert_eq!(bootstrap.admin.unwrap().address.port(), 8001);
}
