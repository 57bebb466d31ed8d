#include "base.h"

void *memcpy(void *to, const void *from, unsigned long n) {
  for (unsigned long i = 0; i < n; i++)
    ((u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}

void *memset(void *to, int c, unsigned long n) {
  for (unsigned long i = 0; i < n; i++)
    ((u8 *)to)[i] = (u8)c;
  return to;
}

int compare(Bytes a, Bytes b) {
  for (u32 i = 0; i < a.n && i < b.n; i++)
    if (a.p[i] != b.p[i]) return a.p[i] < b.p[i] ? -1 : 1;
  return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

bool same(Bytes a, Bytes b) { return a.n == b.n && compare(a, b) == 0; }

bool contains(Bytes haystack, Bytes needle) {
  for (u32 i = 0; i + needle.n <= haystack.n; i++)
    if (same((Bytes){haystack.p + i, needle.n}, needle)) return true;
  return false;
}

u32 fnv1a(Bytes b) {
  u32 h = 0x811c9dc5;
  for (u32 i = 0; i < b.n; i++)
    h = (h ^ b.p[i]) * 0x01000193;
  return h;
}

// === The heap ===

// Before each block: its class, and a mark that tells the heap's own blocks from other pointers.
typedef struct {
  u32 class, mark;
} Header;

typedef struct Free {
  struct Free *next;
} Free;

extern u8 __heap_base;
static Free *free_blocks[32];
static u32 bump, bump_end;

u32 memory_end(void) {
  u32 pages = __builtin_wasm_memory_size(0);
  return pages >= 65536 ? 0xffffffff : pages << 16;
}

static u32 mark_of(const Header *h) { return (u32)h ^ 0x5ca1ab1e; }

static void *fresh(u32 size) {
  if (bump == 0) {
    bump = ((u32)&__heap_base + 15) & ~15u;
    bump_end = memory_end();
  }
  if (bump_end - bump < size) {
    u32 pages = (size >> 16) + 1;
    u32 old = __builtin_wasm_memory_grow(0, pages);
    if (old == 0xffffffff) __builtin_trap();
    if ((old << 16) != bump_end) bump = old << 16; // a script grew memory in between
    bump_end = (old + pages) << 16;
  }
  void *p = (void *)bump;
  bump += size;
  return p;
}

void *heap_new(u32 size) {
  if (size > 0x40000000) __builtin_trap();
  u32 class = 4;
  while ((1u << class) < size)
    class ++;
  Header *h;
  if (free_blocks[class]) {
    Free *f = free_blocks[class];
    free_blocks[class] = f->next;
    h = (Header *)f - 1;
  } else {
    h = fresh((1u << class) + 16); // 16 keeps blocks aligned
    h = (Header *)((u8 *)h + 8);
  }
  h->class = class;
  h->mark = mark_of(h);
  return h + 1;
}

void heap_free(const void *p) {
  u32 at = (u32)p;
  if (at % 16 != 0 || at < (u32)&__heap_base + 16 || at >= bump) return;
  Header *h = (Header *)p - 1;
  if (h->mark != mark_of(h) || h->class > 31) return;
  h->mark = 0;
  Free *f = (Free *)p;
  f->next = free_blocks[h->class];
  free_blocks[h->class] = f;
}

Bytes heap_copy(Bytes b) {
  u8 *p = heap_new(b.n);
  memcpy(p, b.p, b.n);
  return (Bytes){p, b.n};
}

// === The arena ===

typedef struct Chunk {
  struct Chunk *before;
  u32 size, pad[2];
} Chunk;

static Chunk *top;
static u32 top_used;

Mark arena_mark(void) { return (Mark){top, top_used}; }

void arena_release(Mark mark) {
  while (top != mark.chunk) {
    Chunk *gone = top;
    top = top->before;
    heap_free(gone);
  }
  top_used = mark.used;
}

void *arena_new(u32 size) {
  size = (size + 7) & ~7u;
  if (!top || top->size - top_used < size) {
    u32 room = size > 16000 ? size : 16000;
    Chunk *c = heap_new(sizeof(Chunk) + room);
    c->before = top;
    c->size = room;
    top = c;
    top_used = 0;
  }
  void *p = (u8 *)(top + 1) + top_used;
  top_used += size;
  return memset(p, 0, size);
}

// === Text ===

void put(Text *t, Bytes b) {
  if (t->n + b.n > t->room) {
    u32 room = (t->n + b.n) * 2 + 64;
    u8 *p = heap_new(room);
    memcpy(p, t->p, t->n);
    heap_free(t->p);
    t->p = p;
    t->room = room;
  }
  memcpy(t->p + t->n, b.p, b.n);
  t->n += b.n;
}

void put_c(Text *t, u8 c) { put(t, (Bytes){&c, 1}); }

void put_u64(Text *t, u64 n) {
  u8 digits[20];
  u32 at = sizeof digits;
  do
    digits[--at] = '0' + n % 10;
  while (n /= 10);
  put(t, (Bytes){digits + at, sizeof digits - at});
}

void put_i64(Text *t, i64 n) {
  if (n < 0) put_c(t, '-');
  put_u64(t, n < 0 ? -(u64)n : (u64)n);
}

static u8 hex_digit(u32 n) { return "0123456789abcdef"[n & 15]; }

void put_hex(Text *t, u32 n) {
  for (i32 shift = 28; shift >= 0; shift -= 4)
    put_c(t, hex_digit(n >> shift));
}

static void put_escaped(Text *t, Bytes b) {
  for (u32 i = 0; i < b.n; i++) {
    u8 c = b.p[i];
    u8 name = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == 0 ? '0' : c == '"' || c == '\\' ? c : 0;
    if (name) {
      put_c(t, '\\');
      put_c(t, name);
    } else if (c < 0x20 || c > 0x7e) {
      put(t, LIT("\\x"));
      put_c(t, hex_digit(c >> 4));
      put_c(t, hex_digit(c));
    } else {
      put_c(t, c);
    }
  }
}

void put_quoted(Text *t, Bytes b) {
  put_c(t, '"');
  put_escaped(t, b);
  put_c(t, '"');
}

void put_quoted_short(Text *t, Bytes b) {
  if (b.n <= 200) {
    put_quoted(t, b);
    return;
  }
  put_quoted(t, (Bytes){b.p, 100});
  put(t, LIT("... "));
  put_u64(t, b.n);
  put(t, LIT(" bytes, fnv1a "));
  put_hex(t, fnv1a(b));
}
