//! Requests that no filter gets to see.

use sandgate_http::{HeaderMap, LocalReply};

use super::reply;
use crate::hcm::Hcm;
use crate::request_path::{self, PathOutcome};

/// A reply to requests that no filter gets to see.
pub(super) fn refusal(headers: &mut HeaderMap, hcm: &Hcm) -> Option<LocalReply> {
    if !headers.contains(b":authority") {
        return Some(reply(400, "", "missing_host_header"));
    }
    let path = headers.get(b":path")?;
    if !path.starts_with(b"/") {
        hcm.stats.downstream_rq_non_relative_path().inc();
        return Some(reply(404, "", "absolute_path_rejected"));
    }
    if path.contains(&b'#') {
        return Some(reply(400, "", "path_normalization_failed"));
    }
    match request_path::normalize(headers, &hcm.config.path) {
        PathOutcome::Continue => None,
        PathOutcome::Reject => Some(reply(400, "", "path_normalization_failed")),
        PathOutcome::Redirect => {
            hcm.stats.downstream_rq_redirected_with_normalized_path().inc();
            let path = headers.get(b":path").unwrap_or_default().to_vec();
            Some(LocalReply {
                headers: vec![(b"location".to_vec(), path)],
                ..reply(307, "", "path_normalization_failed")
            })
        }
    }
}
