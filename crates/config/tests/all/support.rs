//! A small configuration with places to put things, and ways to say what should become of it.

use sandgate_config::{Diagnostics, Format, LoadOptions, Loaded, load_str, model::Bootstrap};

/// A place in [`TEMPLATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Listener,
    Manager,
    RouteConfig,
    VirtualHost,
    Filters,
    Cluster,
    Top,
}

const TEMPLATE: &str = r#"static_resources:
  listeners:
  - name: l1
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    <Listener>
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: p
          <Manager>
          route_config:
            name: r
            <RouteConfig>
            virtual_hosts:
            - name: v
              domains: ["*"]
              <VirtualHost>
              routes:
              - match: {prefix: "/"}
                route: {cluster: c}
          http_filters:
          <Filters>
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: c
    type: STATIC
    <Cluster>
    load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}
<Top>
"#;

/// The template with `text` in one place; the others are dropped.
pub(crate) fn config(slot: Slot, text: &str) -> String {
    let wanted = format!("<{slot:?}>");
    let mut lines = Vec::new();
    for line in TEMPLATE.lines() {
        let name = line.trim_start();
        if name == wanted {
            let indent = &line[..line.len() - name.len()];
            lines.extend(text.lines().map(|line| format!("{indent}{line}")));
        } else if !(name.starts_with('<') && name.ends_with('>')) {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

/// The template with one piece of it changed.
pub(crate) fn changed(from: &str, to: &str) -> String {
    let text = config(Slot::Top, "");
    assert!(text.contains(from), "the template has no {from:?}");
    text.replacen(from, to, 1)
}

pub(crate) fn load(text: &str) -> Result<Loaded, Diagnostics> {
    load_str("test.yaml", text, Format::Yaml, &LoadOptions::default())
}

/// Both we and Envoy accept it.
pub(crate) fn accepted(text: &str) -> Bootstrap {
    match load(text) {
        Ok(loaded) => loaded.bootstrap,
        Err(findings) => panic!("{findings}\n{text}"),
    }
}

/// Both we and Envoy refuse it; ours says this.
pub(crate) fn refused(text: &str, wanted: &str) -> Diagnostics {
    match load(text) {
        Ok(_) => panic!("accepted, wanted {wanted:?}:\n{text}"),
        Err(findings) => {
            assert!(findings.to_string().contains(wanted), "wanted {wanted:?}, got {findings}\n{text}");
            findings
        }
    }
}

/// A line for each of many: the text, and for what must be refused a part of the message.
pub(crate) fn table(slot: Slot, lines: &[(&str, Option<&str>)]) {
    for (text, wanted) in lines {
        let text = config(slot, text);
        match wanted {
            None => {
                accepted(&text);
            }
            Some(wanted) => {
                refused(&text, wanted);
            }
        }
    }
}
