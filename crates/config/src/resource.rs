//! Single resources from the wire, by the code that reads them in a bootstrap.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use prost::Message;
use prost_reflect::DynamicMessage;

use crate::{
    check::Checker,
    convert::{self, Context, Surroundings},
    diagnostics::{Diagnostics, Severity},
    load::LoadOptions,
    model::{
        Bootstrap, Cluster, ClusterLoadAssignment, DnsResolver, ExtensionConfig, Listener, RouteConfiguration,
        RuntimeResource, Secret,
    },
    read::Unpacked,
    receive::Receiver,
    report::Report,
    schema::{Schema, wire},
};

/// Makes models of single resources. It knows what the bootstrap has for those that name it: static secrets, the clusters that control planes
/// are asked by, the `ads_config`, the resolver. Cheap to clone.
///
/// Findings have the resource for their file, such as `listener "a"`, and no line. What a resource names must be there, as in a file: files of
/// certificates and modules are looked for.
#[derive(Clone, Debug)]
pub struct ResourceLoader {
    options: Arc<LoadOptions>,
    surroundings: Surroundings,
    dns_resolver: Option<DnsResolver>,
    clusters: Arc<HashSet<String>>,
}

/// A resource that can be used.
#[derive(Clone, Debug)]
pub struct LoadedResource<T> {
    /// What it is.
    pub resource: T,
    /// What is worth saying about it; among that, fields that the schema does not know.
    pub warnings: Diagnostics,
    /// The message itself as it is used, for who looks at it: a `TypedStruct` is what it stands for, fields that the schema does not know are
    /// left out, and maps are in order. So equal resources have equal bytes.
    pub serialized: Bytes,
}

/// A kind of resource, for reading it.
struct Kind {
    /// The message's full name.
    message: &'static str,
    /// What it is called in findings.
    what: &'static str,
    /// The field with its name.
    name: &'static str,
}

// === impl Bootstrap ===

impl Bootstrap {
    /// A loader for resources of this program.
    #[must_use]
    pub fn resource_loader(&self) -> ResourceLoader {
        ResourceLoader {
            options: Arc::new(LoadOptions { unsupported: self.unsupported, ..LoadOptions::default() }),
            surroundings: Surroundings::of(self),
            dns_resolver: self.dns_resolver.clone(),
            clusters: Arc::new(self.clusters.iter().map(|cluster| cluster.name.clone()).collect()),
        }
    }
}

// === impl ResourceLoader ===

impl ResourceLoader {
    /// Says why no cluster can be made of the bytes, whatever is in it: they are no `envoy.config.cluster.v3.Cluster`.
    #[must_use]
    pub fn undecodable_cluster(bytes: &[u8]) -> Option<String> {
        undecodable("envoy.config.cluster.v3.Cluster", bytes)
    }

    /// Says why no listener can be made of the bytes, whatever is in it: they are no `envoy.config.listener.v3.Listener`.
    #[must_use]
    pub fn undecodable_listener(bytes: &[u8]) -> Option<String> {
        undecodable("envoy.config.listener.v3.Listener", bytes)
    }

    /// Says which clusters there are now, for routes that must lead to one of them. At first the static ones.
    pub fn set_clusters(&mut self, names: Arc<HashSet<String>>) {
        self.clusters = names;
    }

    /// Reads an `envoy.config.listener.v3.Listener`. Routes that stand in it must lead to clusters that exist unless `validate_clusters` is
    /// false (observed in Envoy 1.40).
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn listener(&self, bytes: &[u8]) -> Result<LoadedResource<Listener>, Diagnostics> {
        let kind = Kind { message: "envoy.config.listener.v3.Listener", what: "listener", name: "name" };
        self.load(&kind, bytes, |context, message| convert::resource::listener(context, message, &self.clusters))
    }

    /// Reads an `envoy.config.cluster.v3.Cluster`.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn cluster(&self, bytes: &[u8]) -> Result<LoadedResource<Cluster>, Diagnostics> {
        let kind = Kind { message: "envoy.config.cluster.v3.Cluster", what: "cluster", name: "name" };
        self.load(&kind, bytes, convert::resource::cluster)
    }

    /// Reads an `envoy.config.route.v3.RouteConfiguration`. Its routes may lead to clusters that do not exist unless `validate_clusters` is
    /// true.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn route_configuration(&self, bytes: &[u8]) -> Result<LoadedResource<RouteConfiguration>, Diagnostics> {
        let kind =
            Kind { message: "envoy.config.route.v3.RouteConfiguration", what: "route configuration", name: "name" };
        self.load(&kind, bytes, |context, message| {
            Some(convert::resource::route_configuration(context, message, &self.clusters))
        })
    }

    /// Reads an `envoy.config.endpoint.v3.ClusterLoadAssignment`.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn endpoints(&self, bytes: &[u8]) -> Result<LoadedResource<ClusterLoadAssignment>, Diagnostics> {
        let kind = Kind {
            message: "envoy.config.endpoint.v3.ClusterLoadAssignment",
            what: "endpoints of",
            name: "cluster_name",
        };
        self.load(&kind, bytes, convert::resource::endpoints)
    }

    /// Reads an `envoy.extensions.transport_sockets.tls.v3.Secret`.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn secret(&self, bytes: &[u8]) -> Result<LoadedResource<Secret>, Diagnostics> {
        let kind = Kind { message: "envoy.extensions.transport_sockets.tls.v3.Secret", what: "secret", name: "name" };
        self.load(&kind, bytes, convert::resource::secret)
    }

    /// Reads an `envoy.config.core.v3.TypedExtensionConfig` with an HTTP filter of a connection manager.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn extension(&self, bytes: &[u8]) -> Result<LoadedResource<ExtensionConfig>, Diagnostics> {
        let kind = Kind { message: "envoy.config.core.v3.TypedExtensionConfig", what: "extension", name: "name" };
        self.load(&kind, bytes, convert::resource::extension)
    }

    /// Reads an `envoy.service.runtime.v3.Runtime`.
    ///
    /// # Errors
    /// All findings, if any of them is an error.
    pub fn runtime(&self, bytes: &[u8]) -> Result<LoadedResource<RuntimeResource>, Diagnostics> {
        let kind = Kind { message: "envoy.service.runtime.v3.Runtime", what: "runtime layer", name: "name" };
        self.load(&kind, bytes, convert::resource::runtime)
    }

    fn load<M: Message + Default, T>(
        &self,
        kind: &Kind,
        bytes: &[u8],
        convert: impl FnOnce(&mut Context<'_>, M) -> Option<T>,
    ) -> Result<LoadedResource<T>, Diagnostics> {
        let mut report = Report::new(kind.what.into());
        let read = self.read(&mut report, kind, bytes, convert);
        let failed = report.has_errors();
        let file = Arc::clone(&report.file);
        let findings = Diagnostics::new(&file, report.into_items());
        match read {
            Some((resource, serialized)) if !failed => Ok(LoadedResource { resource, warnings: findings, serialized }),
            _ => Err(findings),
        }
    }

    fn read<M: Message + Default, T>(
        &self,
        report: &mut Report,
        kind: &Kind,
        bytes: &[u8],
        convert: impl FnOnce(&mut Context<'_>, M) -> Option<T>,
    ) -> Option<(T, Bytes)> {
        let schema = Schema::get().map_err(|error| report.error("", format!("the schema is damaged: {error}"))).ok()?;
        let Some(descriptor) = schema.message(kind.message) else {
            report.error("", format!("the schema has no {}", kind.message));
            return None;
        };
        let mut message = DynamicMessage::decode(descriptor, bytes)
            .map_err(|error| report.error("", format!("Unable to unpack as {}: {error}", kind.message)))
            .ok()?;
        let name = message.get_field_by_name(kind.name).and_then(|name| name.as_str().map(str::to_owned));
        report.file = format!("{} \"{}\"", kind.what, name.unwrap_or_default().escape_debug()).into();
        let mut unpacked = Unpacked::new();
        Receiver::new(schema, report, &mut unpacked).root(&mut message);
        Checker::new(schema, report, &unpacked, self.options.unsupported).root(&message);
        let serialized = wire::encode(&message);
        let message = M::decode(serialized.as_slice())
            .map_err(|error| report.error("", format!("the schema does not fit: {error}")))
            .ok()?;
        let mut context = Context::new(report, &self.options);
        context.surroundings = self.surroundings.clone();
        context.dns_resolver.clone_from(&self.dns_resolver);
        let resource = convert(&mut context, message);
        if resource.is_none() && !report.has_errors() {
            report.add(Severity::Error, "", "it makes no sense");
        }
        Some((resource?, serialized.into()))
    }
}

fn undecodable(message: &str, bytes: &[u8]) -> Option<String> {
    // What is wrong with the schema is told when the resource is read.
    let descriptor = Schema::get().ok()?.message(message)?;
    let error = DynamicMessage::decode(descriptor, bytes).err()?;
    Some(format!("Unable to unpack as {message}: {error}"))
}
