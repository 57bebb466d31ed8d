// Traps in the request headers when the request has a header `x-trap`, in the response headers when it had
// `x-trap-response`.
#include "../include/proxy_wasm.h"

static u32 armed; // the stream whose response traps

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  if (has_header(REQUEST_HEADERS, TEXT("x-trap"))) __builtin_trap();
  if (has_header(REQUEST_HEADERS, TEXT("x-trap-response"))) armed = context;
  return 0;
}

EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  if (armed == context) __builtin_trap();
  return 0;
}
