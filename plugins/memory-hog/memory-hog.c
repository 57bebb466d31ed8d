// Grows its memory as far as the host lets it when a request has a header `x-hog`, and logs the size it reached.
#include "../include/proxy_wasm.h"

static void log_pages(u32 pages) {
  char text[16];
  u32 at = sizeof text;
  do
    text[--at] = '0' + pages % 10;
  while (pages /= 10);
  proxy_log(INFO, (u32)text + at, sizeof text - at);
}

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  if (!has_header(REQUEST_HEADERS, TEXT("x-hog"))) return 0;
  for (u32 step = 1024; step > 0; step /= 2)
    while (__builtin_wasm_memory_grow(0, step) != (u32)-1) {
    }
  log_pages(__builtin_wasm_memory_size(0));
  return 0;
}
