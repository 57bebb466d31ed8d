//! `/config_dump`: the configuration as the messages that Envoy shows.

mod dynamic;
mod endpoints;
mod mask;
mod sections;

use regex::Regex;
use serde_json::{Value, json};

use super::pages::{Parameters, value};
use super::{AdminContext, AdminResponse};
pub(super) use sections::rfc3339;
use sections::{Section, sections};

/// What Envoy calls plain text here.
const PLAIN: &str = "text/plain";
const TYPE: &str = "@type";

pub(super) fn config_dump(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let names = match value(parameters, "name_regex").map(|text| Regex::new(&format!("^(?:{text})$"))).transpose() {
        Ok(names) => names,
        Err(error) => {
            let text = value(parameters, "name_regex").unwrap_or_default();
            let body = format!("INVALID_ARGUMENT: Error while parsing name_regex from {text}: {error}");
            return AdminResponse::new(400, PLAIN, body);
        }
    };
    let mut sections = sections(context);
    if value(parameters, "include_eds").is_some() {
        sections.push(endpoints::section(context));
    }
    if let Some(names) = &names {
        sections.iter_mut().for_each(|section| section.keep(names));
    }
    let mask = value(parameters, "mask");
    let configs = match value(parameters, "resource") {
        Some(resource) => one(&sections, resource, mask),
        None => all(&sections, mask),
    };
    match configs {
        Ok(configs) if configs.is_empty() => AdminResponse::json(&json!({})),
        Ok(configs) => AdminResponse::json(&json!({ "configs": configs })),
        Err((status, body)) => AdminResponse::new(status, PLAIN, body),
    }
}

/// The items of one list.
fn one(sections: &[Section], resource: &str, mask: Option<&str>) -> Result<Vec<Value>, (u32, String)> {
    let Some(section) = sections.iter().find(|section| section.has_field(resource)) else {
        return Err((404, format!("{resource} not found in config dump")));
    };
    let Some(list) = section.list(resource) else {
        let body = format!("{resource} is not a repeated field. Use ?mask={resource} to get only this field");
        return Err((400, body));
    };
    // A packed message cannot be kept as a whole (observed in Envoy 1.40).
    let fits = |mask: &str| !list.is_packed() || !mask.split(',').any(|path| path == list.resource);
    let items = list.items.iter().map(|item| match mask {
        None => Ok(typed(&format!("{}.{}", section.name, list.element), item)),
        Some(mask) => mask::apply(mask, item, |field| item.get(field).is_some() || list.may_have(field))
            .filter(|_| fits(mask))
            .map(|item| typed(&format!("{}.{}", section.name, list.element), &item))
            .ok_or_else(|| {
                let paths: String = mask.split(',').map(|path| format!("paths: \"{path}\"\n")).collect();
                (400, format!("FieldMask goo.gle/debugonly  \n{paths} could not be successfully used."))
            }),
    });
    items.collect()
}

/// Every section that the mask fits.
fn all(sections: &[Section], mask: Option<&str>) -> Result<Vec<Value>, (u32, String)> {
    let Some(mask) = mask else {
        return Ok(sections.iter().map(|section| typed(section.name, &section.fields())).collect());
    };
    let masked = sections.iter().filter_map(|section| {
        let fields = mask::apply(mask, &section.fields(), |field| section.has_field(field))?;
        Some(typed(section.name, &fields))
    });
    let masked: Vec<_> = masked.collect();
    if masked.is_empty() {
        return Err((400, format!("FieldMask {mask} could not be successfully applied to any configs.")));
    }
    Ok(masked)
}

/// A message in an `Any`, as JSON.
fn typed(name: &str, message: &Value) -> Value {
    packed(&format!("envoy.admin.v3.{name}"), message)
}

fn packed(name: &str, message: &Value) -> Value {
    let mut fields = serde_json::Map::new();
    fields.insert(TYPE.to_owned(), json!(format!("type.googleapis.com/{name}")));
    if let Value::Object(more) = message {
        fields.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
