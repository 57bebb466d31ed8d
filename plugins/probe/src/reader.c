// Walking a script's text.
#include "script.h"

void fail(Reader *r, const char *error) {
  if (!r->error) {
    r->error = error;
    r->error_at = r->at;
  }
  r->at = r->end;
}

static bool is_word(u8 c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void skip_blanks(Reader *r, bool newlines) {
  while (r->at < r->end) {
    u8 c = *r->at;
    if (c == '#') {
      while (r->at < r->end && *r->at != '\n')
        r->at++;
    } else if (c == ' ' || c == '\t' || c == '\r' || (newlines && c == '\n')) {
      r->at++;
    } else {
      return;
    }
  }
}

bool accept(Reader *r, const char *token) {
  skip_blanks(r, false);
  const u8 *at = r->at;
  const char *t = token;
  for (; *t; t++, at++)
    if (at == r->end || *at != (u8)*t) return false;
  if (is_word(token[0]) && at < r->end && is_word(*at)) return false;
  r->at = at;
  return true;
}

void expect(Reader *r, const char *token) {
  if (!accept(r, token))
    fail(r, token[0] == ':'   ? "expected ':'"
            : token[0] == '(' ? "expected '('"
            : token[0] == '=' ? "expected '='"
                              : "expected ',' or the end of a list");
}

Bytes word(Reader *r) {
  skip_blanks(r, false);
  const u8 *from = r->at;
  while (r->at < r->end && is_word(*r->at))
    r->at++;
  return (Bytes){from, r->at - from};
}

bool at_line_end(Reader *r) {
  skip_blanks(r, false);
  return r->at == r->end || *r->at == '\n';
}

void skip_line(Reader *r) {
  u32 depth = 0;
  while (r->at < r->end) {
    u8 c = *r->at++;
    if (c == '"') {
      while (r->at < r->end && *r->at != '"')
        r->at += *r->at == '\\' ? 2 : 1;
      r->at = r->at < r->end ? r->at + 1 : r->end;
    } else if (c == '#') {
      while (r->at < r->end && *r->at != '\n')
        r->at++;
    } else if (c == '(' || c == '[' || c == '{') {
      depth++;
    } else if (c == ')' || c == ']' || c == '}') {
      if (depth) depth--;
    } else if (c == '\n' && depth == 0) {
      return;
    }
  }
}

u32 line_of(const Reader *r, const u8 *at) {
  u32 line = 1;
  for (const u8 *p = r->start; p < at; p++)
    line += *p == '\n';
  return line;
}
