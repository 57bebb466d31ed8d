// The step `attributes`: reads every attribute that Envoy documents, and paths around them.
#include "imports.h"
#include "result.h"
#include "script.h"

// Paths by group: segments joined by `/`, `.` for the group's own name, then how a value is shown: `:i` as an integer, `:n` as its length,
// `:p` as pairs in order of key, `:h` as length and digest; else as text. A group whose name is in brackets is not itself a segment.
static const struct {
  const char *name, *paths;
} groups[] = {
    {"request", ". path url_path query host scheme method referer useragent id protocol time:n duration:n size:i total_size:i headers_bytes:i "
                "headers:p headers/x-a headers/X-A headers/host headers/nothing headers/x-a/b nothing"},
    {"response", ". code:i code_details flags:i grpc_status:i size:i total_size:i headers_bytes:i backend_latency:n headers:p headers/x-b "
                 "headers/nothing trailers:p trailers/x-t trailers/nothing nothing"},
    {"source", ". address port:n nothing"},
    {"destination", ". address port:n nothing"},
    {"connection", ". id:n mtls:i requested_server_name termination_details transport_failure_reason tls_version subject_local_certificate "
                   "subject_peer_certificate uri_san_local_certificate uri_san_peer_certificate dns_san_local_certificate "
                   "dns_san_peer_certificate sha256_peer_certificate_digest nothing"},
    {"upstream", ". address port:n local_address locality:h locality/region locality/zone locality/sub_zone locality/nothing "
                 "transport_failure_reason request_attempt_count:i cx_pool_ready_duration:n num_endpoints:i tls_version subject_local_certificate "
                 "subject_peer_certificate uri_san_local_certificate uri_san_peer_certificate dns_san_local_certificate "
                 "dns_san_peer_certificate sha256_peer_certificate_digest nothing"},
    {"metadata", ".:h filter_metadata:n filter_metadata/ns:p filter_metadata/ns/k filter_metadata/ns/nothing filter_metadata/nothing "
                 "typed_filter_metadata:n typed_filter_metadata/nothing nothing"},
    {"filter_state", ". wasm.k k nothing"},
    {"upstream_filter_state", ". wasm.k k nothing"},
    {"xds", ". node/id node/cluster node/locality/zone node/metadata/k node/nothing cluster_name cluster_metadata:h "
            "cluster_metadata/filter_metadata/ns/k route_name route_metadata:h route_metadata/filter_metadata/ns/k virtual_host_name "
            "virtual_host_metadata:h virtual_host_metadata/filter_metadata/ns/k upstream_host_metadata:h "
            "upstream_host_metadata/filter_metadata/ns/k upstream_host_locality_metadata:h "
            "upstream_host_locality_metadata/filter_metadata/ns/k filter_chain_name listener_direction:i listener_metadata:h "
            "listener_metadata/filter_metadata/ns/k nothing"},
    {"(plugin)", "plugin_name plugin_root_id plugin_vm_id connection_id:n k wasm.k nothing"},
    {"(removed)", "node:h node/id cluster_name cluster_metadata:h cluster_metadata/filter_metadata/ns/k route_name route_metadata:h "
                  "route_metadata/filter_metadata/ns/k upstream_host_metadata:h upstream_host_metadata/filter_metadata/ns/k "
                  "listener_direction:i listener_metadata:h listener_metadata/filter_metadata/ns/k"},
};

static Bytes text_of(const char *text) {
  u32 n = 0;
  while (text[n])
    n++;
  return (Bytes){(const u8 *)text, n};
}

typedef struct {
  u32 status;
  Bytes value;
} Answer;

static Answer read(const Text *path) {
  u32 p = 0, n = 0;
  u32 status = proxy_get_property((u32)path->p, path->n, (u32)&p, (u32)&n);
  return (Answer){status, {(const u8 *)p, status ? 0 : n}};
}

// Pairs of maps may come in another order each time.
static bool same_answer(Answer a, Answer b, u8 shown) {
  return a.status == b.status && (shown == 'p' ? a.value.n == b.value.n : same(a.value, b.value));
}

static void put_answer(Text *line, Answer answer, u8 shown) {
  if (answer.status) {
    put_u64(line, answer.status);
    return;
  }
  Bytes format = shown == 'i'   ? LIT("int")
                 : shown == 'n' ? LIT("len")
                 : shown == 'p' ? LIT("sorted")
                 : shown == 'h' ? LIT("hash")
                                : LIT("str");
  put_bytes(line, answer.value, answer.value.n ? format : LIT("str"));
}

// The answer for a path; and for the path with a NUL behind it, and for a segment below it, if they are not what they should be:
// the same, and not found. Answers whether anything was found.
static bool put_path(Text *line, Text *path, Bytes name, u8 shown) {
  Answer plain = read(path);
  bool found = plain.status != 1;
  put_c(line, ' ');
  put(line, name);
  put_c(line, '=');
  put_answer(line, plain, shown);
  put_c(path, 0);
  Answer ended = read(path);
  if (!same_answer(plain, ended, shown)) {
    found = true;
    put(line, LIT(" with NUL="));
    put_answer(line, ended, shown);
  }
  put(path, LIT("below"));
  Answer below = read(path);
  bool whole = same(name, LIT("."));
  if (below.status != 1 && !whole) {
    found = true;
    put(line, LIT(" below="));
    put_answer(line, below, 's');
  }
  heap_free(plain.value.p);
  heap_free(ended.value.p);
  heap_free(below.value.p);
  return found;
}

static void read_group(u32 group) {
  Bytes name = text_of(groups[group].name);
  const char *at = groups[group].paths;
  Text line = {0}, path = {0};
  start_line(&line);
  put(&line, name);
  put_c(&line, ':');
  bool found = false;
  while (*at) {
    const char *from = at;
    path.n = 0;
    if (name.p[0] != '(') {
      put(&path, name);
      if (*at != '.') put_c(&path, 0);
    }
    for (; *at && *at != ' ' && *at != ':'; at++)
      if (*at != '.' || at > from) put_c(&path, *at == '/' ? 0 : *at);
    Bytes shown_name = {(const u8 *)from, at - from};
    u8 shown = 's';
    if (*at == ':') {
      shown = at[1];
      at += 2;
    }
    found |= put_path(&line, &path, shown_name, shown);
    if (*at == ' ') at++;
  }
  if (found) report_line(text_bytes(&line));
  heap_free(line.p);
  heap_free(path.p);
}

void read_attributes(Reader *r) {
  bool all = at_line_end(r);
  do {
    Bytes wanted = word(r);
    bool known = all;
    for (u32 i = 0; i < COUNT(groups); i++) {
      Bytes name = text_of(groups[i].name);
      if (name.p[0] == '(') name = (Bytes){name.p + 1, name.n - 2};
      if (!all && !same(name, wanted)) continue;
      known = true;
      Mark mark = arena_mark();
      if (!r->dry) read_group(i);
      arena_release(mark);
    }
    if (!known) fail(r, "unknown group of attributes");
  } while (!r->error && !at_line_end(r));
}
