//! The pool that instances of images come from: one for each stream, often tens of thousands in a second.
//!
//! A place of the pool keeps its mapping, and the pages that the last instance wrote are put back instead of being mapped anew:
//! the next instance of the same image meets neither a system call for its memory nor a page fault.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Instances at a time, in the process. Each place is 4 GiB of address space, of the 128 TiB that there are.
const PLACES: u32 = 10_000;
/// A place keeps so many bytes of memory for the next instance. More goes back to the system.
const KEPT_BYTES: usize = 512 << 10;
/// The same of a table, which is filled as its functions are called: eight bytes an element.
const KEPT_TABLE_BYTES: usize = 16 << 10;
/// What linear memory can have; [`super::limits`] sees to it that it has no more than is allowed.
const MAX_MEMORY_BYTES: usize = 4 << 30;
/// Of one table. The largest that compilers have been seen to make have some tens of thousands.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// What an engine has to be told for it.
pub(super) fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // Where the kernel cannot tell which pages were written, all of what is kept would be.
    let kept = if PoolingAllocationConfig::is_pagemap_scan_available() { KEPT_BYTES } else { 0 };
    pool.total_core_instances(PLACES)
        .total_memories(PLACES)
        .total_tables(PLACES)
        .max_memory_size(MAX_MEMORY_BYTES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(KEPT_TABLE_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
