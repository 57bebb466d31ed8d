// Values and conditions.
#include "imports.h"
#include "script.h"

Value number(i64 n) { return (Value){NUMBER, n, {NULL, 0}}; }
Value bytes(Bytes b) { return (Value){BYTES, 0, b}; }

i64 as_number(Reader *r, Value v) {
  if (v.kind != NUMBER && !r->dry) fail(r, "an integer is wanted here");
  return v.number;
}

Bytes as_bytes(Reader *r, Value v) {
  if (v.kind == NUMBER && !r->dry) {
    // An unset variable, or an integer in a text.
    Text t = {0};
    put_i64(&t, v.number);
    Bytes b = {arena_new(t.n), t.n};
    memcpy((u8 *)b.p, t.p, t.n);
    heap_free(t.p);
    return b;
  }
  return v.bytes;
}

static Bytes join(Bytes a, Bytes b) {
  u8 *p = arena_new(a.n + b.n);
  memcpy(p, a.p, a.n);
  memcpy(p + a.n, b.p, b.n);
  return (Bytes){p, a.n + b.n};
}

static i32 hex_value(u8 c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// Behind the opening quote.
static Bytes quoted(Reader *r) {
  u32 room = 0;
  for (const u8 *p = r->at; p < r->end && *p != '"'; p += *p == '\\' ? 2 : 1)
    room++;
  u8 *out = arena_new(room + 1);
  u32 n = 0;
  while (r->at < r->end && *r->at != '"') {
    u8 c = *r->at++;
    if (c == '\\' && r->at < r->end) {
      c = *r->at++;
      if (c == 'x' && r->end - r->at >= 2 && hex_value(r->at[0]) >= 0 && hex_value(r->at[1]) >= 0) {
        c = hex_value(r->at[0]) << 4 | hex_value(r->at[1]);
        r->at += 2;
      } else if (c == 'n' || c == 'r' || c == 't' || c == '0') {
        c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : 0;
      } else if (c != '\\' && c != '"') {
        fail(r, "unknown escape");
      }
    } else if (c == '\n') {
      fail(r, "a string does not end on its line");
    }
    out[n++] = c;
  }
  if (r->at == r->end) {
    fail(r, "a string has no end");
  } else {
    r->at++;
  }
  return (Bytes){out, n};
}

static Bytes hex_bytes(Reader *r) {
  u8 *out = arena_new((r->end - r->at) / 2 + 1);
  u32 n = 0;
  while (r->at < r->end && *r->at != '"') {
    if (*r->at == ' ') {
      r->at++;
      continue;
    }
    if (r->end - r->at < 2 || hex_value(r->at[0]) < 0 || hex_value(r->at[1]) < 0) {
      fail(r, "h\"…\" wants pairs of hex digits");
      break;
    }
    out[n++] = hex_value(r->at[0]) << 4 | hex_value(r->at[1]);
    r->at += 2;
  }
  if (r->at < r->end) r->at++;
  return (Bytes){out, n};
}

static Bytes little_endian(u64 n, u32 size) {
  u8 *out = arena_new(size);
  for (u32 i = 0; i < size; i++)
    out[i] = (u8)(n >> (8 * i));
  return (Bytes){out, size};
}

// Behind `{`: `"a": "1", …}` in the ABI's encoding.
static Bytes pairs_literal(Reader *r) {
  Bytes head = {NULL, 0}, tail = {NULL, 0};
  u32 count = 0;
  skip_blanks(r, true);
  while (!r->error && !accept(r, "}")) {
    if (count++) {
      expect(r, ",");
      skip_blanks(r, true);
      if (accept(r, "}")) {
        count--;
        break;
      }
    }
    Bytes key = as_bytes(r, value(r));
    expect(r, ":");
    skip_blanks(r, true);
    Bytes val = as_bytes(r, value(r));
    skip_blanks(r, true);
    head = join(head, join(little_endian(key.n, 4), little_endian(val.n, 4)));
    tail = join(tail, join(join(key, (Bytes){(u8 *)"", 1}), join(val, (Bytes){(u8 *)"", 1})));
  }
  return join(little_endian(count, 4), join(head, tail));
}

// Behind `[`: segments joined by NUL.
static Bytes path_literal(Reader *r) {
  Bytes path = {NULL, 0};
  bool first = true;
  skip_blanks(r, true);
  while (!r->error && !accept(r, "]")) {
    if (!first) {
      expect(r, ",");
      skip_blanks(r, true);
      path = join(path, (Bytes){(u8 *)"", 1});
    }
    first = false;
    path = join(path, as_bytes(r, value(r)));
    skip_blanks(r, true);
  }
  return path;
}

static i64 digits(Reader *r) {
  u64 n = 0;
  if (r->end - r->at > 2 && r->at[0] == '0' && r->at[1] == 'x') {
    for (r->at += 2; r->at < r->end && hex_value(*r->at) >= 0; r->at++)
      n = n << 4 | hex_value(*r->at);
    return n;
  }
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
    n = n * 10 + (*r->at - '0');
  return n;
}

static u8 lower(u8 c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

bool pairs_value(Bytes pairs, Bytes key, Bytes *found) {
  u32 count = 0;
  if (pairs.n >= 4) memcpy(&count, pairs.p, 4);
  if (count > (pairs.n - 4) / 8) return false;
  const u8 *p = pairs.p + 4 + 8 * count, *end = pairs.p + pairs.n;
  for (u32 i = 0; i < count; i++) {
    u32 kn, vn;
    memcpy(&kn, pairs.p + 4 + 8 * i, 4);
    memcpy(&vn, pairs.p + 8 + 8 * i, 4);
    if ((u64)kn + vn + 2 > (u64)(end - p)) return false;
    bool equal = kn == key.n;
    for (u32 j = 0; equal && j < kn; j++)
      equal = lower(p[j]) == lower(key.p[j]);
    if (equal) {
      *found = (Bytes){p + kn + 1, vn};
      return true;
    }
    p += kn + vn + 2;
  }
  return false;
}

static Value request_header(Reader *r, Bytes name) {
  Bytes found = {NULL, 0};
  if (!r->dry) {
    ensure_request(frame->context);
    pairs_value(frame->context->request, name, &found);
  }
  return bytes(found);
}

// The position of a callback's argument among its arguments, or -1.
static i32 argument(Callback callback, Bytes name) {
  Bytes names = callbacks[callback].arguments;
  i32 position = 0;
  for (u32 from = 0, i = 0; i <= names.n; i++) {
    if (i < names.n && names.p[i] != ' ') continue;
    if (i > from && same((Bytes){names.p + from, i - from}, name)) return position;
    from = i + 1;
    position++;
  }
  return -1;
}

static Value named(Reader *r, Bytes name) {
  if (name.n == 0) fail(r, "a name is wanted behind '$'");
  if (r->dry) return bytes((Bytes){NULL, 0});
  Root *root = frame->context->root;
  if (name.n == 1 && name.p[0] >= '1' && name.p[0] <= '5') return number(frame->arguments[name.p[0] - '1']);
  if (same(name, LIT("root"))) return number(root->context.id);
  if (same(name, LIT("stream"))) return number(root->stream);
  if (same(name, LIT("call"))) return number(frame->context->calls[frame->callback]);
  if (same(name, LIT("nth"))) return number(root->nth[frame->callback]);
  if (same(name, LIT("status"))) return number(root->status);
  if (same(name, LIT("second"))) return number(root->second);
  if (same(name, LIT("i"))) return number(frame->round);
  if (same(name, LIT("path"))) return request_header(r, LIT(":path"));
  if (same(name, LIT("method"))) return request_header(r, LIT(":method"));
  if (same(name, LIT("report"))) {
    Bytes lines = text_bytes(&frame->context->report);
    return bytes(join((Bytes){lines.p, lines.n ? lines.n - 1 : 0}, (Bytes){NULL, 0}));
  }
  if (same(name, LIT("context")) && argument(frame->callback, name) < 0) return number(frame->context->id);
  i32 position = argument(frame->callback, name);
  if (position >= 0) return number(frame->arguments[position]);
  Variable *v = variable(root, name, false);
  if (!v) return number(0);
  // A copy: the step may set the variable again.
  return v->value.kind == BYTES ? bytes(join(v->value.bytes, (Bytes){NULL, 0})) : v->value;
}

static Value inside(Reader *r) { // `( VALUE )`
  expect(r, "(");
  skip_blanks(r, true);
  Value v = value(r);
  skip_blanks(r, true);
  expect(r, ")");
  return v;
}

static Value primary(Reader *r) {
  skip_blanks(r, false);
  if (r->at == r->end) {
    fail(r, "a value is wanted here");
    return number(0);
  }
  u8 c = *r->at;
  if (c == '"') return r->at++, bytes(quoted(r));
  if (c == '{') return r->at++, bytes(pairs_literal(r));
  if (c == '[') return r->at++, bytes(path_literal(r));
  if (c == '$') return r->at++, named(r, word(r));
  if (c == '-') return r->at++, number(-as_number(r, primary(r)));
  if (c >= '0' && c <= '9') return number(digits(r));
  if (c == '@') {
    r->at++;
    Value pointer = value(r);
    as_number(r, pointer);
    if (!accept(r, ":")) return pointer;
    Value length = value(r);
    return (Value){RAW, 0, {(const u8 *)(u32)as_number(r, pointer), (u32)as_number(r, length)}};
  }
  if (c == 'h' && r->end - r->at > 1 && r->at[1] == '"') return r->at += 2, bytes(hex_bytes(r));
  if (accept(r, "_")) return (Value){USUAL, 0, {NULL, 0}};
  if (accept(r, "end")) return number(memory_end());
  if (accept(r, "header")) return request_header(r, as_bytes(r, inside(r)));
  if (accept(r, "len")) return number(as_bytes(r, inside(r)).n);
  if (accept(r, "u32")) return bytes(little_endian(as_number(r, inside(r)), 4));
  if (accept(r, "u64")) return bytes(little_endian(as_number(r, inside(r)), 8));
  if (accept(r, "stats")) {
    expect(r, "(");
    Bytes blocks = as_bytes(r, value(r));
    expect(r, ",");
    Bytes prefix = as_bytes(r, value(r));
    expect(r, ")");
    return bytes(r->dry ? prefix : stats_of(blocks, prefix));
  }
  if (accept(r, "repeat")) {
    expect(r, "(");
    Bytes b = as_bytes(r, value(r));
    expect(r, ",");
    i64 n = as_number(r, value(r));
    expect(r, ")");
    if (r->dry) return bytes(b);
    if (n < 0 || n * b.n > 0x10000000) {
      fail(r, "repeat makes at most 256 MiB");
      return bytes(b);
    }
    u8 *p = arena_new(b.n * n);
    for (u32 i = 0; i < b.n * n; i++)
      p[i] = b.p[i % b.n];
    return bytes((Bytes){p, b.n * n});
  }
  fail(r, "not a value");
  return number(0);
}

Value value(Reader *r) {
  Value v = primary(r);
  while (!r->error) {
    if (accept(r, "+")) {
      Value w = primary(r);
      v = v.kind == NUMBER && w.kind == NUMBER ? number(v.number + w.number)
                                               : bytes(join(as_bytes(r, v), as_bytes(r, w)));
    } else if (accept(r, "-")) {
      i64 w = as_number(r, primary(r));
      v = number(as_number(r, v) - w);
    } else {
      break;
    }
  }
  return v;
}

static bool compared(Reader *r) {
  if (accept(r, "not")) return !compared(r);
  Value v = value(r);
  static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
  for (u32 i = 0; i < COUNT(operators); i++) {
    if (!accept(r, operators[i])) continue;
    Value w = value(r);
    if (r->dry || r->error) return false;
    i32 order = v.kind == NUMBER && w.kind == NUMBER ? (v.number > w.number) - (v.number < w.number)
                                                     : compare(as_bytes(r, v), as_bytes(r, w));
    switch (i) {
    case 0: return order == 0;
    case 1: return order != 0;
    case 2: return order <= 0;
    case 3: return order >= 0;
    case 4: return order < 0;
    default: return order > 0;
    }
  }
  return v.kind == NUMBER ? v.number != 0 : v.bytes.n != 0;
}

bool condition(Reader *r) {
  bool all = compared(r);
  while (accept(r, "and"))
    all = compared(r) && all;
  return all;
}
