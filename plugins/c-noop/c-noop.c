// Exports every callback and does nothing in any.
typedef unsigned int u32;
#define EXPORT(name) __attribute__((export_name(#name), used))
#define VOID(name, ...) \
  EXPORT(name) void name(__VA_ARGS__) {}
#define ZERO(name, ...) \
  EXPORT(name) u32 name(__VA_ARGS__) { return 0; }
#define TRUE(name, ...) \
  EXPORT(name) u32 name(__VA_ARGS__) { return 1; }

VOID(proxy_abi_version_0_2_1, void)
VOID(_initialize, void)
VOID(proxy_on_context_create, u32 context, u32 parent)
TRUE(proxy_on_vm_start, u32 context, u32 size)
TRUE(proxy_on_configure, u32 context, u32 size)
VOID(proxy_on_tick, u32 context)
ZERO(proxy_on_new_connection, u32 context)
ZERO(proxy_on_downstream_data, u32 context, u32 size, u32 end)
ZERO(proxy_on_upstream_data, u32 context, u32 size, u32 end)
VOID(proxy_on_downstream_connection_close, u32 context, u32 peer)
VOID(proxy_on_upstream_connection_close, u32 context, u32 peer)
ZERO(proxy_on_request_headers, u32 context, u32 count, u32 end)
ZERO(proxy_on_request_body, u32 context, u32 size, u32 end)
ZERO(proxy_on_request_trailers, u32 context, u32 count)
ZERO(proxy_on_response_headers, u32 context, u32 count, u32 end)
ZERO(proxy_on_response_body, u32 context, u32 size, u32 end)
ZERO(proxy_on_response_trailers, u32 context, u32 count)
VOID(proxy_on_http_call_response, u32 context, u32 call, u32 headers, u32 size, u32 trailers)
VOID(proxy_on_grpc_receive_initial_metadata, u32 context, u32 call, u32 count)
VOID(proxy_on_grpc_receive, u32 context, u32 call, u32 size)
VOID(proxy_on_grpc_receive_trailing_metadata, u32 context, u32 call, u32 count)
VOID(proxy_on_grpc_close, u32 context, u32 call, u32 status)
VOID(proxy_on_queue_ready, u32 context, u32 queue)
VOID(proxy_on_foreign_function, u32 context, u32 function, u32 size)
TRUE(proxy_on_done, u32 context)
VOID(proxy_on_log, u32 context)
VOID(proxy_on_delete, u32 context)

// Nothing is ever asked of the host, so nothing is ever to be stored.
ZERO(proxy_on_memory_allocate, u32 size)
