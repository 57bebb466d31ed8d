//! The functions a host offers, each written down once.
//!
//! The macros hand the tables to another macro, so that engines expand their glue from the same lines that
//! [`host_function`] checks a module's imports against. Parameters are `u32` for `i32` and `u64` for `i64`;
//! guest pointers are `u32`.

use crate::{AbiResult, AbiValue, Signature};

/// Hands every function of the ABI's versions 0.1.0 to 0.2.1, and Envoy's own, to a macro.
///
/// `for_each_proxy_function!(m tokens)` expands to `m! { tokens proxy_log(level: u32, …) -> u32; … }`.
/// All are in module `env`. All versions get all of them: that breaks no module and helps mislabelled ones.
#[macro_export]
macro_rules! for_each_proxy_function {
    ($then:ident $($context:tt)*) => {
        $then! {
            $($context)*
            proxy_log(level: u32, message: u32, message_len: u32) -> u32;
            proxy_get_log_level(ret_level: u32) -> u32;
            proxy_get_current_time_nanoseconds(ret_time: u32) -> u32;
            proxy_set_tick_period_milliseconds(period: u32) -> u32;
            proxy_get_configuration(ret_ptr: u32, ret_len: u32) -> u32;
            proxy_get_buffer_bytes(buffer: u32, start: u32, max_size: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_get_buffer_status(buffer: u32, ret_len: u32, ret_flags: u32) -> u32;
            proxy_set_buffer_bytes(buffer: u32, start: u32, size: u32, value: u32, value_len: u32) -> u32;
            proxy_get_header_map_size(map: u32, ret_size: u32) -> u32;
            proxy_get_header_map_pairs(map: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_set_header_map_pairs(map: u32, pairs: u32, pairs_len: u32) -> u32;
            proxy_get_header_map_value(map: u32, key: u32, key_len: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_add_header_map_value(map: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> u32;
            proxy_replace_header_map_value(map: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> u32;
            proxy_remove_header_map_value(map: u32, key: u32, key_len: u32) -> u32;
            proxy_get_property(path: u32, path_len: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_set_property(path: u32, path_len: u32, value: u32, value_len: u32) -> u32;
            proxy_continue_request() -> u32;
            proxy_continue_response() -> u32;
            proxy_clear_route_cache() -> u32;
            proxy_continue_stream(stream: u32) -> u32;
            proxy_close_stream(stream: u32) -> u32;
            proxy_send_local_response(
                status_code: u32, details: u32, details_len: u32, body: u32, body_len: u32,
                headers: u32, headers_len: u32, grpc_status: u32
            ) -> u32;
            proxy_http_call(
                upstream: u32, upstream_len: u32, headers: u32, headers_len: u32, body: u32, body_len: u32,
                trailers: u32, trailers_len: u32, timeout_ms: u32, ret_token: u32
            ) -> u32;
            proxy_grpc_call(
                service: u32, service_len: u32, service_name: u32, service_name_len: u32,
                method: u32, method_len: u32, metadata: u32, metadata_len: u32,
                message: u32, message_len: u32, timeout_ms: u32, ret_token: u32
            ) -> u32;
            proxy_grpc_stream(
                service: u32, service_len: u32, service_name: u32, service_name_len: u32,
                method: u32, method_len: u32, metadata: u32, metadata_len: u32, ret_token: u32
            ) -> u32;
            proxy_grpc_send(token: u32, message: u32, message_len: u32, end_stream: u32) -> u32;
            proxy_grpc_cancel(token: u32) -> u32;
            proxy_grpc_close(token: u32) -> u32;
            proxy_get_status(ret_code: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_get_shared_data(key: u32, key_len: u32, ret_ptr: u32, ret_len: u32, ret_cas: u32) -> u32;
            proxy_set_shared_data(key: u32, key_len: u32, value: u32, value_len: u32, cas: u32) -> u32;
            proxy_register_shared_queue(name: u32, name_len: u32, ret_queue: u32) -> u32;
            proxy_resolve_shared_queue(vm_id: u32, vm_id_len: u32, name: u32, name_len: u32, ret_queue: u32) -> u32;
            proxy_enqueue_shared_queue(queue: u32, value: u32, value_len: u32) -> u32;
            proxy_dequeue_shared_queue(queue: u32, ret_ptr: u32, ret_len: u32) -> u32;
            proxy_define_metric(kind: u32, name: u32, name_len: u32, ret_metric: u32) -> u32;
            proxy_increment_metric(metric: u32, delta: u64) -> u32;
            proxy_record_metric(metric: u32, value: u64) -> u32;
            proxy_get_metric(metric: u32, ret_value: u32) -> u32;
            proxy_set_effective_context(context: u32) -> u32;
            proxy_done() -> u32;
            proxy_call_foreign_function(
                name: u32, name_len: u32, arguments: u32, arguments_len: u32, ret_ptr: u32, ret_len: u32
            ) -> u32;
            envoy_resolve_dns(address: u32, address_len: u32, ret_token: u32) -> u32;
        }
    };
}

/// Hands the other functions of module `env` to a macro, in the form of [`for_each_proxy_function`].
///
/// C++ guests that may grow their memory import the first, very old ones the second, and AssemblyScript
/// guests built with defaults the third (which Envoy lacks).
#[macro_export]
macro_rules! for_each_env_function {
    ($then:ident $($context:tt)*) => {
        $then! {
            $($context)*
            emscripten_notify_memory_growth(memory: u32) -> ();
            pthread_equal(left: u32, right: u32) -> u32;
            abort(message: u32, file: u32, line: u32, column: u32) -> ();
        }
    };
}

/// Hands the 46 functions of WASI preview 1 to a macro, in the form of [`for_each_proxy_function`].
///
/// Offered under each of [`WASI_MODULES`]. Types are those of WASI (Envoy 1.40 has `path_link` and
/// `path_symlink` with one parameter too few, so modules that import them do not load there).
#[macro_export]
macro_rules! for_each_wasi_function {
    ($then:ident $($context:tt)*) => {
        $then! {
            $($context)*
            args_get(argv: u32, argv_buf: u32) -> u32;
            args_sizes_get(ret_argc: u32, ret_size: u32) -> u32;
            environ_get(environ: u32, environ_buf: u32) -> u32;
            environ_sizes_get(ret_count: u32, ret_size: u32) -> u32;
            clock_res_get(id: u32, ret_resolution: u32) -> u32;
            clock_time_get(id: u32, precision: u64, ret_time: u32) -> u32;
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32) -> u32;
            fd_allocate(fd: u32, offset: u64, len: u64) -> u32;
            fd_close(fd: u32) -> u32;
            fd_datasync(fd: u32) -> u32;
            fd_fdstat_get(fd: u32, ret_stat: u32) -> u32;
            fd_fdstat_set_flags(fd: u32, flags: u32) -> u32;
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> u32;
            fd_filestat_get(fd: u32, ret_stat: u32) -> u32;
            fd_filestat_set_size(fd: u32, size: u64) -> u32;
            fd_filestat_set_times(fd: u32, atime: u64, mtime: u64, flags: u32) -> u32;
            fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, ret_size: u32) -> u32;
            fd_prestat_get(fd: u32, ret_prestat: u32) -> u32;
            fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> u32;
            fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, ret_size: u32) -> u32;
            fd_read(fd: u32, iovs: u32, iovs_len: u32, ret_size: u32) -> u32;
            fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, ret_size: u32) -> u32;
            fd_renumber(fd: u32, to: u32) -> u32;
            fd_seek(fd: u32, offset: u64, whence: u32, ret_offset: u32) -> u32;
            fd_sync(fd: u32) -> u32;
            fd_tell(fd: u32, ret_offset: u32) -> u32;
            fd_write(fd: u32, iovs: u32, iovs_len: u32, ret_size: u32) -> u32;
            path_create_directory(fd: u32, path: u32, path_len: u32) -> u32;
            path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, ret_stat: u32) -> u32;
            path_filestat_set_times(
                fd: u32, flags: u32, path: u32, path_len: u32, atime: u64, mtime: u64, set: u32
            ) -> u32;
            path_link(
                old_fd: u32, old_flags: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32
            ) -> u32;
            path_open(
                fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32,
                rights: u64, inheriting: u64, fdflags: u32, ret_fd: u32
            ) -> u32;
            path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, ret_size: u32) -> u32;
            path_remove_directory(fd: u32, path: u32, path_len: u32) -> u32;
            path_rename(fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32) -> u32;
            path_symlink(old: u32, old_len: u32, fd: u32, new: u32, new_len: u32) -> u32;
            path_unlink_file(fd: u32, path: u32, path_len: u32) -> u32;
            poll_oneoff(subscriptions: u32, events: u32, count: u32, ret_count: u32) -> u32;
            proc_exit(code: u32) -> ();
            proc_raise(signal: u32) -> u32;
            random_get(buf: u32, buf_len: u32) -> u32;
            sched_yield() -> u32;
            sock_accept(fd: u32, flags: u32, ret_fd: u32) -> u32;
            sock_recv(fd: u32, iovs: u32, iovs_len: u32, flags: u32, ret_size: u32, ret_flags: u32) -> u32;
            sock_send(fd: u32, iovs: u32, iovs_len: u32, flags: u32, ret_size: u32) -> u32;
            sock_shutdown(fd: u32, how: u32) -> u32;
        }
    };
}

/// The module names under which guests import WASI.
pub const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// A function that the host offers to guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// The import's name, without its module.
    pub name: &'static str,
    /// The type that an import of it must have.
    pub signature: Signature,
}

macro_rules! table {
    ($($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {
        &[$(HostFunction {
            name: stringify!($name),
            signature: Signature::fixed(&[$(<$ty as AbiValue>::TYPE),*], <$result as AbiResult>::TYPES),
        },)+]
    };
}

/// The functions of module `env` that belong to Proxy-Wasm.
pub const PROXY_FUNCTIONS: &[HostFunction] = for_each_proxy_function!(table);
/// The other functions of module `env`.
pub const ENV_FUNCTIONS: &[HostFunction] = for_each_env_function!(table);
/// The functions of WASI.
pub const WASI_FUNCTIONS: &[HostFunction] = for_each_wasi_function!(table);

/// The host function that an import asks for, if there is one.
#[must_use]
pub fn host_function(module: &str, name: &str) -> Option<&'static HostFunction> {
    let tables: &[&'static [HostFunction]] = match module {
        "env" => &[PROXY_FUNCTIONS, ENV_FUNCTIONS],
        _ if WASI_MODULES.contains(&module) => &[WASI_FUNCTIONS],
        _ => &[],
    };
    tables.iter().copied().flatten().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn the_tables_are_complete_and_without_duplicates() {
        // 36 common, 7 of single versions, and `envoy_resolve_dns`.
        assert_eq!(PROXY_FUNCTIONS.len(), 44);
        assert_eq!(WASI_FUNCTIONS.len(), 46);
        for table in [PROXY_FUNCTIONS, ENV_FUNCTIONS, WASI_FUNCTIONS] {
            let mut names: Vec<_> = table.iter().map(|function| function.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
        }
    }

    #[test]
    fn types_are_those_of_the_spec() {
        let signature = |module, name| host_function(module, name).unwrap().signature.to_string();
        assert_eq!(signature("env", "proxy_log"), "i32 i32 i32 -> i32");
        assert_eq!(signature("env", "proxy_record_metric"), "i32 i64 -> i32");
        assert_eq!(signature("env", "proxy_grpc_call").matches("i32").count(), 13);
        assert_eq!(signature("env", "proxy_http_call").matches("i32").count(), 11);
        assert_eq!(signature("env", "emscripten_notify_memory_growth"), "i32 -> void");
        assert_eq!(signature("wasi_unstable", "fd_seek"), "i32 i64 i32 i32 -> i32");
        assert_eq!(signature("wasi_snapshot_preview1", "proc_exit"), "i32 -> void");
        assert_eq!(signature("wasi_snapshot_preview1", "path_link").matches("i32").count(), 8);
        assert_eq!(signature("wasi_snapshot_preview1", "path_symlink").matches("i32").count(), 6);
        assert_eq!(signature("wasi_snapshot_preview1", "path_open"), "i32 i32 i32 i32 i32 i64 i64 i32 i32 -> i32");
    }

    #[test]
    fn modules_are_not_mixed() {
        assert!(host_function("env", "fd_write").is_none());
        assert!(host_function("wasi_unstable", "proxy_log").is_none());
        assert!(host_function("foo", "proxy_log").is_none());
        assert!(host_function("env", "proxy_nosuch").is_none());
    }
}
