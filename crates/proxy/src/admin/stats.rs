//! `/stats`, `/stats/prometheus` and `/reset_counters`.

use super::pages::Parameters;
use super::{AdminAction, AdminContext, AdminResponse, HTML, JSON, TEXT};
use crate::stats::{StatsFormat, StatsQuery, StatsQueryError};

pub(super) fn stats(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    answer(context, parse(parameters))
}

pub(super) fn prometheus(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    answer(context, parse(parameters).and_then(StatsQuery::prometheus))
}

pub(super) fn reset_counters(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.stats.reset_counters();
    AdminResponse::text("OK\n")
}

fn parse(parameters: &Parameters) -> Result<StatsQuery, StatsQueryError> {
    StatsQuery::parse(parameters.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

fn answer(context: &AdminContext, query: Result<StatsQuery, StatsQueryError>) -> AdminResponse {
    match query {
        Ok(query) => {
            if context.stats_flush_on_admin {
                context.stats.merge_histograms();
                (context.act)(AdminAction::FlushStats);
            }
            let content_type = match query.format() {
                StatsFormat::Json => JSON,
                StatsFormat::Html => HTML,
                StatsFormat::Text | StatsFormat::Prometheus => TEXT,
            };
            AdminResponse { status: 200, content_type, body: query.render(&context.stats) }
        }
        Err(error) => AdminResponse { status: 400, content_type: TEXT, body: error.to_string() },
    }
}
