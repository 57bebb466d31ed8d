//! What answers look like that do not come from an upstream.

use bytes::Bytes;

use super::{AccessLogFilter, HeaderMutations, SubstitutionFormat};

/// Envoy's `LocalReplyConfig` of the HTTP connection manager.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalReplyConfig {
    /// The first whose filter matches is applied.
    pub mappers: Vec<ResponseMapper>,
    /// How bodies look; by default they are what was to be said.
    pub body_format: Option<BodyFormat>,
}

/// Envoy's `ResponseMapper`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseMapper {
    /// Which answers.
    pub filter: AccessLogFilter,
    /// Another code, from 200 to 599.
    pub status_code: Option<u32>,
    /// Another body, before the format.
    pub body: Option<Bytes>,
    /// Another format than the general one.
    pub body_format: Option<BodyFormat>,
    /// Headers that are added.
    pub headers: HeaderMutations,
}

/// How a body looks.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyFormat {
    /// What is written.
    pub format: SubstitutionFormat,
    /// The `content-type`: what is configured, or what fits the format.
    pub content_type: String,
}
