//! Guest pointers. The only place where a `u32` from a guest becomes a place in memory.

use std::ops::Range;

use sandgate_abi::Status;

/// The bytes that a guest points to. Length 0 is fine anywhere up to the end of memory, as in Envoy.
pub(crate) fn bytes(memory: &[u8], pointer: u32, length: u32) -> Result<&[u8], Status> {
    memory.get(range(pointer, length)?).ok_or(Status::InvalidMemoryAccess)
}

/// The same for writing.
pub(crate) fn bytes_mut(memory: &mut [u8], pointer: u32, length: u32) -> Result<&mut [u8], Status> {
    memory.get_mut(range(pointer, length)?).ok_or(Status::InvalidMemoryAccess)
}

/// Checks a result pointer before the operation that fills it.
pub(crate) fn check<const N: usize>(memory: &[u8], pointer: u32) -> Result<(), Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    memory.get(start..).and_then(<[u8]>::first_chunk::<N>).map(|_| ()).ok_or(Status::InvalidMemoryAccess)
}

/// Writes a result. Pointer 0 is nothing special.
pub(crate) fn put<const N: usize>(memory: &mut [u8], pointer: u32, value: [u8; N]) -> Result<(), Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    let place = memory.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<N>);
    *place.ok_or(Status::InvalidMemoryAccess)? = value;
    Ok(())
}

pub(crate) fn put_u32(memory: &mut [u8], pointer: u32, value: u32) -> Result<(), Status> {
    put(memory, pointer, value.to_le_bytes())
}

pub(crate) fn put_u64(memory: &mut [u8], pointer: u32, value: u64) -> Result<(), Status> {
    put(memory, pointer, value.to_le_bytes())
}

fn range(pointer: u32, length: u32) -> Result<Range<usize>, Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    let length = usize::try_from(length).map_err(|_| Status::InvalidMemoryAccess)?;
    Ok(start..start.checked_add(length).ok_or(Status::InvalidMemoryAccess)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_end_with_the_memory() {
        let memory = [1, 2, 3, 4];
        assert_eq!(bytes(&memory, 1, 3), Ok(&[2, 3, 4][..]));
        assert_eq!(bytes(&memory, 4, 0), Ok(&[][..]));
        for (pointer, length) in [(1, 4), (5, 0), (u32::MAX, u32::MAX), (0, u32::MAX), (u32::MAX, 1)] {
            assert_eq!(bytes(&memory, pointer, length), Err(Status::InvalidMemoryAccess));
        }
    }

    #[test]
    fn results_must_fit_whole() {
        let mut memory = [0; 6];
        assert_eq!(check::<4>(&memory, 2), Ok(()));
        assert_eq!(check::<4>(&memory, 3), Err(Status::InvalidMemoryAccess));
        assert_eq!(check::<4>(&memory, u32::MAX), Err(Status::InvalidMemoryAccess));
        assert_eq!(put_u32(&mut memory, 0, 0x0102_0304), Ok(()));
        assert_eq!(put_u64(&mut memory, 0, 1), Err(Status::InvalidMemoryAccess));
        assert_eq!(memory, [4, 3, 2, 1, 0, 0]);
    }
}
