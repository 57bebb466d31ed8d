// The callbacks a host calls.
#include "imports.h"
#include "script.h"

#define EXPORT(name) __attribute__((export_name(#name), used))

#if ABI == 10
EXPORT(proxy_abi_version_0_1_0) void abi_version(void) {}
#elif ABI == 20
EXPORT(proxy_abi_version_0_2_0) void abi_version(void) {}
#else
EXPORT(proxy_abi_version_0_2_1) void abi_version(void) {}
#endif

static bool vm_script_read, vm_script_good = true;

EXPORT(proxy_on_memory_allocate) u32 on_memory_allocate(u32 size) {
  // Made before the script runs: its own calls may allocate. A script that answers something else wastes it.
  return run(CB_memory_allocate, (u32)heap_new(size), 1, size, 0, 0, 0, 0);
}

static void read_environment(void) {
  u32 count = 0, size = 0;
  if (environ_sizes_get((u32)&count, (u32)&size) || count == 0) return;
  Mark mark = arena_mark();
  const u8 **list = arena_new(4 * count);
  if (environ_get((u32)list, (u32)arena_new(size + 1))) return;
  for (u32 i = 0; i < count; i++) {
    Bytes entry = {list[i], 0};
    while (entry.p[entry.n])
      entry.n++;
    if (entry.n > 6 && same((Bytes){entry.p, 6}, LIT("PROBE=")) &&
        !check(&env_script, (Bytes){entry.p + 6, entry.n - 6}))
      __builtin_trap();
  }
  arena_release(mark);
}

EXPORT(_initialize) void initialize(void) {
  read_environment();
  run(CB_start, 0, 0, 0, 0, 0, 0, 0);
}

EXPORT(main) i32 main_function(u32 argc, u32 argv) { return run(CB_main, 0, 2, argc, argv, 0, 0, 0); }

static bool read_script(Script *script, u32 buffer) {
  u32 p = 0, n = 0;
#if ABI == 10
  u32 status = buffer == 7 ? proxy_get_configuration((u32)&p, (u32)&n)
                           : proxy_get_buffer_bytes(buffer, 0, 0x7fffffff, (u32)&p, (u32)&n);
#else
  u32 status = proxy_get_buffer_bytes(buffer, 0, 0x7fffffff, (u32)&p, (u32)&n);
#endif
  if (status) n = 0;
  bool good = check(script, (Bytes){(const u8 *)p, n});
  if (n) heap_free((void *)p);
  return good;
}

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {
  context_new(context, parent);
  if (parent == 0 && !vm_script_read) {
    vm_script_read = true;
    vm_script_good = read_script(&vm_script, 6);
  }
  run(CB_context_create, 0, 2, context, parent, 0, 0, 0);
}

EXPORT(proxy_on_vm_start) u32 on_vm_start(u32 context, u32 size) {
  u32 result = run(CB_vm_start, 1, 2, context, size, 0, 0, 0);
  return vm_script_good ? result : 0;
}

EXPORT(proxy_on_configure) u32 on_configure(u32 context, u32 size) {
  if (size && !read_script(&context_find(context)->root->script, 7)) return 0;
  return run(CB_configure, 1, 2, context, size, 0, 0, 0);
}

EXPORT(proxy_on_delete) void on_delete(u32 context) {
  run(CB_delete, 0, 1, context, 0, 0, 0, 0);
  context_drop(context);
}

// The others only run their blocks.
#define VOID_1(name) \
  EXPORT(proxy_on_##name) void on_##name(u32 a) { run(CB_##name, 0, 1, a, 0, 0, 0, 0); }
#define VOID_2(name) \
  EXPORT(proxy_on_##name) void on_##name(u32 a, u32 b) { run(CB_##name, 0, 2, a, b, 0, 0, 0); }
#define VOID_3(name) \
  EXPORT(proxy_on_##name) void on_##name(u32 a, u32 b, u32 c) { run(CB_##name, 0, 3, a, b, c, 0, 0); }
#define VOID_5(name) \
  EXPORT(proxy_on_##name) void on_##name(u32 a, u32 b, u32 c, u32 d, u32 e) { run(CB_##name, 0, 5, a, b, c, d, e); }
#define ANSWER_1(name, usual) \
  EXPORT(proxy_on_##name) u32 on_##name(u32 a) { return run(CB_##name, usual, 1, a, 0, 0, 0, 0); }
#define ANSWER_2(name, usual) \
  EXPORT(proxy_on_##name) u32 on_##name(u32 a, u32 b) { return run(CB_##name, usual, 2, a, b, 0, 0, 0); }
#define ANSWER_3(name, usual) \
  EXPORT(proxy_on_##name) u32 on_##name(u32 a, u32 b, u32 c) { return run(CB_##name, usual, 3, a, b, c, 0, 0); }

#if ABI == 10
ANSWER_2(request_headers, 0)
ANSWER_2(response_headers, 0)
#else
ANSWER_3(request_headers, 0)
ANSWER_3(response_headers, 0)
VOID_3(foreign_function)
#endif
ANSWER_3(request_body, 0)
ANSWER_2(request_trailers, 0)
ANSWER_2(request_metadata, 0)
ANSWER_3(response_body, 0)
ANSWER_2(response_trailers, 0)
ANSWER_2(response_metadata, 0)
ANSWER_1(new_connection, 0)
ANSWER_3(downstream_data, 0)
ANSWER_3(upstream_data, 0)
VOID_2(downstream_connection_close)
VOID_2(upstream_connection_close)
VOID_5(http_call_response)
VOID_3(grpc_receive_initial_metadata)
VOID_3(grpc_receive)
VOID_3(grpc_receive_trailing_metadata)
VOID_3(grpc_close)
VOID_2(queue_ready)
VOID_1(tick)
VOID_1(log)
ANSWER_1(done, 1)

EXPORT(proxy_validate_configuration) u32 validate_configuration(u32 a, u32 b) {
  return run(CB_validate_configuration, 1, 2, a, b, 0, 0, 0);
}
EXPORT(envoy_on_resolve_dns) void on_resolve_dns(u32 a, u32 b, u32 c) { run(CB_resolve_dns, 0, 3, a, b, c, 0, 0); }
EXPORT(envoy_on_stats_update) void on_stats_update(u32 a, u32 b) { run(CB_stats_update, 0, 2, a, b, 0, 0, 0); }
