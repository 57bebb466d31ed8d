// Refuses its configuration: `proxy_on_configure` answers false.
#include "../include/proxy_wasm.h"

EXPORT(proxy_on_configure) u32 on_configure(u32 context, u32 size) { return 0; }
