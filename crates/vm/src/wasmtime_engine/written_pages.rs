//! Which pages of a memory were written since it was mapped: the kernel knows.
//!
//! `PAGEMAP_SCAN` (Linux 6.7, `Documentation/admin-guide/mm/pagemap.rst`) walks the page tables of a range. A memory is a private mapping, of
//! a file or of nothing: what was never written is a page of the file, the page of zeros, or not there at all.

use std::ffi::c_void;
use std::fs::File;
use std::sync::OnceLock;

use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// Regions of consecutive pages that one scan can tell. A memory with more is not worth putting back.
pub(super) const MAX_REGIONS: usize = 64;

const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// `struct page_region`: addresses, the end exclusive.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Region {
    pub(super) start: u64,
    pub(super) end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[derive(Debug)]
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// The pages of `memory` that were written, at most `most` of them; nothing if there are more, or the kernel does not tell.
/// `memory` begins at a page.
pub(super) fn written<'a>(memory: &[u8], most: usize, regions: &'a mut [Region; MAX_REGIONS]) -> Option<&'a [Region]> {
    let pagemap = pagemap()?;
    let range = memory.as_ptr_range();
    let (start, end) = (range.start.addr() as u64, range.end.addr() as u64);
    let mut scan = Scan {
        size: size_of::<Scan>() as u64,
        flags: 0,
        start,
        end,
        walk_end: 0,
        vec: regions.as_mut_ptr().expose_provenance() as u64,
        vec_len: MAX_REGIONS as u64,
        // One more, to see that there are more.
        max_pages: most as u64 + 1,
        category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
        category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
        category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        return_mask: PAGE_IS_PRESENT,
    };
    // SAFETY: The file is `/proc/self/pagemap`, whose driver this request is for; `scan` is what it wants, and `vec` points at as many
    // regions as `vec_len` says, which nobody else uses meanwhile. The range is only looked at.
    let count = unsafe { ioctl(pagemap, Request(&mut scan)) }.ok()?;
    let found = regions.get(..count)?;
    let pages: u64 = found.iter().map(|region| region.end.saturating_sub(region.start) / PAGE).sum();
    // A walk that ended early has not seen all.
    (scan.walk_end == end && pages <= most as u64).then_some(found)
}

/// What the kernel counts in, on the machines that Wasmtime's `PAGEMAP_SCAN` is for.
pub(super) const PAGE: u64 = 4096;

/// The page tables of this process, if they can be asked.
fn pagemap() -> Option<&'static File> {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    let open = || (rustix::param::page_size() as u64 == PAGE).then(|| File::open("/proc/self/pagemap").ok()).flatten();
    PAGEMAP.get_or_init(open).as_ref()
}

/// `PAGEMAP_SCAN` with its argument; answers how many regions were found.
struct Request<'a>(&'a mut Scan);

// SAFETY: The kernel reads and writes a `Scan` at the pointer, which is one, and answers with a number.
unsafe impl Ioctl for Request<'_> {
    type Output = usize;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> Result<usize> {
        Ok(usize::try_from(out).unwrap_or(usize::MAX))
    }
}
