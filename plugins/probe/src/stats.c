// What a stats sink is shown: a block of counters, then one of gauges.
#include "script.h"

// A longer name is none: the block has ended.
#define LONGEST_NAME 1024

typedef struct {
  Bytes blocks;
  u32 at;
} Cursor;

static bool take(Cursor *c, void *to, u32 size) {
  if (c->at > c->blocks.n || size > c->blocks.n - c->at) return false;
  memcpy(to, c->blocks.p + c->at, size);
  c->at += size;
  return true;
}

static bool starts_with(Bytes b, Bytes prefix) {
  return b.n >= prefix.n && same((Bytes){b.p, prefix.n}, prefix);
}

// Lines of stats whose names begin so, in order of their names, joined by `; `.
Bytes stats_of(Bytes blocks, Bytes prefix) {
  enum { MOST = 64 };
  struct {
    Bytes name;
    u64 numbers[2];
    bool counter;
  } found[MOST], stat;
  u32 count = 0;
  Cursor c = {blocks, 0};
  for (u32 kind = 1; kind <= 2; kind++) {
    u32 head[3]; // size, kind, number of stats
    u32 from = c.at;
    if (!take(&c, head, sizeof head) || head[1] != kind) break;
    while (c.at - from < head[0]) {
      u32 n;
      if (!take(&c, &n, 4) || n == 0 || n > LONGEST_NAME || n > blocks.n - c.at) break;
      stat.name = (Bytes){blocks.p + c.at, n};
      c.at = (c.at + n + 7) & ~7u;
      stat.counter = kind == 1;
      if (!take(&c, stat.numbers, stat.counter ? 16 : 8)) break;
      if (!starts_with(stat.name, prefix) || count == MOST) continue;
      u32 at = count++;
      for (; at > 0 && compare(found[at - 1].name, stat.name) > 0; at--)
        found[at] = found[at - 1];
      found[at] = stat;
    }
  }
  Text t = {0};
  for (u32 i = 0; i < count; i++) {
    if (i) put(&t, LIT("; "));
    put(&t, found[i].counter ? LIT("counter ") : LIT("gauge "));
    put(&t, found[i].name);
    put_c(&t, ' ');
    put_u64(&t, found[i].numbers[0]);
    if (found[i].counter) {
      put(&t, LIT(" +"));
      put_u64(&t, found[i].numbers[1]);
    }
  }
  Bytes text = {arena_new(t.n), t.n};
  memcpy((u8 *)text.p, t.p, t.n);
  heap_free(t.p);
  return text;
}
