// A guest with the imports, exports and habits of the Zig SDK: a WASI reactor, marker 0.2.0,
// `proxy_on_memory_allocate`, reads with the largest possible length, appends at the largest possible offset, and traps
// on a context that it was not told of. Appends ` from Zig` to every response body.
#define ABI_0_2_0
#include "../include/proxy_wasm.h"

#define LARGEST ((u32)-1)
enum { RESPONSE_BODY = 1 };

static unsigned char known[4096];

static void must_know(u32 context) {
  if (!known[context % sizeof known]) __builtin_trap();
}

EXPORT(_initialize) void initialize(void) {}
EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {
  if (parent) must_know(parent);
  known[context % sizeof known] = 1;
}
EXPORT(proxy_on_configure) u32 on_configure(u32 context, u32 size) {
  must_know(context);
  return 1;
}
EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  must_know(context);
  proxy_remove_header_map_value(RESPONSE_HEADERS, TEXT("content-length"));
  return 0;
}
EXPORT(proxy_on_response_body) u32 on_response_body(u32 context, u32 size, u32 end) {
  u32 p = 0, n = 0;
  must_know(context);
  if (proxy_get_buffer_bytes(RESPONSE_BODY, 0, LARGEST, (u32)&p, (u32)&n) != 0 || n != size) __builtin_trap();
  if (end) proxy_set_buffer_bytes(RESPONSE_BODY, LARGEST, 0, TEXT(" from Zig"));
  return 0;
}
EXPORT(proxy_on_log) void on_log(u32 context) { must_know(context); }
EXPORT(proxy_on_done) u32 on_done(u32 context) {
  must_know(context);
  return 1;
}
EXPORT(proxy_on_delete) void on_delete(u32 context) {
  must_know(context);
  known[context % sizeof known] = 0;
}
