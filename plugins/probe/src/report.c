// What a script tells: its lines, and the steps it echoes in them.
#include "imports.h"
#include "script.h"

#define MAX_REPORT 65536

void log_error(Bytes message) { proxy_log(4, (u32)message.p, message.n); }

void start_line(Text *t) {
  put(t, callbacks[frame->callback].name);
  put(t, LIT(": "));
}

void report_line(Bytes line) {
  Text *report = &frame->context->report;
  if (report->n + line.n < MAX_REPORT) {
    put(report, line);
    put_c(report, '\n');
  }
  if (!frame->silent) proxy_log(2, (u32)line.p, line.n);
}

// A step as written, on one line, without comments, printable.
void put_echo(Text *t, const u8 *p, const u8 *end) {
  bool quoted = false;
  while (p < end) {
    u8 c = *p++;
    if (!quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#')) {
      bool newline = false;
      for (p--; p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == '#'); p++) {
        newline |= *p == '\n';
        if (*p == '#')
          while (p + 1 < end && p[1] != '\n')
            p++;
      }
      u8 last = t->p[t->n - 1];
      bool inner = last == '(' || last == '{' || last == '[' || *p == ')' || *p == '}' || *p == ']';
      if (!(newline && inner)) put_c(t, ' ');
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (c > 0x7e || c < 0x20) {
      put(t, LIT("\\x"));
      put_c(t, "0123456789abcdef"[c >> 4]);
      put_c(t, "0123456789abcdef"[c & 15]);
    } else {
      put_c(t, c);
    }
    if (quoted && c == '\\' && p < end) put_c(t, *p++);
  }
}

void ensure_request(Context *context) {
  u32 p = 0, n = 0;
  // The root context of an access log hears of one request after the other.
  bool logger = frame->callback == CB_log && context == &context->root->context;
  if ((context->request_read && !logger) || proxy_get_header_map_pairs(0, (u32)&p, (u32)&n) || n == 0) return;
  heap_free(context->request.p);
  context->request = heap_copy((Bytes){(const u8 *)p, n});
  context->request_read = true;
  heap_free((void *)p);
}
