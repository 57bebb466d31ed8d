//! Root contexts.

use std::time::Duration;

use super::{Context, HttpContext, StreamContext};
use crate::hostcalls::{self, must};
use crate::types::{BufferType, Bytes, ContextType};

/// A plugin in a VM.
pub trait RootContext: Context {
    /// The VM starts, with so many bytes of configuration. False: it cannot.
    fn on_vm_start(&mut self, _vm_configuration_size: usize) -> bool {
        true
    }

    /// The VM's configuration.
    fn get_vm_configuration(&self) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::VmConfiguration, 0, usize::MAX))
    }

    /// The plugin is configured, with so many bytes. False: it cannot run with them.
    fn on_configure(&mut self, _plugin_configuration_size: usize) -> bool {
        true
    }

    /// The plugin's configuration.
    fn get_plugin_configuration(&self) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX))
    }

    /// How often [`on_tick`](Self::on_tick) comes; never if zero.
    fn set_tick_period(&self, period: Duration) {
        must(hostcalls::set_tick_period(period));
    }

    /// The period is over.
    fn on_tick(&mut self) {}

    /// Something was put into a queue that this VM registered.
    fn on_queue_ready(&mut self, _queue_id: u32) {}

    /// Of an access logger: a request or connection has ended.
    fn on_log(&mut self) {}

    /// Makes the context of an HTTP stream; asked for if [`get_type`](Self::get_type) is `HttpContext`.
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        None
    }

    /// Makes the context of a TCP stream; asked for if [`get_type`](Self::get_type) is `StreamContext`.
    fn create_stream_context(&self, _context_id: u32) -> Option<Box<dyn StreamContext>> {
        None
    }

    /// Which contexts this makes.
    fn get_type(&self) -> Option<ContextType> {
        None
    }
}
