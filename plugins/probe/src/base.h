// Types, memory and text for a program without a C library.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;
typedef u8 bool;
#define true 1
#define false 0
#define NULL ((void *)0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNWRITTEN 0xdededededededede // what result cells hold before a call

// A run of bytes that somebody else owns.
typedef struct {
  const u8 *p;
  u32 n;
} Bytes;

void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int c, unsigned long n);

#define LIT(text) ((Bytes){(const u8 *)(text), sizeof(text) - 1})
bool same(Bytes a, Bytes b);
bool contains(Bytes haystack, Bytes needle);
int compare(Bytes a, Bytes b);
u32 fnv1a(Bytes b);

// === The heap: blocks of powers of two, reused by size; memory only grows. ===
u32 memory_end(void);          // in bytes; 4 GiB reads as 0xffffffff
void *heap_new(u32 size);      // traps when there is no more
void heap_free(const void *p); // ignores what the heap did not hand out
Bytes heap_copy(Bytes b);

// === The arena: what lives until the step or the callback ends. ===
typedef struct {
  void *chunk;
  u32 used;
} Mark;
Mark arena_mark(void);
void arena_release(Mark mark);
void *arena_new(u32 size); // zeroed, 8-byte aligned

// === Text ===
typedef struct {
  u8 *p;
  u32 n, room;
} Text; // grows in the heap; free with heap_free(t.p)
void put(Text *t, Bytes b);
void put_c(Text *t, u8 c);
void put_u64(Text *t, u64 n);
void put_i64(Text *t, i64 n);
void put_hex(Text *t, u32 n);
void put_quoted(Text *t, Bytes b);       // in quotes, with escapes
void put_quoted_short(Text *t, Bytes b); // shortened when long
static inline Bytes text_bytes(const Text *t) { return (Bytes){t->p, t->n}; }
