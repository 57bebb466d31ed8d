//! The guests that are written in Rust, from their sources.

use sandgate_vm::NativeEngine;

macro_rules! guests {
    ($($name:ident at $path:literal;)+) => {
        $(
            #[path = $path]
            #[allow(clippy::all, missing_docs, unreachable_pub, reason = "sources of guests, which other lints are for")]
            mod $name;
        )+

        /// The guests by their names.
        pub(crate) fn engine() -> NativeEngine {
            proxy_wasm::plugins![$($name),+]
        }
    };
}

guests! {
    auth at "../../../plugins/auth/src/lib.rs";
    blocklist at "../../../plugins/blocklist/src/lib.rs";
    body at "../../../plugins/body/src/lib.rs";
    counter at "../../../plugins/counter/src/lib.rs";
    grpc at "../../../plugins/grpc/src/lib.rs";
    header at "../../../plugins/header/src/lib.rs";
    headers at "../../../plugins/headers/src/lib.rs";
    hello at "../../../plugins/hello/src/lib.rs";
    redis at "../../../plugins/redis/src/lib.rs";
}
