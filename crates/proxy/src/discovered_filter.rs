//! An HTTP filter whose configuration comes from elsewhere, on one worker: what it is now, and what new streams get of it.

use std::cell::RefCell;
use std::rc::Rc;

use sandgate_filter::{FilterCallbacks, HttpFilter, response_flag};
use sandgate_http::{HeadersStatus, LocalReply};

use crate::hcm::FilterFactory;
use crate::router::RouterConfig;

/// The filter of one place in a filter chain.
pub(crate) struct DiscoveredFilter {
    name: Rc<str>,
    now: RefCell<Rc<Discovered>>,
}

/// What such a filter is.
pub(crate) enum Discovered {
    /// Nobody has said so: streams are answered here.
    Missing,
    /// A plugin that failed and without which streams may pass.
    Absent,
    Filter(FilterFactory),
    /// The end of the chain.
    Router(Rc<RouterConfig>),
}

/// Answers every request, as there is no configuration.
struct MissingFilter(Rc<str>);

/// Lets every request pass.
struct AbsentFilter(Rc<str>);

// === impl DiscoveredFilter ===

impl DiscoveredFilter {
    pub(crate) fn new(name: &str) -> Rc<Self> {
        Rc::new(Self { name: name.into(), now: RefCell::new(Rc::new(Discovered::Missing)) })
    }

    /// Streams that begin from now on get this.
    pub(crate) fn set(&self, next: Discovered) {
        let before = self.now.replace(Rc::new(next));
        // A plugin that nobody uses any more ends here.
        drop(before);
    }

    /// What a new stream gets.
    pub(crate) fn make(&self) -> Box<dyn HttpFilter> {
        let now = Rc::clone(&self.now.borrow());
        match &*now {
            Discovered::Missing => Box::new(MissingFilter(Rc::clone(&self.name))),
            Discovered::Absent | Discovered::Router(_) => Box::new(AbsentFilter(Rc::clone(&self.name))),
            Discovered::Filter(make) => make(),
        }
    }

    /// The router that it is.
    pub(crate) fn router(&self) -> Option<Rc<RouterConfig>> {
        match &**self.now.borrow() {
            Discovered::Router(config) => Some(Rc::clone(config)),
            _ => None,
        }
    }
}

impl HttpFilter for MissingFilter {
    fn name(&self) -> &str {
        &self.0
    }

    /// As Envoy 1.40 answers: no body, and no details.
    fn decode_headers(&mut self, callbacks: &FilterCallbacks, _end_stream: bool) -> HeadersStatus {
        callbacks.stream().info_mut().set_response_flag(response_flag::NO_FILTER_CONFIG_FOUND);
        callbacks.send_local_reply(LocalReply { status: 500, ..LocalReply::default() });
        HeadersStatus::StopIteration
    }
}

impl HttpFilter for AbsentFilter {
    fn name(&self) -> &str {
        &self.0
    }
}
