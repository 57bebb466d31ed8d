//! Filter state objects of the proxy's own, made of text: Envoy's object factories.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sandgate_attributes::{StateJson, StateRefusal, StateValue};

/// Whether [`state_object`] knows the factory.
#[must_use]
pub fn state_factory_exists(factory: &str) -> bool {
    state_object(factory, "") != Err(StateRefusal::Unknown)
}

/// Makes the object that Envoy's factory of the name `factory` makes of `text` (names, and which text each takes and shows:
/// observed in Envoy 1.40).
///
/// # Errors
/// There is no such factory, or it does not take the text.
pub fn state_object(factory: &str, text: &str) -> Result<StateValue, StateRefusal> {
    let refused = StateRefusal::Malformed;
    let shown = |text: String, json| StateValue::Text { text: Bytes::from(text), json };
    match factory {
        "envoy.string" | "envoy.hashable_string" | "envoy.upstream.dynamic_host" => {
            Ok(shown(text.to_owned(), StateJson::String))
        }
        "envoy.tcp_proxy.cluster"
        | "envoy.network.upstream_server_name"
        | "envoy.network.upstream_subject_alt_names"
        | "envoy.network.network_namespace" => Ok(shown(text.to_owned(), StateJson::None)),
        "envoy.network.application_protocols" => Ok(StateValue::Hidden(Bytes::copy_from_slice(text.as_bytes()))),
        "envoy.ai.model.request" if !text.is_empty() => Ok(shown(text.to_owned(), StateJson::String)),
        "envoy.ai.model.request" => Err(refused),
        "envoy.router.debug_config" => Ok(StateValue::Hidden(Bytes::copy_from_slice(text.as_bytes()))),
        "envoy.network.transport_socket.http_11_proxy.info" => match text.split_once(',') {
            Some((host, address)) if !host.is_empty() && address.parse::<SocketAddr>().is_ok() => {
                Ok(StateValue::Hidden(Bytes::copy_from_slice(text.as_bytes())))
            }
            _ => Err(refused),
        },
        "envoy.network.ip" => {
            let ip: IpAddr = text.parse().map_err(|_| refused)?;
            Ok(shown(SocketAddr::new(ip, 0).to_string(), StateJson::None))
        }
        "envoy.network.transport_socket.original_dst_address"
        | "envoy.filters.listener.original_dst.local_ip"
        | "envoy.filters.listener.original_dst.remote_ip" => {
            Ok(StateValue::Address(text.parse().map_err(|_| refused)?))
        }
        "envoy.upstream.dynamic_port" => {
            Ok(shown(text.parse::<u32>().map_err(|_| refused)?.to_string(), StateJson::Literal))
        }
        // As JSON, numbers of 64 bits are strings.
        "envoy.tcp_proxy.per_connection_idle_timeout_ms" => {
            Ok(shown(text.parse::<u64>().map_err(|_| refused)?.to_string(), StateJson::String))
        }
        "envoy.ratelimit.hits_addend" => {
            Ok(shown(text.parse::<u64>().map_err(|_| refused)?.to_string(), StateJson::Literal))
        }
        "envoy.tcp_proxy.disable_tunneling" | "envoy.bool" => {
            Ok(shown((text == "true").to_string(), StateJson::Literal))
        }
        _ => Err(StateRefusal::Unknown),
    }
}
