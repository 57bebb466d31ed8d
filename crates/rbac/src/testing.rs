//! Somebody to be judged.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::{Instant, SystemTime};

use sandgate_config::model::{RbacRule, StringMatcher, StringPattern};
use sandgate_filter::{ConnectionInfo, StreamInfo};
use sandgate_http::HeaderMap;

use crate::{Subject, rule::Rule};

pub(crate) struct Someone {
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) connection: ConnectionInfo,
    pub(crate) info: StreamInfo,
}

pub(crate) fn exact(text: &str) -> StringMatcher {
    StringMatcher::new(StringPattern::Exact(text.into()))
}

// === impl Someone ===

impl Someone {
    /// From 3.3.3.3, which is said to be 1.1.1.1, by way of 2.2.2.2, to 10.0.0.1, port 80.
    pub(crate) fn new() -> Self {
        let connection = ConnectionInfo {
            local_address: Some("10.0.0.1:80".parse().unwrap()),
            remote_address: Some("1.1.1.1:1".parse().unwrap()),
            direct_remote_address: Some("2.2.2.2:2".parse().unwrap()),
            ..ConnectionInfo::default()
        };
        let info = StreamInfo::new(None, SystemTime::UNIX_EPOCH, Instant::now());
        Self { headers: None, connection, info }
    }

    pub(crate) fn request(&mut self, fields: &[(&str, &str)]) {
        let headers = self.headers.insert(HeaderMap::new());
        fields.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            headers: self.headers.as_ref(),
            connection: &self.connection,
            info: &self.info,
            source: Some("3.3.3.3:3".parse().unwrap()),
        }
    }

    pub(crate) fn matches(&self, rule: &RbacRule) -> bool {
        Rule::new(rule).matches(&self.subject())
    }
}
