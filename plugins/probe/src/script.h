// The interpreter's types: callbacks, contexts, values, and the reader that walks a script's text.
#pragma once
#include "base.h"

// === Callbacks: CALLBACK(name, names of its arguments), in the order of the enum. ===
#define CALLBACKS                                                   \
  CALLBACK(start, "")                                               \
  CALLBACK(main, "argc argv")                                       \
  CALLBACK(context_create, "context parent")                        \
  CALLBACK(vm_start, "context size")                                \
  CALLBACK(configure, "context size")                               \
  CALLBACK(validate_configuration, "context size")                  \
  CALLBACK(tick, "context")                                         \
  CALLBACK(request_headers, "context count eos")                    \
  CALLBACK(request_body, "context size eos")                        \
  CALLBACK(request_trailers, "context count")                       \
  CALLBACK(request_metadata, "context count")                       \
  CALLBACK(response_headers, "context count eos")                   \
  CALLBACK(response_body, "context size eos")                       \
  CALLBACK(response_trailers, "context count")                      \
  CALLBACK(response_metadata, "context count")                      \
  CALLBACK(new_connection, "context")                               \
  CALLBACK(downstream_data, "context size eos")                     \
  CALLBACK(upstream_data, "context size eos")                       \
  CALLBACK(downstream_connection_close, "context peer")             \
  CALLBACK(upstream_connection_close, "context peer")               \
  CALLBACK(http_call_response, "context token count size trailers") \
  CALLBACK(grpc_receive_initial_metadata, "context token count")    \
  CALLBACK(grpc_receive, "context token size")                      \
  CALLBACK(grpc_receive_trailing_metadata, "context token count")   \
  CALLBACK(grpc_close, "context token code")                        \
  CALLBACK(queue_ready, "context token")                            \
  CALLBACK(foreign_function, "context function size")               \
  CALLBACK(done, "context")                                         \
  CALLBACK(log, "context")                                          \
  CALLBACK(delete, "context")                                       \
  CALLBACK(memory_allocate, "size")                                 \
  CALLBACK(resolve_dns, "context token size")                       \
  CALLBACK(stats_update, "context size")

typedef enum {
#define CALLBACK(name, arguments) CB_##name,
  CALLBACKS
#undef CALLBACK
      CB_COUNT
} Callback;

typedef struct {
  Bytes name, arguments;
} CallbackInfo;
extern const CallbackInfo callbacks[CB_COUNT];

// === A script and what its first lines switch on ===
typedef struct {
  Bytes text;
  bool trace, trace_allocate, silent, reads_request;
} Script;
extern Script env_script, vm_script;

// === Values ===
typedef enum { NUMBER, BYTES, RAW, USUAL } Kind; // RAW: pointer and length not to be read; USUAL: `_`
typedef struct {
  Kind kind;
  i64 number;
  Bytes bytes;
} Value;

typedef struct Variable {
  struct Variable *next;
  Bytes name;
  Value value; // bytes are the heap's
} Variable;

// === Contexts ===
typedef struct Root Root;
typedef struct Context {
  struct Context *next;
  u32 id;
  Root *root;
  u32 calls[CB_COUNT];
  Bytes request; // pairs of the request headers, once read
  bool request_read;
  Text report;
} Context;

struct Root {
  Context context;
  Script script;
  u32 nth[CB_COUNT];
  u32 stream; // most recently created
  u32 streams; // that are there
  bool deleted;
  u32 status, second; // of the last hostcall; its second result
  Variable *variables;
};

Context *context_find(u32 id); // never NULL: unknown ids read as the VM's own context
void context_new(u32 id, u32 parent);
void context_drop(u32 id);
Variable *variable(Root *root, Bytes name, bool create);

// === One running callback ===
typedef struct Frame {
  struct Frame *before;
  Callback callback;
  u32 arguments[5], count;
  Context *context;
  u32 result;
  bool returned, silent;
  u64 round; // of `times`
} Frame;
extern Frame *frame; // NULL between callbacks

// Runs the scripts' blocks for a callback.
u32 run(Callback callback, u32 result, u32 count, u32 a, u32 b, u32 c, u32 d, u32 e);

// Parses a whole script, reports its first error, and sets the switches. False: has an error.
bool check(Script *script, Bytes text);

// === Reading text ===
typedef struct {
  const u8 *start, *at, *end;
  bool dry;          // parse only
  const char *error; // the first one
  const u8 *error_at;
} Reader;

void fail(Reader *r, const char *error);
void skip_blanks(Reader *r, bool newlines);
bool accept(Reader *r, const char *token); // skips blanks before it; a word must end where the token ends
void expect(Reader *r, const char *token);
Bytes word(Reader *r); // letters, digits, `_`; empty if there is none
bool at_line_end(Reader *r);
void skip_line(Reader *r); // to behind the end of the step
u32 line_of(const Reader *r, const u8 *at);

Value number(i64 n);
Value bytes(Bytes b);
Value value(Reader *r);    // a sum
bool condition(Reader *r); // comparisons joined by `and`
i64 as_number(Reader *r, Value v);
Bytes as_bytes(Reader *r, Value v);
Bytes stats_of(Bytes blocks, Bytes prefix); // in the arena
bool pairs_value(Bytes pairs, Bytes key, Bytes *found); // the first one, by name without case

// === Hostcalls ===
bool is_call(Bytes name);
void read_attributes(Reader *r); // behind `attributes`: the groups to read
// Reads `(arguments) [as FORMAT]` behind a name, makes the call, reports it unless quiet, answers its first result.
Value call(Reader *r, Bytes name, bool quiet);
void report_line(Bytes line);                       // collects it, and logs it unless silent
void start_line(Text *t);                           // `CALLBACK: `
void put_echo(Text *t, const u8 *p, const u8 *end); // a step as written, on one line
void ensure_request(Context *context);
void log_error(Bytes message);
