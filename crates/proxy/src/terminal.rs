//! What answers at the end of a decoder chain: the router, or the admin pages.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use sandgate_filter::{DecodeEvent, Stream};

use crate::admin_terminal::AdminTerminal;
use crate::hcm::{Hcm, TerminalFactory};
use crate::route_table::RouteEntry;
use crate::router::{Router, RouterEvent};
use crate::worker::Worker;

pub(crate) enum Terminal {
    Router(Box<Router>),
    Admin(AdminTerminal),
}

impl Terminal {
    pub(crate) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, stream: &Rc<Stream>) -> Self {
        match &hcm.terminal {
            TerminalFactory::Router(config) => Self::Router(Box::new(Router::new(worker, config, stream))),
            TerminalFactory::Discovered(filter, default) => {
                let config = filter.router();
                Self::Router(Box::new(Router::new(worker, config.as_ref().unwrap_or(default), stream)))
            }
            TerminalFactory::Admin(context) => Self::Admin(AdminTerminal::new(context, stream)),
        }
    }

    /// The request gets the protocol that it asks for, should the host agree.
    pub(crate) fn allow_upgrade(&mut self) {
        if let Self::Router(router) = self {
            router.allow_upgrade();
        }
    }

    pub(crate) fn can_take(&self) -> bool {
        match self {
            Self::Router(router) => router.can_take(),
            Self::Admin(_) => true,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Router(router) => router.deadline(),
            Self::Admin(_) => None,
        }
    }

    pub(crate) fn on_decode_event(
        &mut self,
        cx: &mut Context<'_>,
        event: DecodeEvent,
        route: Option<&Rc<RouteEntry>>,
        now: Instant,
    ) {
        match self {
            Self::Router(router) => router.on_decode_event(cx, event, route, now),
            Self::Admin(admin) => admin.on_decode_event(event),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<RouterEvent> {
        match self {
            Self::Router(router) => router.poll(cx, now, may_read),
            Self::Admin(admin) => admin.poll(),
        }
    }

    /// An answer that needs no upstream, if the request got one.
    pub(crate) fn take_answer(&mut self) -> Option<RouterEvent> {
        match self {
            Self::Router(router) => router.take_answer(),
            Self::Admin(_) => None,
        }
    }

    /// The stream is over: what is not told of it yet.
    pub(crate) fn note_bytes(&mut self) {
        if let Self::Router(router) = self {
            router.note_bytes();
        }
    }

    /// Nobody wants an answer any more.
    pub(crate) fn abort(&mut self) {
        match self {
            Self::Router(router) => router.abort(),
            Self::Admin(admin) => admin.abort(),
        }
    }
}
