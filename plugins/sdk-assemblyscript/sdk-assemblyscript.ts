// A guest with the imports, exports and habits of the AssemblyScript SDK: its globals are set up by the module's start section, it exports
// `malloc`, imports `proc_exit` from `wasi_unstable`, and aborts when the property `plugin_root_id` cannot be read while a root is created.
// Logs the path of every request and adds `x-as: <root id>` to every response.

// @ts-ignore: decorator
@external("env", "proxy_log")
declare function proxy_log(level: u32, data: usize, size: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_property")
declare function proxy_get_property(path: usize, pathSize: usize, data: usize, size: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(map: u32, key: usize, keySize: usize, data: usize, size: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(map: u32, key: usize, keySize: usize, value: usize, valueSize: usize): u32;
// @ts-ignore: decorator
@external("wasi_unstable", "proc_exit")
declare function proc_exit(code: u32): void;

// Where the host writes a pointer and a length.
const cells = memory.data(8);
const roots = new Map<u32, ArrayBuffer>();
const streams = new Map<u32, u32>();

// What the host put into the cells: a block that `malloc` made.
function taken(): ArrayBuffer {
  const data = load<usize>(cells);
  if (data == 0) return new ArrayBuffer(0);
  __unpin(data);
  return changetype<ArrayBuffer>(data);
}

export function abort_(message: string | null, file: string | null, line: u32, column: u32): void {
  if (message !== null) {
    const text = String.UTF8.encode(message);
    proxy_log(5, changetype<usize>(text), text.byteLength);
  }
  proc_exit(255);
}

export function proxy_abi_version_0_2_1(): void {}

export function malloc(size: usize): usize {
  const buffer = new ArrayBuffer(<i32>size);
  __pin(changetype<usize>(buffer));
  return changetype<usize>(buffer);
}

export function proxy_on_context_create(context: u32, parent: u32): void {
  if (parent != 0) {
    if (!roots.has(parent)) throw new Error("unknown root context");
    streams.set(context, parent);
    return;
  }
  const path = String.UTF8.encode("plugin_root_id");
  if (proxy_get_property(changetype<usize>(path), path.byteLength, cells, cells + 4) != 0) {
    throw new Error("cannot read plugin_root_id");
  }
  roots.set(context, taken());
}

export function proxy_on_vm_start(context: u32, size: u32): u32 { return 1; }
export function proxy_on_configure(context: u32, size: u32): u32 { return 1; }
export function proxy_validate_configuration(context: u32, size: u32): u32 { return 1; }
export function proxy_on_tick(context: u32): void {}

export function proxy_on_request_headers(context: u32, count: u32, end: u32): u32 {
  if (!streams.has(context)) throw new Error("unknown context");
  const key = String.UTF8.encode(":path");
  if (proxy_get_header_map_value(0, changetype<usize>(key), key.byteLength, cells, cells + 4) == 0) {
    const text = String.UTF8.encode("hello from AssemblyScript, " + String.UTF8.decode(taken()));
    proxy_log(2, changetype<usize>(text), text.byteLength);
  }
  return 0;
}
export function proxy_on_request_body(context: u32, size: u32, end: u32): u32 { return 0; }
export function proxy_on_request_trailers(context: u32, count: u32): u32 { return 0; }
export function proxy_on_request_metadata(context: u32, count: u32): u32 { return 0; }

export function proxy_on_response_headers(context: u32, count: u32, end: u32): u32 {
  const root = roots.get(streams.get(context));
  const key = String.UTF8.encode("x-as");
  proxy_add_header_map_value(2, changetype<usize>(key), key.byteLength, changetype<usize>(root), root.byteLength);
  return 0;
}
export function proxy_on_response_body(context: u32, size: u32, end: u32): u32 { return 0; }
export function proxy_on_response_trailers(context: u32, count: u32): u32 { return 0; }
export function proxy_on_response_metadata(context: u32, count: u32): u32 { return 0; }
export function proxy_on_http_call_response(context: u32, call: u32, headers: u32, size: u32, trailers: u32): void {}
export function proxy_on_queue_ready(context: u32, queue: u32): void {}
// The SDK's name for proxy_on_grpc_receive_trailing_metadata.
export function proxy_on_grpc_trailing_metadata(context: u32, call: u32, count: u32): void {}
export function proxy_on_done(context: u32): u32 { return 1; }
export function proxy_on_log(context: u32): void {}
export function proxy_on_delete(context: u32): void {
  streams.delete(context);
  roots.delete(context);
}
