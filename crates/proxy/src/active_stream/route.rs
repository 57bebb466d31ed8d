//! Which route a stream has.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_filter::LocalReplyHeaders;
use sandgate_http::Direction;

use super::ActiveStream;
use crate::route_table::{Chance, Target};

impl ActiveStream {
    /// Chooses again if a filter asked for that.
    pub(super) fn refresh_route(&mut self) {
        if self.stream.take_route_cleared() {
            self.choose_route();
        }
    }

    fn choose_route(&mut self) {
        self.route = match self.stream.headers(Direction::Request) {
            Some(headers) => {
                let chance = Chance { random: self.random, runtime: &self.worker.runtime };
                self.hcm.routes.find(&headers, &self.stream, chance)
            }
            None => None,
        };
        self.note_route();
    }

    /// Tells the stream which route it has.
    pub(super) fn note_route(&mut self) {
        let replies = self.route.as_ref().filter(|route| route.changes_local_replies());
        self.stream.set_local_reply_headers(replies.map(|route| Rc::clone(route) as Rc<dyn LocalReplyHeaders>));
        let mut info = self.stream.info_mut();
        match &self.route {
            Some(route) => {
                info.route_name = Some(Arc::clone(&route.name));
                info.virtual_host_name = Some(Arc::clone(&route.virtual_host));
                info.route_metadata = route.metadata.clone();
                info.virtual_host_metadata = route.virtual_host_metadata.clone();
                if let Target::Cluster { name, idle_timeout, policy, .. } = &route.target {
                    if let Some(max) = policy.max_stream_duration(&self.stream) {
                        self.timers.set_max_duration(max);
                    }
                    info.cluster_name = self.worker.clusters.get(name).map(|cluster| Arc::clone(&cluster.name));
                    if let Some(timeout) = idle_timeout {
                        self.timers.set_idle_timeout(*timeout);
                    }
                }
            }
            None => (info.route_name, info.virtual_host_name, info.cluster_name) = (None, None, None),
        }
    }
}
