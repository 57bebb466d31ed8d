// Making a hostcall from a script's arguments and writing its result down.
#include "imports.h"
#include "result.h"
#include "script.h"

#define MAX_ARGUMENTS 20
#define FORMATS "status str int pairs sorted len hash full hex cells"

typedef struct {
  Bytes name;
  const char *shape;
} Call;

enum {
#define FN(module, symbol, name, shape, params, count) CALL_##symbol,
  ALL_CALLS
#undef FN
      CALL_proc_exit,
  CALL_memory_grow,
  CALL_memory_size,
  CALL_peek,
  CALL_poke,
  CALL_evaluate,
  CALL_COUNT
};

static const Call calls[CALL_COUNT] = {
#define FN(module, symbol, name, shape, params, count) {{(const u8 *)#name, sizeof(#name) - 1}, shape},
    ALL_CALLS
#undef FN
    {{(const u8 *)"proc_exit", 9}, "i"},
    {{(const u8 *)"memory_grow", 11}, "i"},
    {{(const u8 *)"memory_size", 11}, ""},
    {{(const u8 *)"peek", 4}, "ii"},
    {{(const u8 *)"poke", 4}, "ib"},
    {{(const u8 *)"evaluate", 8}, "b"},
};

#define ARGS_0
#define ARGS_1 a[0]
#define ARGS_2 ARGS_1, a[1]
#define ARGS_3 ARGS_2, a[2]
#define ARGS_4 ARGS_3, a[3]
#define ARGS_5 ARGS_4, a[4]
#define ARGS_6 ARGS_5, a[5]
#define ARGS_7 ARGS_6, a[6]
#define ARGS_8 ARGS_7, a[7]
#define ARGS_9 ARGS_8, a[8]
#define ARGS_10 ARGS_9, a[9]
#define ARGS_12 ARGS_10, a[10], a[11]

// The import's own prototype cuts each argument to its width.
static u32 invoke(u32 id, const u64 *a) {
  switch (id) {
#define FN(module, symbol, name, shape, params, count) \
  case CALL_##symbol: return symbol(ARGS_##count);
    ALL_CALLS
#undef FN
  case CALL_proc_exit: proc_exit(a[0]); return 0;
  case CALL_memory_grow: return __builtin_wasm_memory_grow(0, a[0]);
  case CALL_memory_size: return __builtin_wasm_memory_size(0);
  default: return 0;
  }
}

static i32 find(Bytes name) {
  if (name.n > 6 && same((Bytes){name.p, 6}, LIT("proxy_"))) {
    name.p += 6;
    name.n -= 6;
  }
  for (u32 i = 0; i < CALL_COUNT; i++)
    if (same(calls[i].name, name)) return i;
  return -1;
}

bool is_call(Bytes name) { return find(name) >= 0; }

// === The call ===

typedef struct {
  u32 id, slots;
  u64 slot[14];
  Value given[MAX_ARGUMENTS];
  u32 count, next;
  Result results[3];
  u32 result_count;
  Bytes room; // of `n` or of the iovec to read into
  u32 strings;
} Invocation;

static void slot(Invocation *in, u64 n) {
  if (in->slots < COUNT(in->slot)) in->slot[in->slots++] = n;
}

static void read_arguments(Reader *r, Invocation *in) {
  expect(r, "(");
  skip_blanks(r, true);
  while (!r->error && !accept(r, ")")) {
    if (in->count == MAX_ARGUMENTS) {
      fail(r, "too many arguments");
      return;
    }
    if (in->count) {
      expect(r, ",");
      skip_blanks(r, true);
    }
    in->given[in->count++] = value(r);
    skip_blanks(r, true);
  }
}

static u32 iovec(Bytes b) {
  u32 *v = arena_new(8);
  v[0] = (u32)b.p;
  v[1] = b.n;
  return (u32)v;
}

static void fill_input(Reader *r, Invocation *in, char shape) {
  if (shape == '0') {
    slot(in, 0);
    return;
  }
  if (shape == 'Z') {
    slot(in, (u32)arena_new(4096));
    return;
  }
  if (shape == 'V') {
    u32 from = in->next;
    while (in->next < in->count && in->given[in->next].kind != NUMBER && in->given[in->next].kind != USUAL)
      in->next++;
    u32 n = in->next - from, *v = arena_new(8 * n + 1);
    for (u32 i = 0; i < n; i++) {
      v[2 * i] = (u32)in->given[from + i].bytes.p;
      v[2 * i + 1] = in->given[from + i].bytes.n;
    }
    slot(in, (u32)v);
    slot(in, n);
    return;
  }
  if (in->next == in->count) {
    fail(r, "too few arguments");
    return;
  }
  Value v = in->given[in->next++];
  if (r->dry) return;
  if (shape == 'i') {
    slot(in, as_number(r, v));
  } else if (shape == 'b') {
    Bytes b = as_bytes(r, v);
    slot(in, (u32)b.p);
    slot(in, b.n);
  } else if (shape == 'v') {
    slot(in, iovec(as_bytes(r, v)));
    slot(in, 1);
  } else if (v.kind == RAW) { // `n` or `R`: the script says where
    slot(in, shape == 'R' ? iovec(v.bytes) : (u32)v.bytes.p);
    slot(in, shape == 'R' ? 1 : v.bytes.n);
  } else {
    i64 n = as_number(r, v);
    if (n < 0 || n > 0x1000000) {
      fail(r, "a buffer has at most 16 MiB");
      return;
    }
    in->room = (Bytes){arena_new(n + 1), n};
    slot(in, shape == 'R' ? iovec(in->room) : (u32)in->room.p);
    slot(in, shape == 'R' ? 1 : n);
  }
}

static void fill_result(Reader *r, Invocation *in, char shape) {
  Result *result = &in->results[in->result_count++];
  u32 size = buffer_size(shape);
  result->shape = shape;
  result->cells = shape == 'r' || shape == 'p' ? 2 : 1;
  result->room = arena_new(size > 16 ? size : 16);
  for (u32 i = 0; i < 2 && !size; i++)
    result->room[i] = UNWRITTEN;
  for (u32 i = 0; i < result->cells; i++) {
    Value v = in->next < in->count ? in->given[in->next++] : (Value){USUAL, 0, {NULL, 0}};
    result->theirs[i] = v.kind != USUAL;
    slot(in, v.kind == USUAL ? (u32)&result->room[i] : (u32)as_number(r, v));
  }
}

static void fill(Reader *r, Invocation *in) {
  const char *shape = calls[in->id].shape;
  bool results = false;
  for (; *shape && !r->error; shape++) {
    if (*shape == ':') results = true;
    else if (results) fill_result(r, in, *shape);
    else fill_input(r, in, *shape);
  }
  if (!r->error && in->next < in->count) fail(r, "too many arguments");
}

// environ_get and args_get write as much as their _sizes_get says.
static void size_strings(Invocation *in) {
  u32 size = 0;
  if (in->id == CALL_environ_get) environ_sizes_get((u32)&in->strings, (u32)&size);
  else args_sizes_get((u32)&in->strings, (u32)&size);
  in->slot[0] = (u32)arena_new(4 * in->strings + 4);
  in->slot[1] = (u32)arena_new(size + 1);
}

// The result that a variable keeps. It lives in the arena, for the hostcall's own blob is freed.
static Value first_result(const Invocation *in, u32 status) {
  if (in->result_count == 0) return number(status);
  const Result *result = &in->results[0];
  Bytes b;
  if (result->shape == 'r' || result->shape == 'p') {
    if (blob(result, &b)) return number(0);
  } else if (buffer_size(result->shape)) {
    b = (Bytes){(const u8 *)result->room, buffer_size(result->shape)};
  } else {
    return number(result->shape == 'o' ? (u32)result->room[0] : result->room[0]);
  }
  u8 *p = arena_new(b.n);
  memcpy(p, b.p, b.n);
  return bytes((Bytes){p, b.n});
}

// A number beside the first result, as the CAS value of shared data.
static u32 second_result(const Invocation *in, u32 status) {
  return status == 0 && in->result_count > 1 ? (u32)in->results[1].room[0] : 0;
}

static void free_blobs(const Invocation *in) {
  for (u32 i = 0; i < in->result_count; i++) {
    const Result *result = &in->results[i];
    bool pointed = result->shape == 'r' || result->shape == 'p';
    if (pointed && !result->theirs[0] && result->room[0] != UNWRITTEN) heap_free((void *)(u32)result->room[0]);
  }
}

static Bytes read_format(Reader *r) {
  if (!accept(r, "as")) return (Bytes){NULL, 0};
  Bytes format = word(r);
  Bytes known = LIT(FORMATS);
  for (u32 from = 0, i = 0; i <= known.n; i++) {
    if (i < known.n && known.p[i] != ' ') continue;
    if (same((Bytes){known.p + from, i - from}, format)) return format;
    from = i + 1;
  }
  fail(r, "unknown format behind 'as'");
  return format;
}

static u32 foreign(Bytes name, Bytes arguments, Bytes *result) {
  u32 pointer = 0, length = 0;
  u32 status = proxy_call_foreign_function((u32)name.p, name.n, (u32)arguments.p, arguments.n, (u32)&pointer, (u32)&length);
  u8 *p = arena_new(length + 1);
  memcpy(p, (const u8 *)pointer, length);
  *result = (Bytes){p, length};
  if (pointer) heap_free((void *)pointer);
  return status;
}

// A CEL expression: made, evaluated, forgotten.
static Value evaluate(Bytes text, Text *line, Bytes format) {
  Bytes token, result, nothing;
  u32 status = foreign(LIT("expr_create"), text, &token);
  if (status) {
    put(line, LIT("not created "));
    put_u64(line, status);
    return number(0);
  }
  status = foreign(LIT("expr_evaluate"), token, &result);
  put_u64(line, status);
  if (!status) {
    put_c(line, ' ');
    put_bytes(line, result, format);
  }
  foreign(LIT("expr_delete"), token, &nothing);
  return bytes(result);
}

static Value pseudo_call(Invocation *in, Text *line, Bytes format) {
  const u64 *a = in->slot;
  put(line, LIT(" = "));
  if (in->id == CALL_peek) {
    Bytes b = {(const u8 *)(u32)a[0], (u32)a[1]};
    put_bytes(line, b, format);
    u8 *p = arena_new(b.n);
    memcpy(p, b.p, b.n);
    return bytes((Bytes){p, b.n});
  }
  if (in->id == CALL_evaluate) return evaluate((Bytes){(const u8 *)(u32)a[0], (u32)a[1]}, line, format);
  if (in->id == CALL_poke) memcpy((u8 *)(u32)a[0], (const u8 *)(u32)a[1], a[2]);
  i32 answer = invoke(in->id, a);
  put_i64(line, answer);
  return number(answer);
}

Value call(Reader *r, Bytes name, bool quiet) {
  Invocation *in = arena_new(sizeof(Invocation));
  i32 id = find(name);
  if (id < 0) {
    fail(r, "unknown step or hostcall");
    return number(0);
  }
  in->id = id;
  read_arguments(r, in);
  const u8 *end = r->at;
  if (!r->error) fill(r, in);
  Bytes format = r->error ? (Bytes){NULL, 0} : read_format(r);
  if (r->error || r->dry) return number(0);

  Text line = {0};
  start_line(&line);
  put_echo(&line, name.p, end);
  Value answer;
  if (in->id >= CALL_memory_grow) {
    answer = pseudo_call(in, &line, format);
  } else {
    if (in->id == CALL_environ_get || in->id == CALL_args_get) size_strings(in);
    u32 status = invoke(in->id, in->slot);
    frame->context->root->status = status;
    frame->context->root->second = second_result(in, status);
    put(&line, LIT(" = "));
    put_u64(&line, status);
    bool show = !same(format, LIT("status")) && (status == 0 || same(format, LIT("cells")));
    for (u32 i = 0; show && i < in->result_count; i++)
      put_result(&line, &in->results[i], format);
    if (show && in->room.p) {
      put_c(&line, ' ');
      put_bytes(&line, in->room, format.n ? format : LIT("len"));
    }
    if (show && in->strings) put_strings(&line, (const u32 *)(u32)in->slot[0], in->strings);
    answer = status == 0 ? first_result(in, status) : (Value){USUAL, 0, {NULL, 0}};
    free_blobs(in);
  }
  if (!quiet) report_line(text_bytes(&line));
  heap_free(line.p);
  return answer;
}
