#!/usr/bin/env python3
"""Cuts Envoy's whole schema down to the files that this project reads.

Usage: prune.py FULL.fds        (needs the PyPI package protobuf)

Writes, beside this script:
  envoy-1.40.fds    the files below and all they depend on, with every option kept (validation rules, deprecation)
  other-types.txt   the messages of Envoy that are not in it: a configuration that names one of these is valid for Envoy,
                    though not for us; any other name is a mistake
"""

import pathlib
import sys

from google.protobuf import descriptor_pb2

EXTENSIONS = """
access_loggers/file/v3/file access_loggers/filters/cel/v3/cel access_loggers/grpc/v3/als access_loggers/stream/v3/stream
access_loggers/wasm/v3/wasm
clusters/dns/v3/dns_cluster
filters/common/matcher/action/v3/skip_action
filters/http/health_check/v3/health_check filters/http/rbac/v3/rbac filters/http/router/v3/router
filters/http/set_filter_state/v3/set_filter_state filters/http/set_metadata/v3/set_metadata filters/network/set_filter_state/v3/set_filter_state
filters/http/upstream_codec/v3/upstream_codec filters/http/wasm/v3/wasm
filters/listener/http_inspector/v3/http_inspector filters/listener/original_dst/v3/original_dst
filters/listener/proxy_protocol/v3/proxy_protocol filters/listener/tls_inspector/v3/tls_inspector
filters/network/connection_limit/v3/connection_limit filters/network/direct_response/v3/config filters/network/echo/v3/echo
filters/network/http_connection_manager/v3/http_connection_manager filters/network/rbac/v3/rbac
filters/network/sni_cluster/v3/sni_cluster filters/network/tcp_proxy/v3/tcp_proxy filters/network/wasm/v3/wasm
health_check/event_sinks/file/v3/file
http/header_formatters/preserve_case/v3/preserve_case http/early_header_mutation/header_mutation/v3/header_mutation
http/original_ip_detection/custom_header/v3/custom_header http/original_ip_detection/xff/v3/xff
load_balancing_policies/least_request/v3/least_request load_balancing_policies/maglev/v3/maglev
load_balancing_policies/random/v3/random load_balancing_policies/ring_hash/v3/ring_hash
load_balancing_policies/round_robin/v3/round_robin load_balancing_policies/subset/v3/subset
load_balancing_policies/wrr_locality/v3/wrr_locality
network/dns_resolver/cares/v3/cares_dns_resolver network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver
path/match/uri_template/v3/uri_template_match path/rewrite/uri_template/v3/uri_template_rewrite
matching/common_inputs/network/v3/network_inputs matching/common_inputs/ssl/v3/ssl_inputs
matching/input_matchers/ip/v3/ip matching/input_matchers/metadata/v3/metadata
internal_redirect/allow_listed_routes/v3/allow_listed_routes_config
internal_redirect/previous_routes/v3/previous_routes_config
internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config
rbac/matchers/upstream_ip_port/v3/upstream_ip_port_matcher rbac/principals/mtls_authenticated/v3/mtls_authenticated
regex_engines/v3/google_re2 request_id/uuid/v3/uuid
retry/host/omit_canary_hosts/v3/omit_canary_hosts retry/host/omit_host_metadata/v3/omit_host_metadata_config
resource_monitors/downstream_connections/v3/downstream_connections
retry/host/previous_hosts/v3/previous_hosts retry/priority/previous_priorities/v3/previous_priorities_config
stat_sinks/graphite_statsd/v3/graphite_statsd stat_sinks/wasm/v3/wasm
transport_sockets/raw_buffer/v3/raw_buffer transport_sockets/tls/v3/common transport_sockets/tls/v3/secret
transport_sockets/tls/v3/tls
upstreams/http/generic/v3/generic_connection_pool upstreams/http/http/v3/http_connection_pool
upstreams/http/tcp/v3/tcp_connection_pool upstreams/http/v3/http_protocol_options
upstreams/tcp/generic/v3/generic_connection_pool upstreams/tcp/v3/tcp_protocol_options
wasm/v3/wasm
"""

OTHERS = """
envoy/config/bootstrap/v3/bootstrap envoy/config/cluster/v3/cluster envoy/config/endpoint/v3/endpoint
envoy/config/listener/v3/listener envoy/config/metrics/v3/metrics_service envoy/config/metrics/v3/stats
envoy/config/overload/v3/overload envoy/config/route/v3/route envoy/config/route/v3/scoped_route
envoy/config/accesslog/v3/accesslog envoy/config/core/v3/health_check
envoy/data/accesslog/v3/accesslog
envoy/service/accesslog/v3/als envoy/service/cluster/v3/cds envoy/service/discovery/v3/ads envoy/service/discovery/v3/discovery
envoy/service/endpoint/v3/eds envoy/service/extension/v3/config_discovery envoy/service/health/v3/hds
envoy/service/listener/v3/lds envoy/service/metrics/v3/metrics_service envoy/service/route/v3/rds
envoy/service/route/v3/srds envoy/service/runtime/v3/rtds envoy/service/secret/v3/sds
envoy/type/matcher/v3/http_inputs
source/extensions/common/wasm/ext/declare_property source/extensions/common/wasm/ext/set_envoy_filter_state
source/extensions/common/wasm/ext/sign source/extensions/common/wasm/ext/verify_signature
cel/expr/syntax cel/expr/checked xds/type/v3/cel
google/api/expr/v1alpha1/syntax google/api/expr/v1alpha1/checked
xds/type/matcher/v3/cel xds/type/matcher/v3/domain xds/type/matcher/v3/http_inputs xds/type/matcher/v3/ip
xds/type/matcher/v3/range
google/protobuf/any google/protobuf/duration google/protobuf/empty google/protobuf/struct google/protobuf/timestamp
google/protobuf/wrappers google/rpc/status
udpa/type/v1/typed_struct xds/type/v3/typed_struct
src/proto/grpc/health/v1/health
"""


def main():
    full = descriptor_pb2.FileDescriptorSet()
    full.ParseFromString(pathlib.Path(sys.argv[1]).read_bytes())
    by_name = {file.name: file for file in full.file}
    kept = set()

    def keep(name):
        if name not in kept:
            kept.add(name)
            for dependency in by_name[name].dependency:
                keep(dependency)

    for root in EXTENSIONS.split():
        keep(f"envoy/extensions/{root}.proto")
    for root in OTHERS.split():
        keep(f"{root}.proto")

    here = pathlib.Path(__file__).parent
    pruned = descriptor_pb2.FileDescriptorSet(file=[file for file in full.file if file.name in kept])
    (here / "envoy-1.40.fds").write_bytes(pruned.SerializeToString(deterministic=True))
    others = sorted(
        f"{file.package}.{message.name}"
        for file in full.file
        if file.name not in kept and file.package.startswith("envoy.")
        for message in file.message_type
    )
    (here / "other-types.txt").write_text("".join(f"{name}\n" for name in others))
    print(f"kept {len(kept)} of {len(full.file)} files, {pruned.ByteSize()} bytes; {len(others)} other types")


main()
