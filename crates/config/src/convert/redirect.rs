//! Redirects.

use super::{Context, header_mutations::format, matcher::regex_rewrite};
use crate::{
    model::{RedirectAction, RedirectPath},
    proto::envoy::config::route::v3::{
        self as proto,
        redirect_action::{
            PathRewriteSpecifier as Path, RedirectResponseCode as Code, SchemeRewriteSpecifier as Scheme,
        },
    },
};

/// Converts a redirect.
pub(super) fn redirect(context: &mut Context<'_>, message: proto::RedirectAction) -> Option<RedirectAction> {
    let filled = |text: String| (!text.is_empty()).then_some(text);
    let path = match message.path_rewrite_specifier {
        Some(Path::PathRedirect(path)) if !path.is_empty() => Some(RedirectPath::Replace(path)),
        Some(Path::PrefixRewrite(prefix)) if !prefix.is_empty() => Some(RedirectPath::Prefix(prefix)),
        Some(Path::RegexRewrite(rewrite)) => {
            context.field("regex_rewrite", |context| regex_rewrite(context, rewrite)).map(RedirectPath::Regex)
        }
        Some(Path::PathRewrite(text)) if !text.is_empty() => {
            format(context, "path_rewrite", &text).map(|format| RedirectPath::Format(format.omitting_empty_values()))
        }
        None | Some(Path::PathRedirect(_) | Path::PrefixRewrite(_) | Path::PathRewrite(_)) => Some(RedirectPath::Keep),
    };
    Some(RedirectAction {
        scheme: match message.scheme_rewrite_specifier {
            Some(Scheme::HttpsRedirect(true)) => Some("https".to_owned()),
            Some(Scheme::SchemeRedirect(scheme)) => filled(scheme),
            Some(Scheme::HttpsRedirect(false)) | None => None,
        },
        host: filled(message.host_redirect),
        port: Some(message.port_redirect).filter(|port| *port > 0),
        path: path?,
        status: match Code::try_from(message.response_code) {
            Ok(Code::Found) => 302,
            Ok(Code::SeeOther) => 303,
            Ok(Code::TemporaryRedirect) => 307,
            Ok(Code::PermanentRedirect) => 308,
            Ok(Code::MovedPermanently) | Err(_) => 301,
        },
        strip_query: message.strip_query,
    })
}
