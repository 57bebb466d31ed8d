// Grows its memory by 1 MiB at each request, writes it full and never uses it again.
#include "../include/proxy_wasm.h"

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {}

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  u32 pages = __builtin_wasm_memory_grow(0, 16);
  if (pages == (u32)-1) __builtin_trap();
  for (u32 page = 0; page < 256; page++) *(volatile u32 *)(pages * 65536 + page * 4096) = page + 1;
  return 0;
}
