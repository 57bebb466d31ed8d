//! Role based access control. What is accepted and refused was tried with Envoy 1.40.

use sandgate_config::model::{HttpFilterKind, PerFilterKind, RbacAction, RbacRule};

use crate::support::{Slot, accepted, changed, config, refused};

const FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

fn filter(fields: &str) -> String {
    config(Slot::Filters, &format!("- {{name: rbac, typed_config: {{\"@type\": {FILTER}, {fields}}}}}"))
}

fn policy(permission: &str, principal: &str) -> String {
    filter(&format!("rules: {{policies: {{p: {{permissions: [{permission}], principals: [{principal}]}}}}}}"))
}

#[test]
fn rules_are_read() {
    let text = filter(
        "rules_stat_prefix: a, track_per_rule_stats: true, shadow_rules: {action: LOG}, rules: {action: DENY, policies: {\
         z: {permissions: [{any: true}], principals: [{any: true}]}, \
         b: {permissions: [{destination_port: 80}], principals: [{not_id: {authenticated: {}}}]}}}",
    );
    let bootstrap = accepted(&text);
    let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
    let HttpFilterKind::Rbac(rbac) = &manager.http_filters[0].kind else { panic!("not RBAC") };
    let rules = rbac.rules.as_ref().unwrap();
    assert_eq!(
        (rules.action, rbac.rules_stat_prefix.as_str(), rbac.track_per_rule_stats),
        (RbacAction::Deny, "a", true)
    );
    assert_eq!(rbac.shadow_rules.as_ref().map(|rules| rules.action), Some(RbacAction::Log));
    let [b, z] = &*rules.policies else { panic!("not two policies") };
    assert_eq!((b.name.as_str(), z.name.as_str()), ("b", "z"));
    assert_eq!(b.permissions, [RbacRule::DestinationPort(80)]);
    assert_eq!(b.principals, [RbacRule::Not(Box::new(RbacRule::Authenticated(None)))]);
    assert_eq!(z.permissions, [RbacRule::Any]);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let any = "{any: true}";
    for (permission, principal, wanted) in [
        ("", any, "at least 1 item"),
        (any, "", "at least 1 item"),
        ("{}", any, "one of and_rules, "),
        (any, "{}", "one of and_ids, "),
        ("{any: false}", any, "true"),
        ("{and_rules: {}}", any, "at least 1 item"),
        (any, "{or_ids: {ids: []}}", "at least 1 item"),
        ("{destination_port: 65536}", any, "65535"),
        ("{destination_ip: {address_prefix: x, prefix_len: 1}}", any, "malformed IP address: x"),
        (any, "{authenticated: {principal_name: {safe_regex: {regex: \"(\"}}}}", "regex"),
        ("{destination_port_range: {start: -1, end: 2}}", any, "range start -1 is out of bounds"),
        ("{destination_port_range: {start: 1, end: 65537}}", any, "range end 65537 is out of bounds"),
        (
            "{destination_port_range: {start: 2, end: 2}}",
            any,
            "range start 2 cannot be greater or equal than range end 2",
        ),
        (any, "{filter_state: {key: a, address_match: {}}}", "address_match"),
    ] {
        refused(&policy(permission, principal), wanted);
    }
    accepted(&policy("{destination_port_range: {start: 0, end: 65536}}", any));
}

#[test]
fn what_would_let_in_more_than_was_meant_is_refused() {
    for fields in [
        "matcher: {on_no_match: {action: {name: a, typed_config: {\"@type\": type.googleapis.com/envoy.config.rbac.v3.Action, name: a}}}}",
        "rules: {policies: {p: {permissions: [{any: true}], principals: [{any: true}], checked_condition: {expr: {const_expr: {bool_value: false}}}}}}",
        "rules: {policies: {p: {permissions: [{any: true}], principals: [{custom: {name: a, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.rbac.principals.mtls_authenticated.v3.Config, any_validated_client_certificate: true}}}]}}}",
    ] {
        refused(&filter(fields), "is not implemented");
    }
}

#[test]
fn a_policy_may_have_a_condition() {
    let condition = |expression: &str| {
        filter(&format!(
            "rules: {{policies: {{p: {{permissions: [{{any: true}}], principals: [{{any: true}}], condition: {expression}}}}}}}"
        ))
    };
    accepted(&condition("{select_expr: {operand: {ident_expr: {name: request}}, field: path}}"));
    refused(&condition("{call_expr: {function: nosuch}}"), "failed to create an expression");
    refused(&condition("{nosuch: 1}"), "nosuch");
}

#[test]
fn a_route_may_say_otherwise() {
    let per_route = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
    let text = changed(
        "route: {cluster: c}",
        &format!(
            "route: {{cluster: c}}\n                typed_per_filter_config: {{rbac: {{\"@type\": {per_route}, rbac: {{rules: {{}}}}}}}}"
        ),
    );
    let bootstrap = accepted(&text);
    let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
    let said = &manager.route_config.virtual_hosts[0].routes[0].per_filter[0];
    assert_eq!((said.filter.as_str(), said.disabled), ("rbac", false));
    let Some(PerFilterKind::Rbac(rbac)) = &said.config else { panic!("not RBAC") };
    assert!(rbac.rules.as_ref().is_some_and(|rules| rules.policies.is_empty()));
}
