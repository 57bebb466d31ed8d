//! Code of plugins that is fetched through a cluster, before the workers start.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::RemoteCode;
use sandgate_host::{Environment, Host};
use sandgate_http::{BodyBuffer, HeaderMap};
use tokio::sync::oneshot;

use super::StartError;
use super::thread::LocalWorker;
use crate::async_client::{AsyncOptions, AsyncResponse, BufferedRequest};
use crate::worker::{Worker, guarded};

/// The code, once it has come; nothing once all tries have failed. Waits for longer and longer, at random, between two of them.
pub(super) async fn fetch(remote: Rc<RemoteCode>, worker: Rc<Worker>) -> Option<Bytes> {
    let mut wait = millis(remote.base_interval).max(1);
    for retries in (0..=remote.num_retries).rev() {
        match fetch_once(&remote, &worker).await {
            Ok(code) => return Some(code),
            Err(reason) => {
                log::debug!(target: "config", "fetch remote data [uri = {}]: {reason}", remote.uri);
                if retries == 0 {
                    let uri = &remote.uri;
                    log::warn!(
                        target: "config",
                        "Retry limit exceeded for fetching data from remote data source. {uri}: {reason}"
                    );
                }
            }
        }
        if retries > 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..wait))).await;
            wait = wait.saturating_mul(2).min(millis(remote.max_interval)).max(1);
        }
    }
    None
}

/// Fetches code for want of which a configuration is refused, so that it is there when the configuration comes again; nothing for other
/// errors. A control plane that repeats what was refused does not make it be fetched again and again. Call inside a `LocalSet`.
pub(super) fn fetch_for_the_next(
    error: &StartError,
    (host, environment): (&Arc<Host>, &Rc<dyn Environment>),
    local: &LocalWorker,
) {
    let StartError::CodeCacheMiss { remote, .. } = error else { return };
    let fetching = Rc::clone(&local.fetching);
    if !fetching.borrow_mut().insert(remote.sha256.clone()) {
        return;
    }
    let remote = Rc::new((**remote).clone());
    let (host, environment, worker) = (Arc::clone(host), Rc::clone(environment), Rc::clone(&local.worker));
    let fetch = async move {
        let code = fetch(Rc::clone(&remote), worker).await;
        host.code_cache().fetched(&remote.sha256, code.as_ref(), environment.monotonic_ns());
        fetching.borrow_mut().remove(&remote.sha256);
    };
    tokio::task::spawn_local(guarded("code for the next configuration", fetch));
}

fn millis(interval: Duration) -> u64 {
    u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)
}

/// One request; the error says what was wrong with it or its answer.
async fn fetch_once(remote: &RemoteCode, worker: &Rc<Worker>) -> Result<Bytes, String> {
    let cluster = worker.clusters.get(&remote.cluster).ok_or_else(|| format!("no cluster {}", remote.cluster))?;
    let (answer, answered) = oneshot::channel();
    let (host, path) = host_and_path(&remote.uri);
    let mut headers = HeaderMap::new();
    headers.add(b":method", b"GET");
    headers.add(b":path", path.as_bytes());
    headers.add(b":authority", host.as_bytes());
    let options = AsyncOptions { timeout: Some(remote.timeout), ..AsyncOptions::default() };
    let request = BufferedRequest { headers, body: BodyBuffer::new(), options };
    // Who waits for the answer cannot be gone: it would have taken the stream with it.
    let stream = request.send(worker, &cluster, move |result| drop(answer.send(result)));
    let stream = stream.map_err(|reply| reply.details)?;
    let result = answered.await;
    drop(stream);
    match result {
        Ok(Ok(response)) => accept(remote, &response),
        Ok(Err(failure)) => Err(format!("{failure:?}")),
        Err(_) => Err("the request was dropped".to_owned()),
    }
}

/// The body of a 200 that has the checksum.
fn accept(remote: &RemoteCode, response: &AsyncResponse) -> Result<Bytes, String> {
    let status = response.headers.get(b":status").unwrap_or_default();
    if status != b"200" {
        return Err(format!("response status code {}", String::from_utf8_lossy(status)));
    }
    let mut body = Vec::with_capacity(response.body.len());
    response.body.segments().for_each(|segment| body.extend_from_slice(segment));
    if body.is_empty() {
        return Err("body is empty".to_owned());
    }
    let sum = sandgate_host::sha256_hex(&body);
    if sum == remote.sha256 { Ok(body.into()) } else { Err(format!("the checksum is {sum}, not {}", remote.sha256)) }
}

/// What Envoy takes from a URI: the host with its port, and the path with its query.
fn host_and_path(uri: &str) -> (&str, &str) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    match rest.find('/').and_then(|slash| rest.split_at_checked(slash)) {
        Some(parts) => parts,
        None => (rest, "/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart_as_envoy_does() {
        for (uri, host, path) in [
            ("http://a.b/c?d", "a.b", "/c?d"),
            ("https://a.b:1", "a.b:1", "/"),
            ("a.b/c", "a.b", "/c"),
            ("http://", "", "/"),
        ] {
            assert_eq!(host_and_path(uri), (host, path), "{uri}");
        }
    }
}
