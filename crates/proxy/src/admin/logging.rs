//! `/logging`.

use std::fmt::Write as _;

use super::pages::Parameters;
use super::{AdminContext, AdminResponse, TEXT};

/// The process's loggers, by Envoy's names.
pub trait LogControl: Send + Sync {
    /// Every logger and its level, in Envoy's order.
    fn loggers(&self) -> Vec<(&'static str, &'static str)>;

    /// Whether there is such a level.
    fn is_level(&self, level: &str) -> bool;

    /// Sets the level of one logger, or of all. Both are known to exist.
    fn set(&self, logger: Option<&str>, level: &str);
}

const USAGE: &str = "
usage: /logging?<name>=<level> (change single level)
usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
usage: /logging?level=<level> (change all levels)
usage: /logging?group=<group_name>:<level> (change group of loggers)
levels: trace debug info warning error critical off \n";

/// Changes levels if it is asked to, and lists them. Of several changes none is made if one of them cannot be.
pub(super) fn logging(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let Some(control) = &context.logging else {
        return AdminResponse::text("active loggers:\n\n");
    };
    let result = change(&**control, parameters);
    let mut body = match result {
        Ok(()) => String::new(),
        Err(error) => format!("error: {error}\n{USAGE}"),
    };
    body.push_str("active loggers:\n");
    for (name, level) in control.loggers() {
        let _ = writeln!(body, "  {name}: {level}");
    }
    body.push('\n');
    AdminResponse::new(if result.is_ok() { 200 } else { 400 }, TEXT, body)
}

fn change(control: &dyn LogControl, parameters: &Parameters) -> Result<(), &'static str> {
    let (name, value) = match parameters {
        [] => return Ok(()),
        [(name, value)] => (name.as_str(), value.as_str()),
        _ => return Err("invalid number of parameters"),
    };
    if name == "group" && !value.is_empty() {
        return Err("group parameter requires fine-grain logging to be enabled");
    }
    if value.is_empty() {
        return Ok(());
    }
    if name == "level" {
        return match control.is_level(value) {
            true => {
                control.set(None, value);
                Ok(())
            }
            false => Err("unknown logger level"),
        };
    }
    let items: Vec<_> = match name {
        "paths" => value.split(',').map(|item| item.split_once(':').unwrap_or((item, ""))).collect(),
        name => vec![(name, value)],
    };
    if items.iter().any(|(name, level)| name.is_empty() || level.is_empty()) {
        return Err("empty logger name or empty logger level");
    }
    if items.iter().any(|(_, level)| !control.is_level(level)) {
        return Err("unknown logger level");
    }
    let known = control.loggers();
    if !items.iter().all(|(name, _)| known.iter().any(|(logger, _)| logger == name)) {
        return Err("unknown logger name");
    }
    for (name, level) in items {
        log::info!(target: "admin", "change log level: name='{name}' level='{level}'");
        control.set(Some(name), level);
    }
    Ok(())
}
