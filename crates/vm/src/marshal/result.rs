//! How results get back into a guest.

use sandgate_abi::Status;

use super::{bytes_mut, check, put_u32};
use crate::Output;
use crate::failed_call::explain;
use crate::guest::{Guest, Phase};

/// Why a hostcall does not answer `OK`.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// The guest sees this status.
    Status(Status),
    /// The guest call ends here.
    Stop(E),
}

/// What a hostcall comes to.
pub(crate) type Outcome<G, T = ()> = Result<T, Failure<<G as Guest>::Error>>;

// === impl Failure ===

impl<E> From<Status> for Failure<E> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// The number that the guest sees, unless its call ends. Of what is not `OK` the host is told who called what, which
/// `call` says: names and values of the parameters.
#[inline]
pub(crate) fn answer<G: Guest, const N: usize>(
    guest: &mut G,
    outcome: Outcome<G>,
    function: &'static str,
    call: impl FnOnce() -> [(&'static str, u64); N],
) -> Result<u32, G::Error> {
    match outcome {
        Ok(()) => Ok(Status::Ok.code()),
        Err(Failure::Status(status)) => {
            explain(guest, function, &call(), status);
            Ok(status.code())
        }
        Err(Failure::Stop(error)) => Err(error),
    }
}

/// Runs an operation that makes a value and changes nothing, and hands the value to the guest. Its own errors come before
/// those of the result's pointers.
///
/// `operation` gets the guest's memory for its arguments, the host, and the room for the value.
#[inline]
pub(crate) fn returning<G: Guest, T>(
    guest: &mut G,
    ret_ptr: u32,
    ret_len: u32,
    operation: impl FnOnce(&[u8], &G::Host, &mut Output) -> Result<T, Status>,
) -> Outcome<G, T> {
    let (memory, state) = guest.split();
    state.output.clear();
    let result = operation(memory, &state.host, &mut state.output)?;
    check::<4>(memory, ret_ptr)?;
    check::<4>(memory, ret_len)?;
    deliver(guest, Some(ret_ptr), Some(ret_len))?;
    Ok(result)
}

/// Copies the output into memory that the guest allocates, then writes pointer and length, in this order.
///
/// Nothing is allocated for an empty value, which is pointer 0, nor for one that the guest does not want.
pub(crate) fn deliver<G: Guest>(guest: &mut G, ret_ptr: Option<u32>, ret_len: Option<u32>) -> Outcome<G> {
    let length = u32::try_from(guest.state().output.len()).map_err(|_| Status::InternalFailure)?;
    let wanted = ret_ptr.is_some() && length != 0;
    let pointer = if wanted { allocate(guest, length)? } else { 0 };
    let (memory, state) = guest.split();
    if wanted {
        let mut rest = bytes_mut(memory, pointer, length)?;
        for chunk in state.output.chunks() {
            let (place, after) = rest.split_at_mut_checked(chunk.len()).ok_or(Status::InternalFailure)?;
            place.copy_from_slice(chunk);
            rest = after;
        }
    }
    state.output.release();
    if let Some(ret_ptr) = ret_ptr {
        put_u32(memory, ret_ptr, pointer)?;
    }
    if let Some(ret_len) = ret_len {
        put_u32(memory, ret_len, length)?;
    }
    Ok(())
}

/// Calls the guest's allocator. After an error the phase stays, so that the fault can name the allocator.
fn allocate<G: Guest>(guest: &mut G, size: u32) -> Outcome<G, u32> {
    let outer = std::mem::replace(&mut guest.state().phase, Phase::Allocator);
    let pointer = guest.call_allocator(size).map_err(Failure::Stop)?;
    guest.state().phase = outer;
    if pointer == 0 { Err(Status::InvalidMemoryAccess.into()) } else { Ok(pointer) }
}
