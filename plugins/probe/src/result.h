// What a hostcall wrote, and how it is written down.
#pragma once
#include "base.h"

// What the host was asked to write: one or two cells of 8 bytes.
typedef struct {
  u8 shape;
  u8 cells;
  u64 *room;
  bool theirs[2]; // the script gave the pointer
} Result;

u32 buffer_size(u8 shape); // of a result in place, else 0
// The bytes that a pointer cell and a length cell tell of, or NULL and what to write instead.
const char *blob(const Result *result, Bytes *b);

void put_pairs(Text *t, Bytes pairs, bool sorted);
void put_bytes(Text *t, Bytes b, Bytes format);
void put_result(Text *t, const Result *result, Bytes format);
void put_strings(Text *t, const u32 *list, u32 count); // of environ_get and args_get
