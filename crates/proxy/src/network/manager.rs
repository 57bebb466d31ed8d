//! The filters of one connection as a synchronous state machine: Envoy's `FilterManagerImpl`.

use std::cell::RefMut;
use std::rc::Rc;
use std::task::Context;

use bytes::BytesMut;

use super::handle::{Asked, ConnectionHandle, NetworkCallbacks};
use super::{ConnectionEvent, NetworkFilter, NetworkFilterFactory, NetworkStatus};

/// The filters of a connection with what is between them and either side.
pub(crate) struct FilterManager {
    handle: Rc<ConnectionHandle>,
    filters: Vec<ActiveFilter>,
    /// The client will send no more.
    end_stream: bool,
    /// What has passed all filters.
    passed: BytesMut,
    passed_end: bool,
    /// Every filter has let the new connection pass.
    initialized: bool,
    /// Bytes for the client's socket.
    output: BytesMut,
    output_end: bool,
    /// The filters know of the end.
    told: bool,
}

struct ActiveFilter {
    filter: Box<dyn NetworkFilter>,
    writes: bool,
    initialized: bool,
}

// === impl FilterManager ===

impl FilterManager {
    pub(crate) fn new(handle: &Rc<ConnectionHandle>, factories: &[NetworkFilterFactory]) -> Self {
        let filters = factories.iter().enumerate().map(|(place, make)| {
            let filter = make(NetworkCallbacks::new(handle, place));
            ActiveFilter { writes: filter.writes(), filter, initialized: false }
        });
        Self {
            filters: filters.collect(),
            handle: Rc::clone(handle),
            end_stream: false,
            passed: BytesMut::new(),
            passed_end: false,
            initialized: false,
            output: BytesMut::new(),
            output_end: false,
            told: false,
        }
    }

    pub(crate) fn handle(&self) -> &Rc<ConnectionHandle> {
        &self.handle
    }

    /// The task of `cx` is the connection's; what filters have asked for since is done.
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        self.handle.register(cx.waker());
        self.settle();
    }

    /// The filters learn of the connection, if they do not know it.
    pub(crate) fn initialize(&mut self) {
        if self.filters.first().is_some_and(|filter| !filter.initialized) {
            let is_open = self.handle.is_open();
            self.pass_input(0, is_open);
            self.settle();
        }
    }

    /// Whether what ends the chain is to know of the connection.
    pub(crate) fn is_initialized(&self) -> bool {
        self.initialized
    }

    /// The read buffer, to append to.
    pub(crate) fn input(&self) -> RefMut<'_, BytesMut> {
        self.handle.input()
    }

    /// Something was read.
    pub(crate) fn on_read(&mut self, end_stream: bool) {
        self.end_stream |= end_stream;
        let is_open = self.handle.is_open();
        self.pass_input(0, is_open);
        self.settle();
    }

    /// What has passed all filters, and whether it is the last. Who takes it leaves nothing.
    pub(crate) fn passed(&mut self) -> (&mut BytesMut, bool) {
        (&mut self.passed, self.passed_end)
    }

    /// What is written to the client goes through the filters.
    pub(crate) fn write(&mut self, end_stream: bool) {
        self.pass_output(end_stream);
        self.settle();
    }

    /// Where to put what is written, before [`Self::write`].
    pub(crate) fn written(&self) -> RefMut<'_, BytesMut> {
        self.handle.written()
    }

    /// What is to go to the client's socket, and whether it is the last.
    pub(crate) fn output(&mut self) -> (&mut BytesMut, bool) {
        (&mut self.output, self.output_end)
    }

    /// Does what filters have asked for.
    pub(crate) fn settle(&mut self) {
        while let Some(asked) = self.handle.next_asked() {
            match asked {
                // Asked for before a close, if there is one.
                Asked::Continue(place) => self.pass_input(place + 1, true),
                Asked::Write(data, end_stream) => {
                    append(&mut self.written(), data);
                    self.pass_output(end_stream);
                }
                Asked::Close => return,
            }
        }
    }

    /// Tells all filters. A close is told once.
    pub(crate) fn raise(&mut self, event: ConnectionEvent) {
        if event != ConnectionEvent::Connected && std::mem::replace(&mut self.told, true) {
            return;
        }
        self.filters.iter_mut().for_each(|active| active.filter.on_event(event));
        if !self.told {
            self.settle();
        }
    }

    /// Shows what was read to the filters from that place on, unless the connection was closed before that was asked for.
    fn pass_input(&mut self, from: usize, is_open: bool) {
        if !is_open {
            return;
        }
        let mut data = std::mem::take(&mut *self.input());
        let passes = self.iterate(from, &mut data, self.end_stream);
        if passes {
            self.initialized = true;
            append(&mut self.passed, data);
            self.passed_end |= self.end_stream;
        } else {
            *self.input() = data;
        }
    }

    /// Whether `data` passes the filters from that place on.
    fn iterate(&mut self, from: usize, data: &mut BytesMut, end_stream: bool) -> bool {
        if self.told {
            return false;
        }
        let was_open = self.handle.is_open();
        for active in self.filters.iter_mut().skip(from) {
            if !std::mem::replace(&mut active.initialized, true)
                && (active.filter.on_new_connection() == NetworkStatus::Stop || was_open && !self.handle.is_open())
            {
                return false;
            }
            if (!data.is_empty() || end_stream)
                && (active.filter.on_data(data, end_stream) == NetworkStatus::Stop
                    || was_open && !self.handle.is_open())
            {
                return false;
            }
        }
        true
    }

    /// Shows what is written to the filters, the last one first.
    fn pass_output(&mut self, end_stream: bool) {
        let mut data = std::mem::take(&mut *self.written());
        let was_open = self.handle.is_open();
        for active in self.filters.iter_mut().rev().filter(|active| active.writes) {
            let status = active.filter.on_write(&mut data, end_stream);
            if status == NetworkStatus::Stop || was_open && !self.handle.is_open() {
                *self.written() = data;
                return;
            }
        }
        self.handle.stream_info().borrow_mut().bytes_sent += data.len() as u64;
        append(&mut self.output, data);
        self.output_end |= end_stream;
    }
}

/// Appends, without a copy where there is nothing to append to.
fn append(to: &mut BytesMut, data: BytesMut) {
    if to.is_empty() {
        *to = data;
    } else {
        to.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests;
