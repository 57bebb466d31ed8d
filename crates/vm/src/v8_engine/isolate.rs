//! V8's side of a thread, and who interrupts its guests.

use std::cell::{Cell, OnceCell};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::ffi;
use super::watchdog::{Interrupt, Watch, Watched};
use crate::LoadError;
use crate::cpu::CpuClock;

/// After how many bytes of dropped instances V8 is asked to free them. It does not know how much they hold.
const COLLECT_BYTES: usize = 64 << 20;
/// What an instance holds beside its memory.
const INSTANCE_BYTES: usize = 1 << 20;

/// The isolate of a thread. Entered when it is made, and for good: entering takes as long as a call.
pub(super) struct Isolate {
    raw: NonNull<ffi::Isolate>,
    /// Boxed because V8 is given its address.
    cpu: Box<Cpu>,
    watched: Option<Watched>,
    dropped_bytes: Cell<usize>,
}

/// The CPU time of the guest call that is running.
struct Cpu {
    clock: Cell<Option<CpuClock>>,
    /// The limit that has ended it.
    exceeded: Cell<Option<Duration>>,
    watch: Arc<Watch>,
}

/// What the watchdog does to an isolate.
struct Interruption(NonNull<ffi::Isolate>);

thread_local! {
    static CURRENT: OnceCell<Rc<Isolate>> = const { OnceCell::new() };
}

// SAFETY: `sandgate_v8_isolate_interrupt` may be called by any thread while the isolate lives. It is watched only while it does.
unsafe impl Send for Interruption {}

// === impl Isolate ===

impl Isolate {
    /// The isolate of this thread; the first call makes it.
    pub(super) fn current() -> Result<Rc<Self>, LoadError> {
        CURRENT.with(|current| {
            if let Some(isolate) = current.get() {
                return Ok(Rc::clone(isolate));
            }
            let isolate = Rc::new(Self::new()?);
            Ok(Rc::clone(current.get_or_init(|| isolate)))
        })
    }

    fn new() -> Result<Self, LoadError> {
        let watch = Arc::<Watch>::default();
        let cpu = Box::new(Cpu { clock: Cell::new(None), exceeded: Cell::new(None), watch: Arc::clone(&watch) });
        // SAFETY: `Cpu` is boxed and outlives the isolate, see `drop`. Start may be called again and again.
        let raw = unsafe {
            ffi::sandgate_v8_start();
            ffi::sandgate_v8_isolate_new(at_interrupt, (&raw const *cpu).cast_mut().cast())
        };
        let raw = NonNull::new(raw).ok_or_else(|| LoadError::Instantiate("V8 has no isolate".to_owned()))?;
        let mut isolate = Self { raw, cpu, watched: None, dropped_bytes: Cell::new(0) };
        let watched = Watched::start(watch, Box::new(Interruption(raw)));
        isolate.watched = Some(watched.map_err(|error| LoadError::Instantiate(error.to_string()))?);
        Ok(isolate)
    }

    pub(super) fn raw(&self) -> *mut ffi::Isolate {
        self.raw.as_ptr()
    }

    /// Runs a guest call, which gets this much CPU time. The limit, if that has ended it.
    #[inline]
    pub(super) fn timed<R>(&self, limit: Duration, call: impl FnOnce() -> R) -> (R, Option<Duration>) {
        self.cpu.clock.set(Some(CpuClock::new(limit)));
        self.cpu.exceeded.set(None);
        self.cpu.watch.begin();
        let result = call();
        self.cpu.watch.end();
        self.cpu.clock.set(None);
        (result, self.cpu.exceeded.take())
    }

    /// An instance with this much memory has been dropped.
    pub(super) fn dropped(&self, memory_bytes: usize) {
        let dropped = self.dropped_bytes.get().saturating_add(memory_bytes).saturating_add(INSTANCE_BYTES);
        if dropped < COLLECT_BYTES {
            self.dropped_bytes.set(dropped);
            return;
        }
        self.dropped_bytes.set(0);
        // SAFETY: the isolate lives and is this thread's.
        unsafe { ffi::sandgate_v8_isolate_collect(self.raw()) };
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        // First the watchdog must forget it.
        self.watched = None;
        // SAFETY: made by `sandgate_v8_isolate_new` on this thread, which no `Rc` leaves; all instances are gone, for each holds one.
        unsafe { ffi::sandgate_v8_isolate_delete(self.raw()) };
    }
}

impl Interrupt for Interruption {
    fn interrupt(&self) {
        // SAFETY: the watchdog knows it, so it lives.
        unsafe { ffi::sandgate_v8_isolate_interrupt(self.0.as_ptr()) };
    }
}

/// The guest looks for interruptions: whether its call is to end.
unsafe extern "C" fn at_interrupt(owner: *mut c_void) -> bool {
    // SAFETY: `owner` is the `Cpu` given to `sandgate_v8_isolate_new`; it lives longer than the isolate, and only this thread uses it.
    let cpu = unsafe { &*owner.cast::<Cpu>() };
    cpu.watch.interrupted();
    let Some(mut clock) = cpu.clock.get() else { return false };
    let limit = clock.limit();
    let over = clock.check().is_err();
    cpu.clock.set(Some(clock));
    if over {
        cpu.exceeded.set(Some(limit));
    }
    over
}
