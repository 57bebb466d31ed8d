//! From a command's name and parameters to what renders it.

use crate::FormatError;
use crate::address::{self, AddressOf, Part};
use crate::coalesce;
use crate::common_duration::CommonDuration;
use crate::expression::ExpressionOf;
use crate::filter_state::FilterState;
use crate::format::Command;
use crate::grpc_status::GrpcStatusStyle;
use crate::header::{HeaderOf, HeadersOf};
use crate::metadata::{Metadata, MetadataOf};
use crate::operator::{Operator, ServerName};
use crate::query::{Path, QueryParam};
use crate::simple;
use crate::time::{Clock, TimeFormat};

/// What may follow a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// `(…)`, or nothing.
    Optional,
    Required,
}

/// Makes a command. `parameters` is empty if there are none.
pub(crate) fn command(name: &str, parameters: &str, max_length: Option<usize>) -> Result<Command, FormatError> {
    let operator = match builtin(name, parameters, max_length)? {
        Some(operator) => operator,
        None => return Err(FormatError::UnknownCommand(name.to_owned())),
    };
    Ok(Command { operator, max_length })
}

/// `None` if there is no such command.
fn builtin(name: &str, parameters: &str, length: Option<usize>) -> Result<Option<Operator>, FormatError> {
    if let Some(operator) = simple::find(name) {
        check(name, parameters, length, Takes::Nothing, false)?;
        return Ok(Some(operator));
    }
    if let Some((of, part)) = address::find(name) {
        let takes = if part == Part::WithoutPort { Takes::Optional } else { Takes::Nothing };
        check(name, parameters, length, takes, false)?;
        return Ok(Some(Operator::Address(AddressOf::new(of, part, parameters))));
    }
    if let Some(clock) = Clock::find(name) {
        check(name, parameters, length, Takes::Optional, false)?;
        return Ok(Some(Operator::Time(clock, TimeFormat::parse(parameters, clock.is_local())?)));
    }
    with_parameters(name, parameters, length)
}

fn with_parameters(name: &str, parameters: &str, length: Option<usize>) -> Result<Option<Operator>, FormatError> {
    let check = |takes, may_limit| check(name, parameters, length, takes, may_limit);
    Ok(Some(match name {
        "REQ" | "REQUEST_HEADER" | "STREAM_INFO_REQ" => {
            check(Takes::Required, true)?;
            Operator::Header(HeaderOf::parse(HeadersOf::Request, parameters)?)
        }
        "RESP" | "RESPONSE_HEADER" => {
            check(Takes::Required, true)?;
            Operator::Header(HeaderOf::parse(HeadersOf::Response, parameters)?)
        }
        "TRAILER" | "RESPONSE_TRAILER" => {
            check(Takes::Required, true)?;
            Operator::Header(HeaderOf::parse(HeadersOf::ResponseTrailers, parameters)?)
        }
        "GRPC_STATUS" => {
            check(Takes::Optional, false)?;
            Operator::GrpcStatus(GrpcStatusStyle::parse(parameters)?)
        }
        "RESPONSE_CODE_DETAILS" => {
            check(Takes::Optional, false)?;
            Operator::ResponseCodeDetails { keep_spaces: parameters == "ALLOW_WHITESPACES" }
        }
        "REQUESTED_SERVER_NAME" => {
            check(Takes::Optional, false)?;
            let option = parameters.split(':').next().unwrap_or_default();
            one_of(name, option, &["", "SNI_ONLY", "SNI_FIRST", "HOST_FIRST"])?;
            Operator::RequestedServerName(match option {
                "SNI_FIRST" => ServerName::SeenFirst,
                "HOST_FIRST" => ServerName::HostFirst,
                _ => ServerName::Seen,
            })
        }
        "CEL" | "TYPED_CEL" => {
            check(Takes::Optional, true)?;
            Operator::Expression(ExpressionOf::parse(parameters, name == "TYPED_CEL")?)
        }
        "QUERY_PARAM" => {
            check(Takes::Required, true)?;
            Operator::QueryParam(QueryParam::new(parameters))
        }
        "QUERY_PARAMS" => {
            check(Takes::Optional, true)?;
            one_of(name, parameters, &["", "ORIG", "DECODED"])?;
            Operator::QueryParams { decode: parameters == "DECODED" }
        }
        "PATH" => {
            check(Takes::Optional, true)?;
            Operator::Path(Path::parse(parameters)?)
        }
        "COMMON_DURATION" => {
            check(Takes::Required, false)?;
            Operator::CommonDuration(CommonDuration::parse(parameters)?)
        }
        "ENVIRONMENT" => {
            check(Takes::Required, true)?;
            Operator::Constant(std::env::var(parameters).unwrap_or_else(|_| "-".to_owned()))
        }
        "DYNAMIC_METADATA" => {
            check(Takes::Required, true)?;
            Operator::Metadata(Metadata::new(MetadataOf::Dynamic, parameters))
        }
        "CLUSTER_METADATA" => {
            check(Takes::Required, false)?;
            Operator::Metadata(Metadata::new(MetadataOf::Cluster, parameters))
        }
        "UPSTREAM_METADATA" => {
            check(Takes::Required, false)?;
            Operator::Metadata(Metadata::new(MetadataOf::UpstreamHost, parameters))
        }
        "METADATA" => Operator::Metadata(Metadata::parse_typed(parameters)?),
        "FILTER_STATE" => Operator::FilterState(FilterState::parse(parameters)?),
        // Filter state of the upstream's side: nothing here sets any.
        "UPSTREAM_FILTER_STATE" => FilterState::parse(parameters).map(|_| Operator::Absent)?,
        "COALESCE" => {
            check(Takes::Required, true)?;
            Operator::Coalesce(coalesce::parse(parameters)?)
        }
        _ => return Ok(None),
    }))
}

fn check(
    name: &str,
    parameters: &str,
    length: Option<usize>,
    takes: Takes,
    may_limit: bool,
) -> Result<(), FormatError> {
    if takes == Takes::Nothing && (!parameters.is_empty() || length.is_some()) {
        return Err(FormatError::TakesNothing(name.to_owned()));
    }
    if takes == Takes::Required && parameters.is_empty() {
        return Err(FormatError::NeedsParameters(name.to_owned()));
    }
    if length.is_some() && !may_limit {
        return Err(FormatError::NoLength(name.to_owned()));
    }
    Ok(())
}

/// Refuses a value that is not among `values`, of which the empty one is not named.
pub(crate) fn one_of(command: &str, value: &str, values: &[&str]) -> Result<(), FormatError> {
    if values.contains(&value) {
        return Ok(());
    }
    let named = values.iter().filter(|value| !value.is_empty()).map(|value| format!("'{value}'"));
    let named = named.collect::<Vec<_>>().join("/");
    Err(FormatError::Parameter(format!("Invalid {command} option: '{value}', only {named} are allowed")))
}
