//! The messages of a dump.

use std::time::SystemTime;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::super::AdminContext;
use super::{dynamic, packed};
use crate::cluster::ClusterTable;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// One message: lists of resources, and fields of its own.
pub(super) struct Section {
    /// In `envoy.admin.v3`.
    pub(super) name: &'static str,
    single: Vec<(&'static str, Option<Value>)>,
    lists: Vec<List>,
}

/// A list of resources.
pub(super) struct List {
    pub(super) field: &'static str,
    /// The type of its elements, in the section's.
    pub(super) element: &'static str,
    /// The field of an element that holds the resource.
    pub(super) resource: &'static str,
    /// The field of the resource that names it; of no use where the field above is the name.
    key: &'static str,
    pub(super) items: Vec<Value>,
}

impl Section {
    pub(super) fn new(name: &'static str, lists: Vec<List>) -> Self {
        Self { name, single: Vec::new(), lists }
    }

    /// Whether the message has such a field, set or not.
    pub(super) fn has_field(&self, field: &str) -> bool {
        self.single.iter().any(|(name, _)| *name == field) || self.list(field).is_some()
    }

    pub(super) fn list(&self, field: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.field == field)
    }

    /// Drops the resources whose names do not match.
    pub(super) fn keep(&mut self, names: &Regex) {
        for list in &mut self.lists {
            let name = |item: &Value| {
                let named = item.get(list.resource)?;
                named.as_str().or_else(|| named.get(list.key)?.as_str()).map(str::to_owned)
            };
            list.items.retain(|item| names.is_match(&name(item).unwrap_or_default()));
        }
    }

    /// What is set.
    pub(super) fn fields(&self) -> Value {
        let single = self.single.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
        let lists = self.lists.iter().filter(|list| !list.items.is_empty());
        let lists = lists.map(|list| (list.field.to_owned(), json!(list.items)));
        // As in Envoy: when it was updated comes last.
        Value::Object(lists.chain(single).collect())
    }
}

impl List {
    pub(super) fn new(field: &'static str, element: &'static str, resource: &'static str, key: &'static str) -> Self {
        Self { field, element, resource, key, items: Vec::new() }
    }

    /// Whether the resource is a message of its own in an element.
    pub(super) fn is_packed(&self) -> bool {
        self.resource != self.key
    }

    /// Whether its elements have such a field, set or not.
    pub(super) fn may_have(&self, field: &str) -> bool {
        const OF_LISTENERS: [&str; 6] =
            ["name", "active_state", "warming_state", "draining_state", "error_state", "client_status"];
        const OF_OTHERS: [&str; 3] = ["version_info", "error_state", "client_status"];
        match self.element {
            "DynamicListener" => OF_LISTENERS.contains(&field),
            dynamic if dynamic.starts_with("Dynamic") => field == "last_updated" || OF_OTHERS.contains(&field),
            _ => field == "last_updated",
        }
    }

    pub(super) fn of(mut self, items: Vec<Value>) -> Self {
        self.items = items;
        self
    }
}

/// All of a dump, in Envoy's order.
pub(super) fn sections(context: &AdminContext) -> Vec<Section> {
    let mut bootstrap = context.bootstrap();
    let resources = |bootstrap: &Value, name: &str| -> Vec<Value> {
        let list = bootstrap.pointer(&format!("/static_resources/{name}")).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let secrets = resources(&bootstrap, "secrets");
    let (clusters, listeners) = (resources(&bootstrap, "clusters"), resources(&bootstrap, "listeners"));
    let routes = listeners.iter().flat_map(route_configurations).collect::<Vec<_>>();
    name_node(&mut bootstrap, context);
    let updated = rfc3339(context.started);
    let items = |resource: &str, name: &str, values: Vec<Value>| -> Vec<Value> {
        let item = |value: &Value| json!({ resource: packed(name, value), "last_updated": updated });
        values.iter().map(item).collect()
    };
    let clusters = items("cluster", "envoy.config.cluster.v3.Cluster", clusters);
    let listeners = items("listener", "envoy.config.listener.v3.Listener", listeners);
    let routes = items("route_config", "envoy.config.route.v3.RouteConfiguration", routes);
    // As in Envoy: by kind, and without a time.
    let kinds = ["tls_certificate", "validation_context", "session_ticket_keys"];
    let of_kind = |kind: &'static str| secrets.iter().filter(move |secret| secret.get(kind).is_some());
    let name = "envoy.extensions.transport_sockets.tls.v3.Secret";
    let secrets = kinds.into_iter().flat_map(of_kind).map(|secret| json!({ "secret": packed(name, secret) }));
    let secrets: Vec<_> = secrets.map(dynamic::with_name).collect();
    let mut first = Section::new("BootstrapConfigDump", Vec::new());
    first.single = vec![("bootstrap", Some(bootstrap)), ("last_updated", Some(json!(updated)))];
    let with_version = |name, version: String, lists| {
        let mut section = Section::new(name, lists);
        section.single.push(("version_info", (!version.is_empty()).then(|| json!(version))));
        section
    };
    let table = context.clusters.as_deref();
    let active = table.map(ClusterTable::all_active).unwrap_or_default();
    let warming = table.map(ClusterTable::all_warming).unwrap_or_default();
    let dynamic_cluster = |field| List::new(field, "DynamicCluster", "cluster", "name");
    let secret = |field, element| List::new(field, element, "secret", "name");
    let mut sections = vec![
        first,
        with_version(
            "ClustersConfigDump",
            table.map(ClusterTable::version).unwrap_or_default(),
            vec![
                List::new("static_clusters", "StaticCluster", "cluster", "name").of(clusters),
                dynamic_cluster("dynamic_active_clusters").of(dynamic::clusters(&active)),
                dynamic_cluster("dynamic_warming_clusters").of(dynamic::clusters(&warming)),
            ],
        ),
        with_version(
            "ListenersConfigDump",
            context.listeners.version(),
            vec![
                List::new("static_listeners", "StaticListener", "listener", "name").of(listeners),
                List::new("dynamic_listeners", "DynamicListener", "name", "name").of(dynamic::listeners(context)),
            ],
        ),
        Section::new(
            "ScopedRoutesConfigDump",
            vec![
                List::new("inline_scoped_route_configs", "InlineScopedRouteConfigs", "scoped_route_configs", "name"),
                List::new("dynamic_scoped_route_configs", "DynamicScopedRouteConfigs", "scoped_route_configs", "name"),
            ],
        ),
        Section::new(
            "RoutesConfigDump",
            vec![
                List::new("static_route_configs", "StaticRouteConfig", "route_config", "name").of(routes),
                List::new("dynamic_route_configs", "DynamicRouteConfig", "route_config", "name")
                    .of(dynamic::routes(context)),
            ],
        ),
        Section::new(
            "SecretsConfigDump",
            vec![
                secret("static_secrets", "StaticSecret").of(secrets),
                secret("dynamic_active_secrets", "DynamicSecret").of(dynamic::secrets(&context.secrets.active())),
                secret("dynamic_warming_secrets", "DynamicSecret").of(dynamic::secrets(&context.secrets.warming())),
            ],
        ),
    ];
    let extensions = dynamic::extensions(context);
    if !extensions.is_empty() {
        // After the clusters. Not in a dump of a server without any, as in Envoy.
        let list = List::new("ecds_filters", "EcdsFilterConfig", "ecds_filter", "name").of(extensions);
        sections.insert(2, Section::new("EcdsConfigDump", vec![list]));
    }
    sections
}

/// Who the process is, command line included.
fn name_node(bootstrap: &mut Value, context: &AdminContext) {
    let Value::Object(fields) = bootstrap else { return };
    let mut node = Map::new();
    for (name, value) in [("id", &context.node_id), ("cluster", &context.node_cluster)] {
        if !value.is_empty() {
            node.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(Value::Object(given)) = fields.get("node") {
        for (name, value) in given {
            node.entry(name).or_insert_with(|| value.clone());
        }
    }
    node.insert("user_agent_name".to_owned(), json!("sandgate"));
    fields.shift_insert(0, "node".to_owned(), Value::Object(node));
}

/// The routes that stand in a listener.
fn route_configurations(listener: &Value) -> Vec<Value> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let chains = list(listener, "filter_chains").into_iter().chain(listener.get("default_filter_chain").cloned());
    let filters = chains.flat_map(|chain| list(&chain, "filters"));
    let managers = filters.filter_map(|filter| filter.get("typed_config").cloned());
    managers
        .filter(|manager| manager.get(super::TYPE).and_then(Value::as_str) == Some(HCM))
        .filter_map(|manager| manager.get("route_config").cloned())
        .collect()
}

/// A time with milliseconds.
pub(in crate::admin) fn rfc3339(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
