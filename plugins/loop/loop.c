// Loops for ever in the request headers when the request has a header `x-loop`.
#include "../include/proxy_wasm.h"

static volatile u32 forever = 1;

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  if (has_header(REQUEST_HEADERS, TEXT("x-loop")))
    while (forever) {
    }
  return 0;
}
