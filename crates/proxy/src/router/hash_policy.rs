//! The hash of a request, for load balancing that goes by it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sandgate_config::model::{HashCookie, HashPolicy, HashSpecifier};
use sandgate_filter::Stream;
use sandgate_http::{Direction, HeaderMap};
use sandgate_matcher::{cookies, parameters};
use smallvec::SmallVec;
use xxhash_rust::xxh64::xxh64;

/// What a request's policies come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RequestHash {
    /// `None` if the request has nothing that the policies look at.
    pub(super) hash: Option<u64>,
    /// Values of `set-cookie` for the response.
    pub(super) cookies: Vec<Vec<u8>>,
}

/// Where a connection comes from and goes to.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    remote: Option<SocketAddr>,
    direct_remote: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

/// The hash of `stream`'s request.
pub(super) fn request_hash(policies: &[HashPolicy], stream: &Stream) -> RequestHash {
    let Some(headers) = stream.headers(Direction::Request) else { return RequestHash::default() };
    let connection = stream.connection();
    let ends = Ends {
        remote: connection.remote_address,
        direct_remote: connection.direct_remote_address,
        local: connection.local_address,
    };
    of_headers(policies, &headers, ends)
}

fn of_headers(policies: &[HashPolicy], headers: &HeaderMap, ends: Ends) -> RequestHash {
    let mut found = RequestHash::default();
    for policy in policies {
        let hash = match &policy.specifier {
            HashSpecifier::Header { name, rewrite } => {
                let mut values: SmallVec<[Vec<u8>; 1]> = headers
                    .get_all(name.as_bytes())
                    .map(|value| rewrite.as_ref().map_or_else(|| value.to_vec(), |rewrite| rewrite.replace_all(value)))
                    .collect();
                // The order of the values does not matter.
                values.sort_unstable();
                let hash = values.iter().fold(0, |seed, value| xxh64(value, seed));
                (!values.is_empty()).then_some(hash)
            }
            HashSpecifier::Cookie(cookie) => {
                let value = cookies(headers).find(|(name, _)| *name == cookie.name.as_bytes());
                match value.map(|(_, value)| value).filter(|value| !value.is_empty()) {
                    Some(value) => Some(xxh64(value, 0)),
                    None => set_cookie(cookie, ends, &mut found.cookies),
                }
            }
            HashSpecifier::SourceIp => ends.remote.map(|remote| xxh64(remote.ip().to_string().as_bytes(), 0)),
            HashSpecifier::QueryParameter(name) => {
                let path = headers.get(b":path").unwrap_or_default();
                parameters(path).find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| xxh64(value, 0))
            }
            HashSpecifier::FilterState => None,
        };
        if let Some(hash) = hash {
            // Turned, so that two equal hashes do not take each other away.
            found.hash = Some(found.hash.unwrap_or(0).rotate_left(1) ^ hash);
        }
        if policy.terminal && found.hash.is_some() {
            break;
        }
    }
    found
}

/// A new cookie, if the policy wants one: the same for all requests of a connection. Its hash.
fn set_cookie(cookie: &HashCookie, ends: Ends, set: &mut Vec<Vec<u8>>) -> Option<u64> {
    let ttl = cookie.ttl?;
    let (remote, local) = (ends.direct_remote?, ends.local?);
    let value = format!("{:016x}", xxh64(format!("{remote}{local}").as_bytes(), 0));
    let mut text = format!("{}=\"{value}\"", cookie.name);
    if !ttl.is_zero() {
        let _ = write!(text, "; Max-Age={}", ttl.as_secs());
    }
    if !cookie.path.is_empty() {
        let _ = write!(text, "; Path={}", cookie.path);
    }
    for (name, value) in &cookie.attributes {
        let _ = if value.is_empty() { write!(text, "; {name}") } else { write!(text, "; {name}={value}") };
    }
    text.push_str("; HttpOnly");
    set.push(text.into_bytes());
    Some(xxh64(value.as_bytes(), 0))
}

#[cfg(test)]
mod tests;
