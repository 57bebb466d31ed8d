//! Rules, and what they decide.

use std::sync::Arc;

use sandgate_config::model::{RbacAction, RbacPolicy, RbacRules};
use sandgate_expression::Expression;

use crate::{Subject, rule::Rule};

/// Compiled rules. A worker makes its own.
#[derive(Clone, Debug)]
pub struct Engine {
    action: RbacAction,
    policies: Vec<Policy>,
}

#[derive(Clone, Debug)]
struct Policy {
    name: Box<str>,
    permissions: Vec<Rule>,
    principals: Vec<Rule>,
    condition: Option<Arc<Expression>>,
}

/// What rules say of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Whether it may go on.
    pub allowed: bool,
    /// The policy that matched, if one did.
    pub policy: Option<&'a str>,
    /// Of rules that log: whether the access log is to have it (`access_log_hint` in the metadata of `envoy.common`).
    pub log: Option<bool>,
}

/// Response code details and connection termination details of what is denied because of a policy, or of none. Details are one word.
#[must_use]
pub fn denial_details(policy: Option<&str>) -> String {
    let policy = policy.unwrap_or("none");
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    format!("rbac_access_denied_matched_policy[{}]", policy.replace(is_space, "_"))
}

// === impl Engine ===

impl Engine {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &RbacRules) -> Self {
        Self { action: config.action, policies: config.policies.iter().map(Policy::new).collect() }
    }

    /// Whether a subject is allowed, by the first policy that matches.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>) -> Decision<'_> {
        let policy = self.policies.iter().find(|policy| policy.matches(subject)).map(|policy| &*policy.name);
        let matched = policy.is_some();
        match self.action {
            RbacAction::Allow => Decision { allowed: matched, policy, log: None },
            RbacAction::Deny => Decision { allowed: !matched, policy, log: None },
            RbacAction::Log => Decision { allowed: true, policy, log: Some(matched) },
        }
    }
}

// === impl Policy ===

impl Policy {
    fn new(config: &RbacPolicy) -> Self {
        Self {
            name: config.name.as_str().into(),
            permissions: config.permissions.iter().map(Rule::new).collect(),
            principals: config.principals.iter().map(Rule::new).collect(),
            condition: config.condition.clone(),
        }
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.permissions.iter().any(|rule| rule.matches(subject))
            && self.principals.iter().any(|rule| rule.matches(subject))
            && self.condition.as_ref().is_none_or(|condition| subject.satisfies(condition))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_config::model::RbacRule;
    use sandgate_expression::Environment;

    use super::*;
    use crate::testing::Someone;

    fn policy(name: &str, permission: RbacRule, principal: RbacRule) -> RbacPolicy {
        RbacPolicy { name: name.into(), permissions: vec![permission], principals: vec![principal], condition: None }
    }

    #[test]
    fn a_policy_needs_a_permission_and_a_principal() {
        let never = || RbacRule::Not(Box::new(RbacRule::Any));
        let policies = vec![
            policy("a", RbacRule::Any, never()),
            policy("b", never(), RbacRule::Any),
            policy("c", RbacRule::Any, RbacRule::Any),
            policy("d", RbacRule::Any, RbacRule::Any),
        ];
        let (someone, none) = (Someone::new(), policies[..2].to_vec());
        for (action, policies, allowed, matched, log) in [
            (RbacAction::Allow, &policies, true, Some("c"), None),
            (RbacAction::Allow, &none, false, None, None),
            (RbacAction::Deny, &policies, false, Some("c"), None),
            (RbacAction::Deny, &none, true, None, None),
            (RbacAction::Log, &policies, true, Some("c"), Some(true)),
            (RbacAction::Log, &none, true, None, Some(false)),
        ] {
            let engine = Engine::new(&RbacRules { action, policies: policies.clone() });
            assert_eq!(engine.decide(&someone.subject()), Decision { allowed, policy: matched, log }, "{action:?}");
        }
    }

    #[test]
    fn a_policy_may_have_a_condition() {
        let mut someone = Someone::new();
        someone.request(&[(":path", "/a")]);
        for (text, allowed) in
            [("request.path == '/a'", true), ("request.path == '/b'", false), ("destination.port", false)]
        {
            let condition = Expression::parse(text.as_bytes(), &Environment::filters()).unwrap();
            let condition = Some(Arc::new(condition));
            let policies = vec![RbacPolicy { condition, ..policy("a", RbacRule::Any, RbacRule::Any) }];
            let engine = Engine::new(&RbacRules { action: RbacAction::Allow, policies });
            assert_eq!(engine.decide(&someone.subject()).allowed, allowed, "{text}");
        }
    }

    #[test]
    fn details_are_one_word() {
        assert_eq!(denial_details(Some("a \tb\u{b}")), "rbac_access_denied_matched_policy[a__b_]");
        assert_eq!(denial_details(None), "rbac_access_denied_matched_policy[none]");
    }
}
