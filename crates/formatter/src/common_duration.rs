//! `%COMMON_DURATION(START:END:PRECISION)%`: between two moments of a stream.

use std::time::Instant;

use crate::format::Rendered;
use crate::operator::number;
use crate::{FormatContext, FormatError};

/// A span between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommonDuration {
    /// `None`: a name that nothing here sets a time for.
    from: Option<Moment>,
    to: Option<Moment>,
    precision: Precision,
}

type Moment = fn(&FormatContext<'_>) -> Option<Instant>;

#[derive(Clone, Copy, Debug)]
enum Precision {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

const MOMENTS: &[(&str, Moment)] = &[
    ("DS_CX_BEG", |context| context.connection.opened),
    ("DS_HS_BEG", |context| context.connection.handshake_start),
    ("DS_HS_END", |context| context.connection.handshake_complete),
    ("DS_RX_HDR_END", |context| context.info.headers_rx),
    ("DS_RX_BEG", |context| Some(context.info.start)),
    ("DS_RX_END", |context| context.info.last_downstream_rx),
    ("US_CX_BEG", |context| context.info.upstream.connect_start),
    ("US_CX_END", |context| context.info.upstream.connect_end),
    ("US_HS_END", |context| context.info.upstream.handshake_complete),
    ("US_TX_BEG", |context| context.info.upstream.first_tx),
    ("US_TX_END", |context| context.info.upstream.last_tx),
    ("US_RX_BEG", |context| context.info.upstream.first_rx),
    ("US_RX_BODY_BEG", |context| context.info.upstream.first_body_rx),
    ("US_RX_END", |context| context.info.upstream.last_rx),
    ("DS_TX_BEG", |context| context.info.first_downstream_tx),
    ("DS_TX_END", |context| context.info.last_downstream_tx),
];

// === impl CommonDuration ===

impl CommonDuration {
    pub(crate) fn parse(parameters: &str) -> Result<Self, FormatError> {
        let refused = |what, value: &str| FormatError::Parameter(format!("Invalid common duration {what}: {value}."));
        let fields: Vec<&str> = parameters.split(':').collect();
        let (from, to, precision) = match fields.as_slice() {
            [from, to] => (*from, *to, "ms"),
            [from, to, precision] => (*from, *to, *precision),
            _ => return Err(refused("configuration", parameters)),
        };
        let precision = match precision {
            "ms" => Precision::Milliseconds,
            "us" => Precision::Microseconds,
            "ns" => Precision::Nanoseconds,
            other => return Err(refused("precision", other)),
        };
        let moment = |name| MOMENTS.iter().find(|(known, _)| *known == name).map(|(_, moment)| *moment);
        Ok(Self { from: moment(from), to: moment(to), precision })
    }

    /// Absent if one of the moments has not come, or they came the other way round.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let moment = |of: Option<Moment>| of.and_then(|moment| moment(context));
        let (Some(from), Some(to)) = (moment(self.from), moment(self.to)) else { return Rendered::Absent };
        let Some(span) = to.checked_duration_since(from) else { return Rendered::Absent };
        let count = match self.precision {
            Precision::Milliseconds => span.as_millis(),
            Precision::Microseconds => span.as_micros(),
            Precision::Nanoseconds => span.as_nanos(),
        };
        number(out, u64::try_from(count).unwrap_or(u64::MAX))
    }
}
