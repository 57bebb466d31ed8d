//! Envoy's schema: its descriptors, and what this program does with each field.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use prost_reflect::{DescriptorPool, MessageDescriptor};

mod own;
pub(crate) mod rules;
pub(crate) mod wire;

const DESCRIPTORS: &[u8] = include_bytes!("../schema/envoy-1.40.fds");
const OTHER_TYPES: &str = include_str!("../schema/other-types.txt");
const FIELDS: &str = include_str!("../schema/fields.txt");

/// The schema, decoded once.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) pool: DescriptorPool,
    others: HashSet<&'static str>,
    rules: rules::RuleTable,
    fields: HashMap<&'static str, HashMap<&'static str, Vec<Rule>>>,
}

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Implemented.
    Done,
    /// Accepted without effect; why that is right.
    Harmless(&'static str),
    /// Refused, unless the user lets it pass; what is lost then.
    Lost(&'static str),
    /// Refused; why, if there is more to say than that it is not implemented.
    Refused(&'static str),
}

#[derive(Debug)]
struct Rule {
    /// The only value it is about.
    value: Option<&'static str>,
    standing: Standing,
}

/// A field that is accepted without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HarmlessField {
    /// The full name of the message.
    pub message: &'static str,
    /// The name of the field.
    pub field: &'static str,
    /// The only value that is accepted, if not all are.
    pub value: Option<&'static str>,
    /// Why it is right to ignore it.
    pub reason: &'static str,
}

/// The fields that are accepted without effect, by message.
pub fn harmless_fields() -> impl Iterator<Item = HarmlessField> {
    lines().filter_map(|line| match line {
        (message, field, Rule { value, standing: Standing::Harmless(reason) }) => {
            Some(HarmlessField { message, field, value, reason })
        }
        _ => None,
    })
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str, Rule)> {
    let mut message = "";
    FIELDS.lines().flat_map(move |line| {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let (field, value) = match first.split_once('=') {
            Some((field, value)) => (field, Some(value)),
            None => (first, None),
        };
        let rules: Vec<_> = match word {
            "message" => {
                message = rest;
                Vec::new()
            }
            "done" | "raw" => {
                rest.split(' ').map(|field| (message, field, Rule { value: None, standing: Standing::Done })).collect()
            }
            "harmless" => vec![(message, field, Rule { value, standing: Standing::Harmless(text) })],
            "lost" => vec![(message, field, Rule { value, standing: Standing::Lost(text) })],
            "refused" => vec![(message, field, Rule { value, standing: Standing::Refused(text) })],
            _ => Vec::new(),
        };
        rules
    })
}

// === impl Schema ===

impl Schema {
    /// The schema. Decoding takes some ten milliseconds, the first time.
    ///
    /// # Errors
    /// The descriptors that are built in are damaged, which a test rules out.
    pub(crate) fn get() -> Result<&'static Self, &'static str> {
        sandgate_expression::Environment::register_types(crate::message_types);
        static SCHEMA: OnceLock<Result<Schema, String>> = OnceLock::new();
        SCHEMA.get_or_init(Self::new).as_ref().map_err(String::as_str)
    }

    fn new() -> Result<Self, String> {
        let mut pool = DescriptorPool::decode(DESCRIPTORS).map_err(|error| error.to_string())?;
        pool.add_file_descriptor_proto(own::file()).map_err(|error| error.to_string())?;
        let mut fields: HashMap<_, HashMap<_, Vec<_>>> = HashMap::new();
        for (message, field, rule) in lines() {
            fields.entry(message).or_default().entry(field).or_default().push(rule);
        }
        Ok(Self { pool, others: OTHER_TYPES.lines().collect(), rules: rules::RuleTable::default(), fields })
    }

    /// The message of that name.
    pub(crate) fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name)
    }

    /// Whether Envoy has a message of that name, though this program does not read it.
    pub(crate) fn is_other(&self, name: &str) -> bool {
        self.others.contains(name)
    }

    /// The names of all messages that Envoy has.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = String> {
        self.pool
            .all_messages()
            .map(|message| message.full_name().to_owned())
            .chain(self.others.iter().map(|name| (*name).to_owned()))
    }

    /// What the options of a message's fields say.
    pub(crate) fn rules(&self, message: &MessageDescriptor) -> Arc<rules::MessageRules> {
        self.rules.of(&self.pool, message)
    }

    /// What happens to a field that has this value.
    pub(crate) fn standing(&self, message: &str, field: &str, value: &str) -> Standing {
        let rules = self.fields.get(message).and_then(|fields| fields.get(field)).map_or(&[][..], Vec::as_slice);
        let fits = |rule: &&Rule| rule.value.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
        let refused = |rule: &&Rule| matches!(rule.standing, Standing::Refused(_)) && fits(rule);
        // What other code reads of the same message may be refused in a configuration.
        let rule = rules.iter().find(refused).or_else(|| rules.iter().find(fits));
        rule.map_or(Standing::Refused(""), |rule| rule.standing)
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
