// Hands the host pointers outside memory, lengths past its end, and blobs that lie about their own lengths.
//
// Every response carries in `x-statuses` what a fixed list of such calls answered. A request header `x-lie` asks for
// worse: `pairs` replaces the request headers by blobs whose counts and lengths are lies, `allocator` makes the
// allocator answer a pointer outside memory, `edge` one whose block would end outside it, `null` answers 0.
#define OWN_ALLOCATOR
#include "../include/proxy_wasm.h"

static unsigned char block[4096];
static char lie;
static char statuses[256];
static u32 statuses_n;

EXPORT(malloc) u32 allocate(u32 size) {
  switch (lie) {
  case 'a': return BAD;
  case 'e': return (__builtin_wasm_memory_size(0) << 16) - 1;
  case 'n': return 0;
  default: return size > sizeof block ? 0 : (u32)block;
  }
}

static void note(u32 status) {
  if (statuses_n + 4 > sizeof statuses) return;
  if (statuses_n) statuses[statuses_n++] = ',';
  if (status > 9) statuses[statuses_n++] = '0' + status / 10 % 10;
  statuses[statuses_n++] = '0' + status % 10;
}

static void try_everything(void) {
  u32 end = __builtin_wasm_memory_size(0) << 16;
  u32 p = 0, n = 0;
  statuses_n = 0;
  note(proxy_log(INFO, BAD, 16));
  note(proxy_log(INFO, BAD, 0xffffffff));
  note(proxy_log(INFO, end - 4, 5));
  note(proxy_get_header_map_value(REQUEST_HEADERS, BAD, 4, (u32)&p, (u32)&n));
  note(proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), BAD, (u32)&n));
  note(proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), (u32)&p, BAD));
  note(proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), end - 3, (u32)&n));
  note(proxy_get_header_map_pairs(REQUEST_HEADERS, BAD, BAD));
  note(proxy_get_header_map_size(REQUEST_HEADERS, BAD));
  note(proxy_set_header_map_pairs(REQUEST_HEADERS, BAD, 64));
  note(proxy_add_header_map_value(REQUEST_HEADERS, TEXT("x"), BAD, 1));
  note(proxy_add_header_map_value(REQUEST_HEADERS, TEXT("x"), (u32)block, 0xffffffff));
  note(proxy_remove_header_map_value(REQUEST_HEADERS, BAD, 1));
  note(proxy_get_property(BAD, 1, (u32)&p, (u32)&n));
  note(proxy_get_property(TEXT("plugin_name"), BAD, BAD));
  note(proxy_get_buffer_bytes(6, 0, 1, BAD, BAD));
  note(proxy_get_buffer_status(0, BAD, BAD));
  note(proxy_set_buffer_bytes(0, 0, 0, BAD, 1));
  note(proxy_send_local_response(200, BAD, 1, 0, 0, 0, 0, 0));
  note(proxy_get_shared_data(BAD, 1, (u32)&p, (u32)&n, (u32)&n));
  note(proxy_define_metric(0, BAD, 1, (u32)&n));
  note(proxy_call_foreign_function(BAD, 1, 0, 0, 0, 0));
}

// count, then pairs of lengths, then too little.
static const u32 lies[][5] = {
    {0xffffffff, 1, 1, 0, 0}, {1, 0xffffffff, 1, 0, 0}, {1, 0x7fffffff, 0x7fffffff, 0, 0},
    {2, 1, 1, 0, 0},          {0x20000000, 0, 0, 0, 0},
};

static void lie_in_pairs(void) {
  for (u32 i = 0; i < sizeof lies / sizeof lies[0]; i++)
    for (u32 n = 0; n <= sizeof lies[0]; n++)
      note(proxy_set_header_map_pairs(REQUEST_HEADERS, (u32)lies[i], n));
}

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
  u32 p = 0, n = 0;
  lie = 0;
  try_everything();
  if (proxy_get_header_map_value(REQUEST_HEADERS, TEXT("x-lie"), (u32)&p, (u32)&n) == 0 && n > 0) {
    char asked = *(char *)p;
    if (asked == 'p') {
      lie_in_pairs();
    } else {
      lie = asked;
      note(proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), (u32)&p, (u32)&n));
      note(proxy_get_header_map_pairs(REQUEST_HEADERS, (u32)&p, (u32)&n));
      lie = 0;
    }
  }
  return 0;
}

EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
  proxy_add_header_map_value(RESPONSE_HEADERS, TEXT("x-statuses"), (u32)statuses, statuses_n);
  return 0;
}
