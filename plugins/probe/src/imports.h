// Every import, once: FN(module, symbol, name in scripts, shape, C parameters, number of parameters).
//
// A shape lists the arguments a script gives, then after ':' what the host writes.
//
// - `i`: an integer
// - `b`: bytes, as pointer and length
// - `v`: bytes, as one iovec
// - `V`: all further bytes, as iovecs
// - `n`: a number, for a buffer of that size
// - `R`: the same, as one iovec
// - `Z`: a scratch buffer, which the script does not give
// - `0`: the constant 0
//
// - `o`, `O`: a u32, a u64
// - `T`: a u64 that is a time
// - `r`, `p`: bytes, pairs: a pointer cell and a length cell
// - `s`, `x`, `y`: 8, 24, 64 bytes in place
#pragma once
#include "base.h"

#define ENV(name, shape, params, count) FN("env", proxy_##name, name, shape, params, count)
#define WASI(name, shape, params, count) FN("wasi_snapshot_preview1", name, name, shape, params, count)

#define COMMON_CALLS                                                                           \
  ENV(log, "ib", (u32, u32, u32), 3)                                                           \
  ENV(get_current_time_nanoseconds, ":T", (u32), 1)                                            \
  ENV(set_tick_period_milliseconds, "i", (u32), 1)                                             \
  ENV(get_buffer_bytes, "iii:r", (u32, u32, u32, u32, u32), 5)                                 \
  ENV(get_buffer_status, "i:oo", (u32, u32, u32), 3)                                           \
  ENV(set_buffer_bytes, "iiib", (u32, u32, u32, u32, u32), 5)                                  \
  ENV(get_header_map_size, "i:o", (u32, u32), 2)                                               \
  ENV(get_header_map_pairs, "i:p", (u32, u32, u32), 3)                                         \
  ENV(set_header_map_pairs, "ib", (u32, u32, u32), 3)                                          \
  ENV(get_header_map_value, "ib:r", (u32, u32, u32, u32, u32), 5)                              \
  ENV(add_header_map_value, "ibb", (u32, u32, u32, u32, u32), 5)                               \
  ENV(replace_header_map_value, "ibb", (u32, u32, u32, u32, u32), 5)                           \
  ENV(remove_header_map_value, "ib", (u32, u32, u32), 3)                                       \
  ENV(get_property, "b:r", (u32, u32, u32, u32), 4)                                            \
  ENV(set_property, "bb", (u32, u32, u32, u32), 4)                                             \
  ENV(send_local_response, "ibbbi", (u32, u32, u32, u32, u32, u32, u32, u32), 8)               \
  ENV(http_call, "bbbbi:o", (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32), 10)            \
  ENV(grpc_call, "bbbbbi:o", (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32), 12) \
  ENV(grpc_stream, "bbbb:o", (u32, u32, u32, u32, u32, u32, u32, u32, u32), 9)                 \
  ENV(grpc_send, "ibi", (u32, u32, u32, u32), 4)                                               \
  ENV(grpc_cancel, "i", (u32), 1)                                                              \
  ENV(grpc_close, "i", (u32), 1)                                                               \
  ENV(get_status, ":or", (u32, u32, u32), 3)                                                   \
  ENV(set_shared_data, "bbi", (u32, u32, u32, u32, u32), 5)                                    \
  ENV(get_shared_data, "b:ro", (u32, u32, u32, u32, u32), 5)                                   \
  ENV(register_shared_queue, "b:o", (u32, u32, u32), 3)                                        \
  ENV(resolve_shared_queue, "bb:o", (u32, u32, u32, u32, u32), 5)                              \
  ENV(enqueue_shared_queue, "ib", (u32, u32, u32), 3)                                          \
  ENV(dequeue_shared_queue, "i:r", (u32, u32, u32), 3)                                         \
  ENV(define_metric, "ib:o", (u32, u32, u32, u32), 4)                                          \
  ENV(record_metric, "ii", (u32, u64), 2)                                                      \
  ENV(increment_metric, "ii", (u32, i64), 2)                                                   \
  ENV(get_metric, "i:O", (u32, u32), 2)                                                        \
  ENV(set_effective_context, "i", (u32), 1)                                                    \
  ENV(done, "", (void), 0)                                                                     \
  ENV(call_foreign_function, "bb:r", (u32, u32, u32, u32, u32, u32), 6)                        \
  FN("env", envoy_resolve_dns, envoy_resolve_dns, "b:o", (u32, u32, u32), 3)

#define WASI_CALLS                                                                \
  WASI(fd_write, "iV:o", (u32, u32, u32, u32), 4)                                 \
  WASI(fd_pwrite, "ivi:o", (u32, u32, u32, u64, u32), 5)                          \
  WASI(fd_read, "iR:o", (u32, u32, u32, u32), 4)                                  \
  WASI(fd_pread, "iRi:o", (u32, u32, u32, u64, u32), 5)                           \
  WASI(fd_seek, "iii:O", (u32, u64, u32, u32), 4)                                 \
  WASI(fd_tell, "i:O", (u32, u32), 2)                                             \
  WASI(fd_close, "i", (u32), 1)                                                   \
  WASI(fd_sync, "i", (u32), 1)                                                    \
  WASI(fd_datasync, "i", (u32), 1)                                                \
  WASI(fd_advise, "iiii", (u32, u64, u64, u32), 4)                                \
  WASI(fd_allocate, "iii", (u32, u64, u64), 3)                                    \
  WASI(fd_renumber, "ii", (u32, u32), 2)                                          \
  WASI(fd_readdir, "ini:o", (u32, u32, u32, u64, u32), 5)                         \
  WASI(fd_fdstat_get, "i:x", (u32, u32), 2)                                       \
  WASI(fd_fdstat_set_flags, "ii", (u32, u32), 2)                                  \
  WASI(fd_fdstat_set_rights, "iii", (u32, u64, u64), 3)                           \
  WASI(fd_filestat_get, "i:y", (u32, u32), 2)                                     \
  WASI(fd_filestat_set_size, "ii", (u32, u64), 2)                                 \
  WASI(fd_filestat_set_times, "iiii", (u32, u64, u64, u32), 4)                    \
  WASI(fd_prestat_get, "i:s", (u32, u32), 2)                                      \
  WASI(fd_prestat_dir_name, "in", (u32, u32, u32), 3)                             \
  WASI(path_open, "iibiiii:o", (u32, u32, u32, u32, u32, u64, u64, u32, u32), 9)  \
  WASI(path_filestat_get, "iib:y", (u32, u32, u32, u32, u32), 5)                  \
  WASI(path_filestat_set_times, "iibiii", (u32, u32, u32, u32, u64, u64, u32), 7) \
  WASI(path_create_directory, "ib", (u32, u32, u32), 3)                           \
  WASI(path_remove_directory, "ib", (u32, u32, u32), 3)                           \
  WASI(path_unlink_file, "ib", (u32, u32, u32), 3)                                \
  WASI(path_rename, "ibib", (u32, u32, u32, u32, u32, u32), 6)                    \
  WASI(path_readlink, "ibn:o", (u32, u32, u32, u32, u32, u32), 6)                 \
  WASI(sock_accept, "ii:o", (u32, u32, u32), 3)                                   \
  WASI(sock_recv, "iRi:oo", (u32, u32, u32, u32, u32, u32), 6)                    \
  WASI(sock_send, "ivi:o", (u32, u32, u32, u32, u32), 5)                          \
  WASI(sock_shutdown, "ii", (u32, u32), 2)                                        \
  WASI(environ_sizes_get, ":oo", (u32, u32), 2)                                   \
  WASI(environ_get, "ZZ", (u32, u32), 2)                                          \
  WASI(args_sizes_get, ":oo", (u32, u32), 2)                                      \
  WASI(args_get, "ZZ", (u32, u32), 2)                                             \
  WASI(clock_time_get, "i0:T", (u32, u64, u32), 3)                                \
  WASI(clock_res_get, "i:O", (u32, u32), 2)                                       \
  WASI(random_get, "n", (u32, u32), 2)                                            \
  WASI(sched_yield, "", (void), 0)                                                \
  WASI(poll_oneoff, "ZZi:o", (u32, u32, u32, u32), 4)

#if ABI == 10
#define VERSION_CALLS                         \
  ENV(get_configuration, ":r", (u32, u32), 2) \
  ENV(continue_request, "", (void), 0)        \
  ENV(continue_response, "", (void), 0)       \
  ENV(clear_route_cache, "", (void), 0)
#elif ABI == 20
#define VERSION_CALLS                 \
  ENV(continue_stream, "i", (u32), 1) \
  ENV(close_stream, "i", (u32), 1)
#else
#define VERSION_CALLS                 \
  ENV(get_log_level, ":o", (u32), 1)  \
  ENV(continue_stream, "i", (u32), 1) \
  ENV(close_stream, "i", (u32), 1)
#endif

#define ALL_CALLS COMMON_CALLS VERSION_CALLS WASI_CALLS

#define FN(module, symbol, name, shape, params, count) \
  __attribute__((import_module(module), import_name(#symbol))) u32 symbol params;
ALL_CALLS
#undef FN
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void proc_exit(u32 code);
