// A guest with the imports, exports and habits of the SDK for TinyGo: a WASI command whose `_start` returns, marker
// 0.2.0, and both allocators: `proxy_on_memory_allocate`, and a `malloc` of the runtime whose blocks stay. Logs the
// path of every request and adds `x-tinygo: <allocator that the host used>` to every response.
#define OWN_ALLOCATOR
#define ABI_0_2_0
#include "../include/proxy_wasm.h"

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI(proc_exit) void proc_exit(u32 code);
WASI(fd_write) u32 fd_write(u32 fd, u32 iovs, u32 n, u32 written);
WASI(args_sizes_get) u32 args_sizes_get(u32 count, u32 size);
WASI(args_get) u32 args_get(u32 list, u32 buffer);
WASI(environ_sizes_get) u32 environ_sizes_get(u32 count, u32 size);
WASI(environ_get) u32 environ_get(u32 list, u32 buffer);
WASI(clock_time_get) u32 clock_time_get(u32 clock, u64 precision, u32 time);
WASI(random_get) u32 random_get(u32 p, u32 n);

static u32 started;
static unsigned char ring[65536] __attribute__((aligned(16)));
static u32 next;
static char used = '-'; // which allocator the host called last

static u32 block(u32 size) {
  if (size == 0 || size > sizeof ring) __builtin_trap();
  if (next + size > sizeof ring) next = 0;
  u32 at = (u32)ring + next;
  next += (size + 15) & ~15u;
  return at;
}

EXPORT(malloc) u32 allocate(u32 size) {
  used = 'm';
  return block(size);
}
EXPORT(free) void release(u32 p) {}
EXPORT(proxy_on_memory_allocate) u32 on_memory_allocate(u32 size) {
  used = 'p';
  return block(size);
}

EXPORT(_start) void start(void) {
  u32 count = 0, size = 0;
  u64 time = 0, seed = 0;
  if (args_sizes_get((u32)&count, (u32)&size) != 0 || count != 0) proc_exit(1);
  if (environ_sizes_get((u32)&count, (u32)&size) != 0) proc_exit(2);
  if (clock_time_get(0, 1000, (u32)&time) != 0 || time == 0) proc_exit(3);
  if (random_get((u32)&seed, sizeof seed) != 0) proc_exit(4);
  started = 1;
}

// What the runtime refers to whether a plugin uses it or not.
__attribute__((used, visibility("default"))) void *const references[] = {args_get, environ_get, fd_write};

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {
  if (!started) __builtin_trap();
}
EXPORT(proxy_on_vm_start) u32 on_vm_start(u32 context, u32 size) { return 1; }
EXPORT(proxy_on_configure) u32 on_configure(u32 context, u32 size) { return 1; }

static void print(u32 p, u32 n) {
  u32 iov[2] = {p, n}, written;
  fd_write(1, (u32)iov, 1, (u32)&written);
}

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  u32 p = 0, n = 0;
  if (proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), (u32)&p, (u32)&n) == 0) print(p, n);
  return 0;
}
EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  if (used == 'm') proxy_add_header_map_value(RESPONSE_HEADERS, TEXT("x-tinygo"), TEXT("malloc"));
  else proxy_add_header_map_value(RESPONSE_HEADERS, TEXT("x-tinygo"), TEXT("proxy_on_memory_allocate"));
  return 0;
}
EXPORT(proxy_on_done) u32 on_done(u32 context) { return 1; }
EXPORT(proxy_on_log) void on_log(u32 context) {}
EXPORT(proxy_on_delete) void on_delete(u32 context) {}
