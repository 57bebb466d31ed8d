// The part of the Proxy-Wasm ABI 0.2.1 that the small C guests use, for programs without a C library.
#pragma once

typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name), used))
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#define TEXT(literal) (u32)(literal), sizeof(literal) - 1
#define BAD ((u32)0xfffffff0) // no memory reaches so far

enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { INFO = 2 };

IMPORT(proxy_log) u32 proxy_log(u32 level, u32 p, u32 n);
IMPORT(proxy_get_property) u32 proxy_get_property(u32 path, u32 path_n, u32 p, u32 n);
IMPORT(proxy_get_buffer_bytes) u32 proxy_get_buffer_bytes(u32 type, u32 start, u32 max, u32 p, u32 n);
IMPORT(proxy_set_buffer_bytes) u32 proxy_set_buffer_bytes(u32 type, u32 start, u32 size, u32 p, u32 n);
IMPORT(proxy_get_buffer_status) u32 proxy_get_buffer_status(u32 type, u32 length, u32 flags);
IMPORT(proxy_get_header_map_size) u32 proxy_get_header_map_size(u32 map, u32 size);
IMPORT(proxy_get_header_map_pairs) u32 proxy_get_header_map_pairs(u32 map, u32 p, u32 n);
IMPORT(proxy_set_header_map_pairs) u32 proxy_set_header_map_pairs(u32 map, u32 p, u32 n);
IMPORT(proxy_get_header_map_value) u32 proxy_get_header_map_value(u32 map, u32 key, u32 key_n, u32 p, u32 n);
IMPORT(proxy_add_header_map_value) u32 proxy_add_header_map_value(u32 map, u32 key, u32 key_n, u32 value, u32 value_n);
IMPORT(proxy_replace_header_map_value)
u32 proxy_replace_header_map_value(u32 map, u32 key, u32 key_n, u32 value, u32 value_n);
IMPORT(proxy_remove_header_map_value) u32 proxy_remove_header_map_value(u32 map, u32 key, u32 key_n);
IMPORT(proxy_send_local_response)
u32 proxy_send_local_response(u32 code, u32 details, u32 details_n, u32 body, u32 body_n, u32 pairs, u32 pairs_n,
                              u32 grpc);
IMPORT(proxy_set_tick_period_milliseconds) u32 proxy_set_tick_period_milliseconds(u32 period);
IMPORT(proxy_set_effective_context) u32 proxy_set_effective_context(u32 context);
IMPORT(proxy_get_shared_data) u32 proxy_get_shared_data(u32 key, u32 key_n, u32 p, u32 n, u32 cas);
IMPORT(proxy_define_metric) u32 proxy_define_metric(u32 type, u32 name, u32 name_n, u32 id);
IMPORT(proxy_continue_stream) u32 proxy_continue_stream(u32 type);
IMPORT(proxy_close_stream) u32 proxy_close_stream(u32 type);
IMPORT(proxy_get_status) u32 proxy_get_status(u32 code, u32 p, u32 n);
IMPORT(proxy_call_foreign_function)
u32 proxy_call_foreign_function(u32 name, u32 name_n, u32 data, u32 data_n, u32 p, u32 n);

#ifdef ABI_0_2_0
EXPORT(proxy_abi_version_0_2_0) void proxy_abi_version(void) {}
#else
EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version(void) {}
#endif

// A ring of 64 KiB that is handed out over and over: values last until the next few calls, which is enough here.
#ifndef OWN_ALLOCATOR
static unsigned char ring[65536] __attribute__((aligned(16)));
static u32 ring_next;

EXPORT(proxy_on_memory_allocate) u32 proxy_on_memory_allocate(u32 size) {
  if (size > sizeof ring) return 0;
  if (ring_next + size > sizeof ring) ring_next = 0;
  u32 at = (u32)ring + ring_next;
  ring_next += (size + 15) & ~15u;
  return at;
}
#endif

__attribute__((unused)) static u32 has_header(u32 map, u32 key, u32 key_n) {
  u32 p = 0, n = 0;
  return proxy_get_header_map_value(map, key, key_n, (u32)&p, (u32)&n) == 0;
}
