#include "result.h"

void put_pairs(Text *t, Bytes pairs, bool sorted) {
  u32 count = 0;
  bool whole = pairs.n == 0;
  if (pairs.n >= 4) {
    memcpy(&count, pairs.p, 4);
    u64 size = 4 + 8 * (u64)count;
    whole = size <= pairs.n;
    for (u32 i = 0; whole && i < count; i++) {
      u32 n[2];
      memcpy(n, pairs.p + 4 + 8 * i, 8);
      size += (u64)n[0] + n[1] + 2;
      whole = size <= pairs.n;
    }
    whole = whole && size == pairs.n;
  }
  if (!whole) {
    put(t, LIT("malformed "));
    put_quoted_short(t, pairs);
    return;
  }
  typedef struct {
    Bytes key, value;
  } Pair;
  Pair *list = arena_new(count * sizeof(Pair) + 1);
  const u8 *p = pairs.p + 4 + 8 * count;
  for (u32 i = 0; i < count; i++) {
    u32 n[2];
    memcpy(n, pairs.p + 4 + 8 * i, 8);
    Pair pair = {{p, n[0]}, {p + n[0] + 1, n[1]}};
    p += n[0] + n[1] + 2;
    u32 at = i;
    if (sorted)
      for (; at > 0 && compare(list[at - 1].key, pair.key) > 0; at--)
        list[at] = list[at - 1];
    list[at] = pair;
  }
  put_c(t, '{');
  for (u32 i = 0; i < count; i++) {
    if (i) put(t, LIT(", "));
    put_quoted(t, list[i].key);
    put(t, LIT(": "));
    put_quoted_short(t, list[i].value);
  }
  put_c(t, '}');
}

u32 buffer_size(u8 shape) { return shape == 's' ? 8 : shape == 'x' ? 24 : shape == 'y' ? 64 : 0; }

void put_bytes(Text *t, Bytes b, Bytes format) {
  if (same(format, LIT("len"))) {
    put_u64(t, b.n);
    put(t, LIT(" bytes"));
  } else if (same(format, LIT("hash"))) {
    put_u64(t, b.n);
    put(t, LIT(" bytes, fnv1a "));
    put_hex(t, fnv1a(b));
  } else if (same(format, LIT("int")) && b.n > 0 && b.n <= 8) {
    u64 n = 0;
    memcpy(&n, b.p, b.n);
    put_i64(t, n);
  } else if (same(format, LIT("pairs")) || same(format, LIT("sorted"))) {
    put_pairs(t, b, format.p[0] == 's');
  } else if (same(format, LIT("full"))) {
    put_quoted(t, b);
  } else if (same(format, LIT("hex"))) {
    put_c(t, 'h');
    put_c(t, '"');
    for (u32 i = 0; i < b.n; i++) {
      put_c(t, "0123456789abcdef"[b.p[i] >> 4]);
      put_c(t, "0123456789abcdef"[b.p[i] & 15]);
    }
    put_c(t, '"');
  } else {
    put_quoted_short(t, b);
  }
}

static void put_integer(Text *t, u64 n, Bytes format) {
  if (same(format, LIT("hex"))) {
    put(t, LIT("0x"));
    if (n >> 32) put_hex(t, n >> 32);
    put_hex(t, n);
  } else {
    put_u64(t, n);
  }
}

// The bytes a pointer cell and a length cell tell of; NULL with a word about why not.
const char *blob(const Result *result, Bytes *b) {
  u64 pointer = result->room[0], length = result->room[1];
  if (result->theirs[0] || result->theirs[1]) return "-";
  if (pointer == UNWRITTEN || length == UNWRITTEN) return "untouched";
  *b = (Bytes){(const u8 *)(u32)pointer, (u32)length};
  if (b->n == 0) return b->p ? "\"\" at nonzero pointer" : NULL;
  if ((u64)(u32)pointer + b->n > memory_end()) return "outside memory";
  return NULL;
}

static void put_text(Text *t, const char *text) {
  while (*text)
    put_c(t, *text++);
}

static bool untouched(const Result *result, u32 cell) {
  // A u32 result fills half of its cell.
  return (u32)result->room[cell] == (u32)UNWRITTEN;
}

void put_result(Text *t, const Result *result, Bytes format) {
  put_c(t, ' ');
  bool pointed = result->shape == 'r' || result->shape == 'p';
  if (same(format, LIT("cells"))) {
    for (u32 i = 0; i < result->cells; i++) {
      if (i) put_c(t, ' ');
      if (result->theirs[i]) put_c(t, '-');
      else if (untouched(result, i)) put_text(t, "untouched");
      else if (pointed && i == 0) put_text(t, (u32)result->room[0] ? "set" : "0");
      else put_integer(t, result->shape == 'O' ? result->room[i] : (u32)result->room[i], format);
    }
    return;
  }
  if (pointed) {
    Bytes b;
    const char *instead = blob(result, &b);
    if (result->shape == 'p' && format.n == 0) format = LIT("pairs");
    if (instead) put_text(t, instead);
    else put_bytes(t, b, format);
  } else if (result->theirs[0]) {
    put_c(t, '-');
  } else if (buffer_size(result->shape)) {
    put_bytes(t, (Bytes){(u8 *)result->room, buffer_size(result->shape)}, format);
  } else if (untouched(result, 0)) {
    put_text(t, "untouched");
  } else if (result->shape == 'T' && format.n == 0) {
    put_text(t, result->room[0] ? "nonzero" : "0");
  } else {
    put_integer(t, result->shape == 'o' ? (u32)result->room[0] : result->room[0], format);
  }
}

// The strings of environ_get and args_get.
void put_strings(Text *t, const u32 *list, u32 count) {
  put(t, LIT(" ["));
  for (u32 i = 0; i < count; i++) {
    const u8 *p = (const u8 *)list[i];
    u32 n = 0;
    while (p[n])
      n++;
    if (i) put(t, LIT(", "));
    put_quoted(t, (Bytes){p, n});
  }
  put_c(t, ']');
}
