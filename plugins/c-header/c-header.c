// Adds the header `x-plugin: c-header` to every request and every response.
#include "../include/proxy_wasm.h"

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {}

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  proxy_add_header_map_value(REQUEST_HEADERS, TEXT("x-plugin"), TEXT("c-header"));
  return 0;
}

EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  proxy_add_header_map_value(RESPONSE_HEADERS, TEXT("x-plugin"), TEXT("c-header"));
  return 0;
}
