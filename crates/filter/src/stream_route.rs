//! What a route says of the filters in front of it.

use std::any::Any;
use std::rc::Rc;

use crate::Stream;

/// A stream's route, to its filters.
pub trait StreamRoute: std::fmt::Debug {
    /// The configuration that the route, or what it is part of, has for the filter of that name instead of the filter's own, the most specific one.
    fn filter_config(&self, filter: &str) -> Option<Rc<dyn Any>>;
}

/// Who chooses a stream's route.
pub trait RouteChooser: std::fmt::Debug {
    /// Chooses again, by the headers as they are now, and notes it in the stream.
    fn choose(&self, stream: &Stream);
}

// === impl Stream ===

impl Stream {
    /// Says which route it has; only needed if the route says something of a filter.
    pub fn set_route(&self, route: Option<Rc<dyn StreamRoute>>) {
        *self.route.borrow_mut() = route;
    }

    /// Says who chooses its route; only needed if a filter asks for it.
    pub fn set_route_chooser(&self, chooser: Rc<dyn RouteChooser>) {
        *self.route_chooser.borrow_mut() = Some(chooser);
    }

    /// What its route says of a filter. If a filter has cleared the route, another is chosen first.
    #[must_use]
    pub fn route_config(&self, filter: &str) -> Option<Rc<dyn Any>> {
        let chooser = self.route_chooser.borrow().clone();
        if let Some(chooser) = chooser
            && self.take_route_cleared()
        {
            chooser.choose(self);
        }
        self.route.borrow().as_ref()?.filter_config(filter)
    }
}
