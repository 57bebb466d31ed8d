//! What a plugin may be kept from: hostcalls, WASI functions and callbacks, by name.

use std::collections::BTreeSet;

use crate::{CallbackKind, CallbackSet, PROXY_FUNCTIONS, WASI_FUNCTIONS, WASI_MODULES};

/// Envoy's prefix of what is not the ABI's; none of it is a capability (observed in Envoy 1.40).
const ENVOY: &str = "envoy_";

/// Which hostcalls, WASI functions and callbacks a VM may use: Envoy's `CapabilityRestrictionConfig`. By default all.
///
/// Not covered, as in Envoy: functions of module `env` that are no hostcalls, `envoy_*`, start functions, the allocator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Empty: no restriction.
    allowed: BTreeSet<String>,
}

// === impl Capabilities ===

impl Capabilities {
    /// No restriction.
    pub const ALL: Self = Self { allowed: BTreeSet::new() };

    /// Only these; no names at all are no restriction.
    #[must_use]
    pub fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { allowed: names.into_iter().map(Into::into).collect() }
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.allowed.is_empty()
    }

    /// The names that were given, in order; none if everything is allowed.
    pub fn allowed(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(String::as_str)
    }

    /// Whether the module's import may be called. What is no capability may.
    #[must_use]
    pub fn allows_import(&self, module: &str, name: &str) -> bool {
        let covered = WASI_MODULES.contains(&module) || !name.starts_with(ENVOY) && is_in(PROXY_FUNCTIONS, name);
        !covered || self.allows(name)
    }

    /// The callbacks of `exported` that are called.
    #[must_use]
    pub fn callbacks(&self, exported: CallbackSet) -> CallbackSet {
        let allowed = |kind: &CallbackKind| kind.export().starts_with(ENVOY) || self.allows(kind.export());
        CallbackKind::ALL.iter().copied().filter(|kind| exported.contains(*kind)).filter(allowed).collect()
    }

    /// All names that mean something: full ones, such as `proxy_log`, `proxy_on_tick` and `fd_write`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let functions = PROXY_FUNCTIONS.iter().chain(WASI_FUNCTIONS).map(|function| function.name);
        let callbacks = CallbackKind::ALL.iter().map(|kind| kind.export());
        functions.chain(callbacks).filter(|name| !name.starts_with(ENVOY))
    }

    fn allows(&self, name: &str) -> bool {
        self.is_unrestricted() || self.allowed.contains(name)
    }
}

fn is_in(table: &[crate::HostFunction], name: &str) -> bool {
    table.iter().any(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_envoy_has() {
        assert_eq!(Capabilities::names().count(), 43 + 28 + WASI_FUNCTIONS.len());
        for name in ["envoy_resolve_dns", "envoy_on_stats_update", "abort", "pthread_equal"] {
            assert!(Capabilities::names().all(|known| known != name), "{name}");
        }
    }

    #[test]
    fn no_names_are_no_restriction() {
        let all = Capabilities::default();
        assert!(all.is_unrestricted() && all.allows_import("env", "proxy_log"));
        assert_eq!(Capabilities::only(Vec::<String>::new()), all);
        let everything: CallbackSet = CallbackKind::ALL.iter().copied().collect();
        assert_eq!(all.callbacks(everything), everything);
    }

    #[test]
    fn only_what_is_named_is_allowed() {
        let some = Capabilities::only(["proxy_log", "fd_write", "proxy_on_tick"]);
        for (module, name, allowed) in [
            ("env", "proxy_log", true),
            ("env", "proxy_done", false),
            ("env", "envoy_resolve_dns", true),
            ("env", "pthread_equal", true),
            ("env", "abort", true),
            ("wasi_snapshot_preview1", "fd_write", true),
            ("wasi_unstable", "proc_exit", false),
        ] {
            assert_eq!(some.allows_import(module, name), allowed, "{module}.{name}");
        }
        let exported = [CallbackKind::Tick, CallbackKind::Log, CallbackKind::ResolveDns].into_iter().collect();
        assert_eq!(some.callbacks(exported), [CallbackKind::Tick, CallbackKind::ResolveDns].into_iter().collect());
    }
}
