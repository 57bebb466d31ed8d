// A guest with the imports, exports and habits of the C++ SDK built by emscripten: `_initialize`, `malloc`, a memory of
// 16 MiB that may grow to 2 GiB, grows while starting and tells of it, property paths with a NUL behind every segment,
// and an abort when the property `plugin_root_id` cannot be read while a root is created. Logs the path of every
// request and adds `x-cpp: <root id>` to every response.
#define OWN_ALLOCATOR
#include "../include/proxy_wasm.h"

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI(proc_exit) void proc_exit(u32 code);
WASI(fd_write) u32 fd_write(u32 fd, u32 iovs, u32 n, u32 written);
WASI(fd_read) u32 fd_read(u32 fd, u32 iovs, u32 n, u32 read);
WASI(fd_seek) u32 fd_seek(u32 fd, u64 offset, u32 whence, u32 position);
WASI(fd_close) u32 fd_close(u32 fd);
WASI(environ_sizes_get) u32 environ_sizes_get(u32 count, u32 size);
WASI(environ_get) u32 environ_get(u32 list, u32 buffer);
WASI(clock_time_get) u32 clock_time_get(u32 clock, u64 precision, u32 time);
WASI(random_get) u32 random_get(u32 p, u32 n);
IMPORT(emscripten_notify_memory_growth) void emscripten_notify_memory_growth(u32 memory);

// What the SDK refers to whether a plugin uses it or not.
__attribute__((used, visibility("default"))) void *const references[] = {
    fd_write,
    fd_read,
    fd_seek,
    fd_close,
    environ_sizes_get,
    environ_get,
    clock_time_get,
    random_get,
    proxy_get_status,
    proxy_set_effective_context,
    proxy_replace_header_map_value,
    proxy_continue_stream,
    proxy_close_stream,
    proxy_send_local_response,
};

typedef struct {
  u32 known, root;
} Context;
static Context contexts[1024];
static char root_id[256];
static u32 root_id_n;
static u32 error;

static void abort_(void) {
  proc_exit(1);
  __builtin_trap();
}

// Small blocks come from a ring, large ones from memory grown for each.
static unsigned char ring[65536] __attribute__((aligned(16)));
static u32 next;

static u32 grow(u32 size) {
  u32 old = __builtin_wasm_memory_grow(0, (size >> 16) + 1);
  if (old == (u32)-1) return 0;
  emscripten_notify_memory_growth(0);
  return old << 16;
}

EXPORT(malloc) u32 allocate(u32 size) {
  if (size > sizeof ring) return grow(size);
  if (next + size > sizeof ring) next = 0;
  u32 at = (u32)ring + next;
  next += (size + 15) & ~15u;
  return at;
}

EXPORT(__errno_location) u32 errno_location(void) { return (u32)&error; }
EXPORT(stackSave) u32 stack_save(void) { return (u32)__builtin_frame_address(0); }
EXPORT(_initialize) void initialize(void) {
  if (grow(0) == 0) abort_();
}

static Context *known(u32 context) {
  Context *c = &contexts[context % 1024];
  if (!c->known) abort_();
  return c;
}

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {
  Context *c = &contexts[context % 1024];
  c->known = 1;
  c->root = parent;
  if (parent != 0) return;
  u32 p = 0, n = 0;
  if (proxy_get_property(TEXT("plugin_root_id"), (u32)&p, (u32)&n) != 0) abort_();
  root_id_n = n < sizeof root_id ? n : sizeof root_id;
  for (u32 i = 0; i < root_id_n; i++)
    root_id[i] = ((char *)p)[i];
}

EXPORT(proxy_on_vm_start) u32 on_vm_start(u32 context, u32 size) { return known(context)->root == 0; }
EXPORT(proxy_on_configure) u32 on_configure(u32 context, u32 size) {
  u32 p = 0, n = 0;
  known(context);
  if (size > 0 && (proxy_get_buffer_bytes(7, 0, size, (u32)&p, (u32)&n) != 0 || n != size)) abort_();
  return 1;
}
EXPORT(proxy_validate_configuration) u32 validate_configuration(u32 context, u32 size) { return 1; }

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  known(context);
  u32 p = 0, n = 0;
  // The array's size counts the NUL behind the last segment too.
  static const char path[] = "request\0path";
  if (proxy_get_property((u32)path, sizeof path, (u32)&p, (u32)&n) == 0) proxy_log(INFO, p, n);
  return 0;
}
EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  known(context);
  proxy_add_header_map_value(RESPONSE_HEADERS, TEXT("x-cpp"), (u32)root_id, root_id_n);
  return 0;
}
EXPORT(proxy_on_delete) void on_delete(u32 context) { known(context)->known = 0; }

#define STREAM_3(name) \
  EXPORT(name) u32 name(u32 context, u32 a, u32 b) { return known(context), 0; }
#define STREAM_2(name) \
  EXPORT(name) u32 name(u32 context, u32 a) { return known(context), 0; }
STREAM_3(proxy_on_request_body)
STREAM_2(proxy_on_request_trailers)
STREAM_2(proxy_on_request_metadata)
STREAM_3(proxy_on_response_body)
STREAM_2(proxy_on_response_trailers)
STREAM_2(proxy_on_response_metadata)
STREAM_3(proxy_on_downstream_data)
STREAM_3(proxy_on_upstream_data)
EXPORT(proxy_on_new_connection) u32 on_new_connection(u32 context) { return known(context), 0; }
EXPORT(proxy_on_downstream_connection_close) void on_downstream_close(u32 context, u32 peer) { known(context); }
EXPORT(proxy_on_upstream_connection_close) void on_upstream_close(u32 context, u32 peer) { known(context); }
EXPORT(proxy_on_tick) void on_tick(u32 context) { known(context); }
EXPORT(proxy_on_queue_ready) void on_queue_ready(u32 context, u32 queue) { known(context); }
EXPORT(proxy_on_done) u32 on_done(u32 context) { return known(context), 1; }
EXPORT(proxy_on_log) void on_log(u32 context) { known(context); }
// Answers to calls that are not pending are ignored.
EXPORT(proxy_on_http_call_response)
void on_http_call_response(u32 context, u32 call, u32 headers, u32 size, u32 trailers) {}
#define CALL_3(name) \
  EXPORT(name) void name(u32 context, u32 call, u32 a) {}
CALL_3(proxy_on_grpc_receive_initial_metadata)
CALL_3(proxy_on_grpc_receive_trailing_metadata)
CALL_3(proxy_on_grpc_receive)
CALL_3(proxy_on_grpc_close)
CALL_3(proxy_on_foreign_function)
