//! Host functions for engines written in C and C++, expanded from the ABI's tables.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

#[cfg(feature = "wamr")]
use sandgate_abi::{ENV_FUNCTIONS, PROXY_FUNCTIONS, WASI_FUNCTIONS};
use sandgate_abi::{Status, WASI_MODULES, for_each_env_function, for_each_proxy_function, for_each_wasi_function};

use crate::failed_call::explain_wasi;
use crate::guest::{Gate, Guest, Stop};
use crate::wasi::{AsErrno, Errno};
use crate::{HostCalls, marshal, wasi};

/// A guest whose engine calls through pointers.
pub(crate) trait ForeignGuest: Guest<Error = Stopped> {
    /// The guest whose engine was given this pointer.
    ///
    /// # Safety
    /// It is what the engine was given for an instance of this type; the instance is running on this thread, and nothing
    /// holds a reference to what is behind it.
    unsafe fn new(context: NonNull<c_void>) -> Self;

    /// Keeps why the host ends the call that is running, until the engine has returned from it.
    fn stop(&mut self, stop: Stop);

    /// Keeps what the host panicked with, until then.
    fn panicked(&mut self, panic: Box<dyn Any + Send>);
}

/// Why a hostcall does not return; `None` if what ended the allocator ends it, too.
#[derive(Debug)]
pub(crate) struct Stopped(pub(crate) Option<Stop>);

/// A function that guests can import, as C++ knows it.
#[repr(C)]
pub(crate) struct HostFunction {
    /// Given the host's side of the instance, this function, its words and room for a result. `false` ends the guest call.
    pub(crate) call: unsafe extern "C" fn(*mut c_void, *const HostFunction, *const u64, *mut u32) -> bool,
    /// How many; at most 16.
    pub(crate) parameters: u32,
    /// Bit n: parameter n is an i64.
    pub(crate) longs: u32,
    pub(crate) returns: bool,
}

/// What a parameter is as a word.
trait Word: Sized {
    const IS_LONG: bool;
    fn from_word(word: u64) -> Self;
}

/// What a result is as a word.
trait Answer {
    const RETURNS: bool;
    fn into_word(self) -> u32;
}

/// The same, as Rust knows it. The engine has a pointer to it, and knows its beginning.
#[repr(C)]
pub(crate) struct HostCall {
    function: HostFunction,
    pub(crate) name: &'static str,
    is_wasi: bool,
}

/// The functions for guests of a kind.
pub(crate) struct Functions<G>(std::marker::PhantomData<G>);

/// A [`HostCall`] for each function, which calls that of the same name in `$calls`.
macro_rules! table {
    ($calls:ident, $is_wasi:expr; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {
        &[$(HostCall {
            function: HostFunction {
                call: $calls::$name::<G>,
                parameters: count(&[$(<$ty as Word>::IS_LONG),*]),
                longs: longs(&[$(<$ty as Word>::IS_LONG),*]),
                returns: <$result as Answer>::RETURNS,
            },
            name: stringify!($name),
            is_wasi: $is_wasi,
        },)+]
    };
}

/// The same for functions that are not allowed.
macro_rules! restricted_table {
    ($is_wasi:expr; $($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {
        &[$(HostCall {
            function: HostFunction {
                call: restricted::<G>,
                parameters: count(&[$(<$ty as Word>::IS_LONG),*]),
                longs: longs(&[$(<$ty as Word>::IS_LONG),*]),
                returns: <$result as Answer>::RETURNS,
            },
            name: stringify!($name),
            is_wasi: $is_wasi,
        },)+]
    };
}

// === impl Functions ===

impl<G: ForeignGuest> Functions<G> {
    const PROXY: &'static [HostCall] = for_each_proxy_function!(table proxy, false;);
    const ENV: &'static [HostCall] = for_each_env_function!(table env, false;);
    const WASI: &'static [HostCall] = for_each_wasi_function!(table wasi_calls, true;);
    const RESTRICTED_PROXY: &'static [HostCall] = for_each_proxy_function!(restricted_table false;);
    const RESTRICTED_ENV: &'static [HostCall] = for_each_env_function!(restricted_table false;);
    const RESTRICTED_WASI: &'static [HostCall] = for_each_wasi_function!(restricted_table true;);

    /// Every function, in the order of [`names`], and what stands in for each if it is not allowed.
    #[cfg(feature = "wamr")]
    pub(crate) fn all() -> impl Iterator<Item = (&'static HostCall, &'static HostCall)> {
        let env = Self::PROXY.iter().zip(Self::RESTRICTED_PROXY).chain(Self::ENV.iter().zip(Self::RESTRICTED_ENV));
        env.chain(WASI_MODULES.iter().flat_map(|_| Self::WASI.iter().zip(Self::RESTRICTED_WASI)))
    }

    /// The function that an import asks for, and what stands in for it if it is not allowed.
    #[cfg(feature = "v8")]
    pub(crate) fn find(module: &str, name: &str) -> Option<(&'static HostCall, &'static HostCall)> {
        let tables = match module {
            "env" => [(Self::PROXY, Self::RESTRICTED_PROXY), (Self::ENV, Self::RESTRICTED_ENV)],
            _ if WASI_MODULES.contains(&module) => [(Self::WASI, Self::RESTRICTED_WASI), (&[], &[])],
            _ => return None,
        };
        let mut all = tables.into_iter().flat_map(|(open, restricted)| open.iter().zip(restricted));
        all.find(|(function, _)| function.name == name)
    }
}

/// Module and name of every function.
#[cfg(feature = "wamr")]
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let env = PROXY_FUNCTIONS.iter().chain(ENV_FUNCTIONS).map(|function| ("env", function.name));
    env.chain(WASI_MODULES.iter().flat_map(|module| WASI_FUNCTIONS.iter().map(|function| (*module, function.name))))
}

const fn count(parameters: &[bool]) -> u32 {
    parameters.len() as u32
}

/// Bit n for each parameter that is an i64.
const fn longs(parameters: &[bool]) -> u32 {
    let mut bits = 0;
    let mut index = parameters.len();
    while index > 0 {
        index -= 1;
        bits = bits << 1 | parameters[index] as u32;
    }
    bits
}

/// Functions that answer a status and may not be called in every phase.
macro_rules! gated {
    ($($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        pub(super) unsafe extern "C" fn $name<G: ForeignGuest>(
            guest: *mut c_void,
            _: *const HostFunction,
            words: *const u64,
            result: *mut u32,
        ) -> bool {
            // SAFETY: as `enter` wants it, see there.
            unsafe {
                enter::<G, $result, _>(guest, words, result, |guest, [$($param),*]| {
                    $(let $param = <$ty>::from_word($param);)*
                    let outcome = match guest.state().gate(stringify!($name))? {
                        Gate::Open => marshal::$name(guest, $($param),*),
                        Gate::Refused => Err(Status::InternalFailure.into()),
                    };
                    marshal::answer(guest, outcome, stringify!($name), || [$((stringify!($param), u64::from($param))),*])
                })
            }
        }
    )+};
}

/// Functions that may always be called.
macro_rules! open {
    ($($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        pub(super) unsafe extern "C" fn $name<G: ForeignGuest>(
            guest: *mut c_void,
            _: *const HostFunction,
            words: *const u64,
            result: *mut u32,
        ) -> bool {
            // SAFETY: as `enter` wants it, see there.
            unsafe {
                enter::<G, $result, _>(guest, words, result, |guest, [$($param),*]| {
                    marshal::$name(guest, $(<$ty>::from_word($param)),*)
                })
            }
        }
    )+};
}

/// Functions of WASI, which may always be called and answer an errno, if anything.
macro_rules! wasi {
    ($($name:ident($($param:ident: $ty:ty),*) -> $result:ty;)+) => {$(
        pub(super) unsafe extern "C" fn $name<G: ForeignGuest>(
            guest: *mut c_void,
            _: *const HostFunction,
            words: *const u64,
            result: *mut u32,
        ) -> bool {
            // SAFETY: as `enter` wants it, see there.
            unsafe {
                enter::<G, $result, _>(guest, words, result, |guest, [$($param),*]| {
                    let result = wasi::$name(guest, $(<$ty>::from_word($param)),*)?;
                    if result.errno() != 0 {
                        explain_wasi(guest, stringify!($name), result.errno());
                    }
                    Ok(result)
                })
            }
        }
    )+};
}

mod proxy {
    use super::*;
    for_each_proxy_function!(gated);
}

mod env {
    use super::*;
    for_each_env_function!(open);
}

mod wasi_calls {
    use super::*;
    for_each_wasi_function!(wasi);
}

/// Stands in for a function that the plugin may not call: tells the host and answers `INTERNAL_FAILURE`, of WASI `ENOTCAPABLE`.
unsafe extern "C" fn restricted<G: ForeignGuest>(
    guest: *mut c_void,
    function: *const HostFunction,
    words: *const u64,
    result: *mut u32,
) -> bool {
    // SAFETY: the engine hands over what `HostCall::raw` gave it, which is static.
    let HostCall { name, is_wasi, .. } = *unsafe { &*function.cast::<HostCall>() };
    // SAFETY: as `enter` wants it, see there; no word is read.
    unsafe {
        enter::<G, u32, 0>(guest, words, result, |guest, []| {
            let state = guest.state();
            // While start functions run the ABI's own restriction comes first, as in Envoy.
            if !is_wasi {
                state.gate(name)?;
            }
            state.host.restricted_call(name);
            Ok(if is_wasi { Errno::NotCapable.code() } else { Status::InternalFailure.code() })
        })
    }
}

// === impl HostCall ===

impl HostCall {
    /// Whether it has a result.
    #[cfg(feature = "wamr")]
    pub(crate) fn returns(&self) -> bool {
        self.function.returns
    }

    /// Calls it, as an engine does.
    ///
    /// # Safety
    /// `guest` is what the instance that calls was made with, `words` are as many as the function has parameters, and
    /// `result` can be written.
    #[cfg(feature = "wamr")]
    #[inline]
    pub(crate) unsafe fn call(&'static self, guest: *mut c_void, words: *const u64, result: *mut u32) -> bool {
        // SAFETY: as promised.
        unsafe { (self.function.call)(guest, self.raw(), words, result) }
    }

    /// What the engine is given.
    pub(crate) fn raw(&'static self) -> *const HostFunction {
        (&raw const *self).cast()
    }
}

/// Runs a hostcall, which neither unwinds into C nor returns twice.
///
/// # Safety
/// To be called as engines call host functions: `guest` is what an instance of this `G` was made with, `words` are at least
/// `N`, and `result` can be written.
#[inline]
unsafe fn enter<G: ForeignGuest, R: Answer, const N: usize>(
    guest: *mut c_void,
    words: *const u64,
    result: *mut u32,
    call: impl FnOnce(&mut G, [u64; N]) -> Result<R, Stopped>,
) -> bool {
    let Some(context) = NonNull::new(guest) else { return false };
    // SAFETY: the context lives as long as its instance, which is running, and this is its thread.
    let mut guest = unsafe { G::new(context) };
    // SAFETY: as promised above. The engine has as many words as the table says, which is made of the same lines.
    let words = unsafe { *words.cast::<[u64; N]>() };
    let outcome: Result<_, Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(|| call(&mut guest, words)));
    match outcome {
        Ok(Ok(answer)) => {
            // SAFETY: as promised above.
            unsafe { *result = answer.into_word() };
            true
        }
        Ok(Err(Stopped(stop))) => {
            if let Some(stop) = stop {
                guest.stop(stop);
            }
            false
        }
        Err(panic) => {
            guest.panicked(panic);
            false
        }
    }
}

// === impl Stopped ===

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Self {
        Self(Some(stop))
    }
}

// === impl Word, Answer ===

impl Word for u32 {
    const IS_LONG: bool = false;
    fn from_word(word: u64) -> Self {
        word as Self
    }
}

impl Word for u64 {
    const IS_LONG: bool = true;
    fn from_word(word: u64) -> Self {
        word
    }
}

impl Answer for u32 {
    const RETURNS: bool = true;
    fn into_word(self) -> u32 {
        self
    }
}

impl Answer for () {
    const RETURNS: bool = false;
    fn into_word(self) -> u32 {
        0
    }
}
