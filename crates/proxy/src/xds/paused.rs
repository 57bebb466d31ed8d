//! Types whose requests wait on a stream.

use std::rc::Weak;

use super::ResourceType;
use super::channel::Channel;

/// They do until this is dropped.
pub(crate) struct Paused {
    channel: Weak<Channel>,
    kinds: Vec<ResourceType>,
}

impl Paused {
    /// Nothing waits if there is no such stream.
    pub(super) fn new(channel: Weak<Channel>, kinds: &[ResourceType]) -> Self {
        if let Some(channel) = channel.upgrade() {
            kinds.iter().for_each(|&kind| channel.pause(kind));
        }
        Self { channel, kinds: kinds.to_vec() }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(channel) = self.channel.upgrade() {
            self.kinds.iter().for_each(|&kind| channel.resume(kind));
        }
    }
}
