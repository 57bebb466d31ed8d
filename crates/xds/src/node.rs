//! Which requests say who asks.

use bytes::Bytes;

/// Puts the node into requests: into the first one of a stream, and into the others unless they are to be without it.
#[derive(Clone, Debug)]
pub struct NodePolicy {
    node: Bytes,
    first_only: bool,
    first: bool,
}

impl NodePolicy {
    /// `node` is an encoded `envoy.config.core.v3.Node`; `first_only` is `set_node_on_first_message_only`.
    #[must_use]
    pub fn new(node: Bytes, first_only: bool) -> Self {
        Self { node, first_only, first: true }
    }

    pub(crate) fn stream_opened(&mut self) {
        self.first = true;
    }

    /// That of the next request.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let first = std::mem::replace(&mut self.first, false);
        (first || !self.first_only).then(|| self.node.clone())
    }
}
