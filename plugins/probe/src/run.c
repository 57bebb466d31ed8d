// Running scripts: blocks, steps, contexts.
#include "imports.h"
#include "script.h"

const CallbackInfo callbacks[CB_COUNT] = {
#define CALLBACK(name, arguments) \
  {{(const u8 *)#name, sizeof(#name) - 1}, {(const u8 *)arguments, sizeof(arguments) - 1}},
    CALLBACKS
#undef CALLBACK
};

Script env_script, vm_script;
Frame *frame;

// === Contexts ===

static Root vm_root;
static Context *contexts[64];

static Context *lookup(u32 id) {
  for (Context *c = contexts[id % COUNT(contexts)]; c; c = c->next)
    if (c->id == id) return c;
  return NULL;
}

Context *context_find(u32 id) {
  vm_root.context.root = &vm_root;
  Context *c = lookup(id);
  return c ? c : &vm_root.context;
}

void context_new(u32 id, u32 parent) {
  if (lookup(id)) return;
  u32 size = parent ? sizeof(Context) : sizeof(Root);
  Context *c = memset(heap_new(size), 0, size);
  c->id = id;
  c->root = parent ? context_find(parent)->root : (Root *)c;
  c->root->stream = parent ? id : 0;
  if (parent) c->root->streams++;
  c->next = contexts[id % COUNT(contexts)];
  contexts[id % COUNT(contexts)] = c;
}

static void root_drop(Root *root) {
  if (!root->deleted || root->streams) return;
  for (Variable *v = root->variables; v;) {
    Variable *next = v->next;
    heap_free(v->name.p);
    if (v->value.kind == BYTES) heap_free(v->value.bytes.p);
    heap_free(v);
    v = next;
  }
  heap_free(root->script.text.p);
  heap_free(root);
}

void context_drop(u32 id) {
  for (Context **link = &contexts[id % COUNT(contexts)]; *link; link = &(*link)->next) {
    Context *c = *link;
    if (c->id != id) continue;
    Root *root = c->root;
    *link = c->next;
    heap_free(c->request.p);
    heap_free(c->report.p);
    if (root == (Root *)c) {
      root->deleted = true; // streams may still point at it
    } else {
      root->streams--;
      heap_free(c);
    }
    root_drop(root);
    return;
  }
}

Variable *variable(Root *root, Bytes name, bool create) {
  for (Variable *v = root->variables; v; v = v->next)
    if (same(v->name, name)) return v;
  if (!create) return NULL;
  Variable *v = memset(heap_new(sizeof(Variable)), 0, sizeof(Variable));
  v->name = heap_copy(name);
  v->next = root->variables;
  return root->variables = v;
}

static void assign(Bytes name, Value value) {
  Variable *v = variable(frame->context->root, name, true);
  Bytes before = v->value.bytes;
  v->value = value;
  if (value.kind == BYTES) v->value.bytes = heap_copy(value.bytes);
  heap_free(before.p);
}

// === Steps ===

static volatile u32 zero, sink;
static u32 (*volatile no_function)(u32);

__attribute__((noinline)) static u32 recurse(u32 n) {
  u32 deeper = recurse(n + 1);
  sink = deeper;
  return deeper + sink;
}

static void trap(Reader *r) {
  Bytes kind = word(r);
  bool go = !r->dry;
  if (same(kind, LIT("unreachable"))) {
    if (go) __builtin_trap();
  } else if (same(kind, LIT("oob"))) {
    if (go) sink = *(volatile u32 *)0xfffffff0;
  } else if (same(kind, LIT("divzero"))) {
    if (go) sink = 7 / zero;
  } else if (same(kind, LIT("overflow"))) {
    if (go) sink = (i32)(0x80000000 + zero) / ((i32)zero - 1);
  } else if (same(kind, LIT("indirect"))) {
    if (go) sink = no_function(1);
  } else if (same(kind, LIT("stackoverflow"))) {
    if (go) sink = recurse(0);
  } else if (same(kind, LIT("loop"))) {
    while (go)
      sink = zero;
  } else {
    fail(r, "unknown kind of trap");
  }
}

static bool pausable(Callback c) {
  return c == CB_request_headers || c == CB_request_body || c == CB_response_headers || c == CB_response_body;
}

static void reply(u32 status) {
  Bytes lines = text_bytes(&frame->context->report);
  proxy_send_local_response(status, 0, 0, (u32)lines.p, lines.n, 0, 0, (u32)-1);
  if (pausable(frame->callback)) frame->result = 1;
}

static void stamp(Bytes name) {
  Bytes lines = text_bytes(&frame->context->report);
  Text t = {0};
  for (u32 i = 0; i + 1 < lines.n; i++) {
    if (lines.p[i] == '\n') put(&t, LIT("; "));
    else put_c(&t, lines.p[i]);
  }
  proxy_add_header_map_value(2, (u32)name.p, name.n, (u32)t.p, t.n);
  heap_free(t.p);
}

static void step(Reader *r, bool quiet);

// A step that is parsed, and made only if `go`.
static void step_if(Reader *r, bool quiet, bool go) {
  bool dry = r->dry;
  r->dry = dry || !go;
  step(r, quiet);
  r->dry = dry;
}

static void times(Reader *r, bool quiet) {
  i64 rounds = as_number(r, value(r));
  expect(r, ":");
  const u8 *body = r->at;
  if (r->dry || rounds <= 0) {
    step_if(r, quiet, false);
    return;
  }
  for (i64 i = 0; i < rounds && !r->error && !frame->returned; i++) {
    r->at = body;
    frame->round = i;
    step(r, quiet);
  }
}

static void assignment(Reader *r, bool quiet) {
  Bytes name = word(r);
  if (name.n == 0) fail(r, "a name is wanted behind '$'");
  expect(r, "=");
  skip_blanks(r, false);
  const u8 *from = r->at;
  Bytes called = word(r);
  Value v;
  if (called.n && is_call(called)) {
    v = call(r, called, quiet);
  } else {
    r->at = r->error ? r->end : from;
    v = value(r);
  }
  if (!r->dry && !r->error && v.kind != USUAL) assign(name, v);
}

static void step(Reader *r, bool quiet) {
  Mark mark = arena_mark();
  skip_blanks(r, false);
  if (accept(r, "$")) {
    assignment(r, quiet);
  } else if (accept(r, "quiet")) {
    step(r, true);
  } else if (accept(r, "if")) {
    bool go = condition(r);
    expect(r, ":");
    step_if(r, quiet, go);
  } else if (accept(r, "times")) {
    times(r, quiet);
  } else if (accept(r, "say")) {
    Bytes said = as_bytes(r, value(r));
    if (!r->dry && !r->error) {
      Text line = {0};
      start_line(&line);
      put(&line, said);
      report_line(text_bytes(&line));
      heap_free(line.p);
    }
  } else if (accept(r, "return")) {
    i64 result = as_number(r, value(r));
    if (!r->dry && !r->error) {
      frame->result = result;
      frame->returned = true;
    }
  } else if (accept(r, "reply")) {
    i64 status = as_number(r, value(r));
    if (!r->dry && !r->error) reply(status);
  } else if (accept(r, "stamp")) {
    Bytes name = as_bytes(r, value(r));
    if (!r->dry && !r->error) stamp(name);
  } else if (accept(r, "silent")) {
    if (!r->dry) frame->silent = true;
  } else if (accept(r, "attributes")) {
    read_attributes(r);
  } else if (accept(r, "trap")) {
    trap(r);
  } else if (accept(r, "spin")) {
    i64 rounds = as_number(r, value(r));
    for (i64 i = 0; i < rounds && !r->dry; i++)
      sink = zero;
  } else {
    call(r, word(r), quiet);
  }
  arena_release(mark);
}

// === Blocks ===

static u64 bit(Callback c) { return (u64)1 << c; }
static const u64 any_callback = ~((u64)1 << CB_memory_allocate);

static u64 callback_set(Reader *r) {
  u64 set = 0;
  do {
    Bytes name = word(r);
    u64 found = same(name, LIT("any")) ? any_callback : 0;
    for (u32 i = 0; i < CB_COUNT; i++)
      if (same(callbacks[i].name, name)) found = bit(i);
    if (!found) fail(r, "unknown callback");
    set |= found;
  } while (accept(r, ","));
  return set;
}

// Reads a whole script. Dry, it fills in the switches; otherwise it makes the steps of the blocks that match the frame.
static void walk(Reader *r, Script *script) {
  bool in_block = false, active = false;
  while (true) {
    skip_blanks(r, true);
    if (r->at == r->end || r->error) return;
    if (accept(r, "trace")) {
      script->trace = true;
      script->trace_allocate |= accept(r, "allocate");
    } else if (!in_block && accept(r, "silent")) {
      script->silent = true;
    } else if (accept(r, "on")) {
      u64 set = callback_set(r);
      in_block = true;
      active = !r->dry && (set & bit(frame->callback));
      Mark mark = arena_mark();
      if (accept(r, "when") && (r->dry || active)) active = condition(r) && active;
      arena_release(mark);
      if (!r->dry && !active) {
        skip_line(r);
        continue;
      }
      expect(r, ":");
    } else if (!in_block) {
      fail(r, "expected 'on', 'trace' or 'silent'");
    } else if (r->dry || active) {
      step(r, false);
    } else {
      skip_line(r);
      continue;
    }
    if (!r->dry && frame->returned) return;
    if (!r->error && !at_line_end(r)) fail(r, "more than one step on a line");
  }
}

static void log_failure(const Reader *r) {
  Text t = {0};
  if (frame && !r->dry) start_line(&t);
  put(&t, LIT("script error: line "));
  put_u64(&t, line_of(r, r->error_at));
  put(&t, LIT(": "));
  for (const char *c = r->error; *c; c++)
    put_c(&t, *c);
  log_error(text_bytes(&t));
  heap_free(t.p);
}

static Reader reader(Bytes text, bool dry) { return (Reader){text.p, text.p, text.p + text.n, dry, NULL, NULL}; }

bool check(Script *script, Bytes text) {
  Bytes before = script->text;
  *script = (Script){heap_copy(text), false, false, false, false};
  heap_free(before.p);
  script->reads_request =
      contains(text, LIT("$path")) || contains(text, LIT("$method")) || contains(text, LIT("header("));
  Mark mark = arena_mark();
  Reader r = reader(script->text, true);
  walk(&r, script);
  arena_release(mark);
  if (r.error) {
    log_failure(&r);
    script->text.n = 0;
  }
  return !r.error;
}

static void run_script(Script *script) {
  if (frame->returned || script->text.n == 0) return;
  Reader r = reader(script->text, false);
  walk(&r, script);
  if (r.error) log_failure(&r);
}

static void trace(const Frame *f) {
  Text t = {0};
  put(&t, LIT("> "));
  put(&t, callbacks[f->callback].name);
  put_c(&t, '(');
  for (u32 i = 0; i < f->count; i++) {
    if (i) put(&t, LIT(", "));
    put_i64(&t, f->callback == CB_memory_allocate ? (i64)f->arguments[i] : (i32)f->arguments[i]);
  }
  put_c(&t, ')');
  report_line(text_bytes(&t));
  heap_free(t.p);
}

static bool in_allocator(void) {
  for (const Frame *f = frame; f; f = f->before)
    if (f->callback == CB_memory_allocate) return true;
  return false;
}

u32 run(Callback callback, u32 result, u32 count, u32 a, u32 b, u32 c, u32 d, u32 e) {
  bool allocating = callback == CB_memory_allocate;
  if (allocating && in_allocator()) return result;
  Context *context = allocating && frame                                         ? frame->context
                     : allocating || callback == CB_start || callback == CB_main ? context_find(0)
                                                                                 : context_find(a);
  Root *root = context->root;
  Script *scripts[] = {&env_script, &vm_script, &root->script};
  Frame f = {frame, callback, {a, b, c, d, e}, count, context, result, false, false, 0};
  bool traced = false, reads = false;
  for (u32 i = 0; i < COUNT(scripts); i++) {
    f.silent |= scripts[i]->silent;
    traced |= allocating ? scripts[i]->trace_allocate : scripts[i]->trace;
    reads |= scripts[i]->reads_request;
  }
  frame = &f;
  Mark mark = arena_mark();
  context->calls[callback]++;
  root->nth[callback]++;
  if (traced) trace(&f);
  if (reads && callback == CB_request_headers) ensure_request(context);
  for (u32 i = 0; i < COUNT(scripts); i++)
    run_script(scripts[i]);
  arena_release(mark);
  frame = f.before;
  return f.result;
}
