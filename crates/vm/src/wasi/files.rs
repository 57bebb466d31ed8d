//! Files, directories and sockets: there are none.

use super::errno::{Answer, Errno, errno};
use crate::guest::Guest;
use crate::marshal::{check, put, put_u32};

/// Functions that always answer the same.
macro_rules! fixed {
    ($($name:ident($($param:ident: $ty:ty),*) => $errno:ident;)+) => {$(
        #[allow(clippy::too_many_arguments, reason = "the functions are WASI's")]
        pub(crate) fn $name<G: Guest>(_: &mut G, $($param: $ty),*) -> Answer<G> {
            Ok(Errno::$errno.code())
        }
    )+};
}

fixed! {
    fd_advise(_fd: u32, _offset: u64, _len: u64, _advice: u32) => Success;
    fd_close(_fd: u32) => Success;
    fd_fdstat_set_flags(_fd: u32, _flags: u32) => NoSys;
    fd_filestat_get(_fd: u32, _ret_stat: u32) => BadFd;
    fd_pread(_fd: u32, _iovs: u32, _iovs_len: u32, _offset: u64, _ret_size: u32) => NoSys;
    // Guests ask for descriptors 3, 4, … until one is bad.
    fd_prestat_get(_fd: u32, _ret_prestat: u32) => BadFd;
    fd_prestat_dir_name(_fd: u32, _path: u32, _path_len: u32) => NoSys;
    fd_read(_fd: u32, _iovs: u32, _iovs_len: u32, _ret_size: u32) => NoSys;
    fd_seek(_fd: u32, _offset: u64, _whence: u32, _ret_offset: u32) => Success;
    path_create_directory(_fd: u32, _path: u32, _path_len: u32) => NotSupported;
    path_filestat_get(_fd: u32, _flags: u32, _path: u32, _path_len: u32, _ret_stat: u32) => NotSupported;
    path_filestat_set_times(
        _fd: u32, _flags: u32, _path: u32, _path_len: u32, _atime: u64, _mtime: u64, _set: u32
    ) => NotSupported;
    path_link(
        _old_fd: u32, _old_flags: u32, _old: u32, _old_len: u32, _new_fd: u32, _new: u32, _new_len: u32
    ) => NotSupported;
    path_open(
        _fd: u32, _dirflags: u32, _path: u32, _path_len: u32, _oflags: u32,
        _rights: u64, _inheriting: u64, _fdflags: u32, _ret_fd: u32
    ) => NoEntry;
    path_remove_directory(_fd: u32, _path: u32, _path_len: u32) => NotSupported;
    path_rename(_fd: u32, _old: u32, _old_len: u32, _new_fd: u32, _new: u32, _new_len: u32) => NotSupported;
    path_symlink(_old: u32, _old_len: u32, _fd: u32, _new: u32, _new_len: u32) => NotSupported;
    path_unlink_file(_fd: u32, _path: u32, _path_len: u32) => NotSupported;
    sock_shutdown(_fd: u32, _how: u32) => NotSupported;
}

pub(crate) fn fd_readdir<G: Guest>(
    guest: &mut G,
    _fd: u32,
    _buf: u32,
    _buf_len: u32,
    _cookie: u64,
    ret_size: u32,
) -> Answer<G> {
    Ok(errno(nothing(guest.split().0, ret_size, Errno::Exist)))
}

pub(crate) fn path_readlink<G: Guest>(
    guest: &mut G,
    _fd: u32,
    _path: u32,
    _path_len: u32,
    _buf: u32,
    _buf_len: u32,
    ret_size: u32,
) -> Answer<G> {
    Ok(errno(nothing(guest.split().0, ret_size, Errno::NotSupported)))
}

pub(crate) fn sock_accept<G: Guest>(guest: &mut G, _fd: u32, _flags: u32, ret_fd: u32) -> Answer<G> {
    Ok(errno(nothing(guest.split().0, ret_fd, Errno::NotSupported)))
}

pub(crate) fn sock_recv<G: Guest>(
    guest: &mut G,
    _fd: u32,
    _iovs: u32,
    _iovs_len: u32,
    _flags: u32,
    ret_size: u32,
    ret_flags: u32,
) -> Answer<G> {
    let (memory, _) = guest.split();
    Ok(errno(match check::<4>(memory, ret_size).and_then(|()| put(memory, ret_flags, [0; 2])) {
        Ok(()) => nothing(memory, ret_size, Errno::NotSupported),
        Err(status) => Err(status.into()),
    }))
}

pub(crate) fn sock_send<G: Guest>(
    guest: &mut G,
    _fd: u32,
    _iovs: u32,
    _iovs_len: u32,
    _flags: u32,
    ret_size: u32,
) -> Answer<G> {
    Ok(errno(nothing(guest.split().0, ret_size, Errno::NotSupported)))
}

/// Zero as the result, and the error besides.
fn nothing(memory: &mut [u8], pointer: u32, error: Errno) -> Result<(), Errno> {
    put_u32(memory, pointer, 0)?;
    Err(error)
}
