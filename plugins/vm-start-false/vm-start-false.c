// Refuses to start: `proxy_on_vm_start` answers false.
#include "../include/proxy_wasm.h"

EXPORT(proxy_on_vm_start) u32 on_vm_start(u32 context, u32 size) { return 0; }
