//! Control planes and files that resources come from.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use super::{Context, grpc_service::grpc_service};
use crate::{
    model::{
        self, ApiConfig, Bootstrap, ConfigSource, ConfigSourceKind, Discovery, DynamicResources, GrpcService,
        GrpcTarget, RateLimit, Secret,
    },
    proto::envoy::config::{
        bootstrap::v3::bootstrap::DynamicResources as DynamicMessage,
        cluster::v3::{
            Cluster,
            cluster::{ClusterDiscoveryType, DiscoveryType},
        },
        core::v3::{
            self as proto, ApiVersion, api_config_source::ApiType, config_source::ConfigSourceSpecifier as Specifier,
            grpc_service::TargetSpecifier,
        },
    },
};

/// How long others wait for the first answer.
const INITIAL_FETCH_TIMEOUT: Duration = Duration::from_secs(15);
/// Waits between streams (Envoy's).
const BACK_OFF_BASE: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// What the bootstrap has for those that name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `static_resources.secrets`.
    pub(crate) secrets: Arc<Vec<Secret>>,
    /// Not all of them could be read.
    pub(crate) secrets_failed: bool,
    /// Clusters that a control plane can be asked by: static ones whose endpoints do not come from a control plane.
    pub(crate) primary_clusters: Arc<HashSet<String>>,
    /// There is an `ads_config`.
    pub(crate) has_ads: bool,
    /// The node has an id and a cluster.
    pub(crate) has_node: bool,
}

/// Who asks a control plane, for what only one of them may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The stream that all share.
    Ads,
    /// A stream for one type of resources.
    Single,
}

// === impl Surroundings ===

impl Surroundings {
    /// What a bootstrap that was converted has.
    pub(crate) fn of(bootstrap: &Bootstrap) -> Self {
        let is_primary = |cluster: &&model::Cluster| match &cluster.discovery {
            Discovery::Eds(eds) => matches!(eds.source.kind, ConfigSourceKind::Path { .. }),
            _ => true,
        };
        let primary = bootstrap.clusters.iter().filter(is_primary).map(|cluster| cluster.name.clone());
        Self {
            secrets: Arc::clone(&bootstrap.secrets),
            secrets_failed: false,
            primary_clusters: Arc::new(primary.collect()),
            has_ads: bootstrap.dynamic_resources.ads.is_some(),
            has_node: !bootstrap.node.id.is_empty() && !bootstrap.node.cluster.is_empty(),
        }
    }
}

/// The names of the clusters that a control plane can be asked by.
pub(super) fn primary_clusters(clusters: &[Cluster]) -> HashSet<String> {
    let is_primary = |cluster: &&Cluster| {
        let eds = ClusterDiscoveryType::Type(DiscoveryType::Eds.into());
        cluster.cluster_discovery_type != Some(eds)
            || cluster.eds_cluster_config.as_ref().is_some_and(|eds| {
                let specifier = eds.eds_config.as_ref().and_then(|source| source.config_source_specifier.as_ref());
                matches!(specifier, Some(Specifier::Path(_) | Specifier::PathConfigSource(_)))
            })
    };
    clusters.iter().filter(is_primary).map(|cluster| cluster.name.clone()).collect()
}

/// Converts `dynamic_resources`.
pub(super) fn dynamic_resources(context: &mut Context<'_>, message: DynamicMessage) -> DynamicResources {
    let ads = message.ads_config.and_then(|message| {
        context.field("ads_config", |context| {
            node(context, "ads");
            api_config(context, message, Asker::Ads)
        })
    });
    let mut source = |field: &str, source: Option<proto::ConfigSource>, what: &str| {
        source.and_then(|source| context.field(field, |context| config_source(context, source, what)))
    };
    DynamicResources {
        ads: ads.map(Arc::new),
        cds: source("cds_config", message.cds_config, "envoy.config.cluster.v3.Cluster"),
        lds: source("lds_config", message.lds_config, "envoy.config.listener.v3.Listener"),
    }
}

/// Converts the source of resources of the type `what`.
pub(super) fn config_source(
    context: &mut Context<'_>,
    message: proto::ConfigSource,
    what: &str,
) -> Option<ConfigSource> {
    let origin = context.origin();
    node(context, what);
    let initial_fetch_timeout =
        context.limit("initial_fetch_timeout", message.initial_fetch_timeout, Some(INITIAL_FETCH_TIMEOUT));
    let kind = match context.required("a config source", message.config_source_specifier)? {
        Specifier::Ads(_) => {
            if !context.surroundings.has_ads {
                context.error_at("ads", "ADS must be configured to support an ADS config source");
            }
            ConfigSourceKind::Ads
        }
        Specifier::ApiConfigSource(message) => ConfigSourceKind::Grpc(Arc::new(
            context.field("api_config_source", |context| api_config(context, message, Asker::Single))?,
        )),
        Specifier::Path(path) => {
            exists(context, "path", &path);
            ConfigSourceKind::Path { path, watched_directory: None }
        }
        Specifier::PathConfigSource(message) => context.field("path_config_source", |context| {
            exists(context, "path", &message.path);
            let watched_directory = message.watched_directory.map(|directory| directory.path);
            if let Some(directory) = &watched_directory
                && context.options.check_files
                && !Path::new(directory).is_dir()
            {
                let text = format!("unable to add filesystem watch for file {directory}: there is no such directory");
                context.error_at("watched_directory", text);
            }
            ConfigSourceKind::Path { path: message.path, watched_directory }
        }),
    };
    Some(ConfigSource { kind, initial_fetch_timeout, origin })
}

/// Refuses names that Envoy takes apart.
pub(super) fn resource_name(context: &mut Context<'_>, field: &str, name: &str) {
    if name.starts_with("xdstp:") {
        context.error_at(field, format!("the name {name} is not implemented: names of the form xdstp: are not known"));
    }
}

/// Envoy asks nobody without telling who asks.
fn node(context: &mut Context<'_>, what: &str) {
    if !context.surroundings.has_node {
        context.error(format!(
            "{what}: node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and \
             --service-cluster options."
        ));
    }
}

fn exists(context: &mut Context<'_>, field: &str, path: &str) {
    if context.options.check_files && !Path::new(path).exists() {
        let text = format!("paths must refer to an existing path in the system: '{path}' does not exist");
        context.error_at(field, text);
    }
}

fn api_config(context: &mut Context<'_>, message: proto::ApiConfigSource, asker: Asker) -> Option<ApiConfig> {
    const THIS: &str = "envoy.config.core.v3.ApiConfigSource";
    let origin = context.origin();
    if !matches!(ApiVersion::try_from(message.transport_api_version), Ok(ApiVersion::Auto | ApiVersion::V3) | Err(_)) {
        let text = "V2 xDS transport protocol version is deprecated: it must be V3";
        context.error_at("transport_api_version", text);
    }
    let delta = match ApiType::try_from(message.api_type) {
        Ok(ApiType::Grpc) => false,
        Ok(ApiType::DeltaGrpc) => true,
        Ok(aggregated @ (ApiType::AggregatedGrpc | ApiType::AggregatedDeltaGrpc)) => {
            context.error_at(
                "api_type",
                match asker {
                    Asker::Ads => format!("{THIS} type must be of non-aggregated gRPC"),
                    Asker::Single => format!("Unsupported config source {}: use ads", aggregated.as_str_name()),
                },
            );
            return None;
        }
        Ok(ApiType::Rest) => {
            let text = "REST is not implemented: resources come by gRPC or from files";
            context.error_at("api_type", text);
            return None;
        }
        // That of old, which stands for none.
        Ok(_) => {
            if !context.report.is_broken(&context.path) {
                context.error("api_type must be GRPC or DELTA_GRPC");
            }
            return None;
        }
        // A rule has said so.
        Err(_) => return None,
    };
    let count = message.grpc_services.len();
    match (message.cluster_names.is_empty(), count) {
        (false, _) => {
            let text = format!("{THIS}::(AGGREGATED_)(DELTA_)GRPC must not have a cluster name specified");
            context.error_at("cluster_names", text);
        }
        (true, 0) if !context.report.is_broken(&context.path) => {
            context.error("API configs must have either a gRPC service or a cluster name defined");
        }
        (true, 2..) => {
            let text = format!("{THIS}::(AGGREGATED_)(DELTA_)GRPC must have no more than 1 gRPC services specified");
            context.error_at("grpc_services", text);
        }
        _ => {}
    }
    let mut back_off = (BACK_OFF_BASE, BACK_OFF_MAX);
    let services = context.list("grpc_services", message.grpc_services, |context, message| {
        back_off = stream_back_off(context, &message).unwrap_or(back_off);
        service(context, message, asker)
    });
    if services.len() != 1 {
        return None;
    }
    let rate_limit = message.rate_limit_settings.map(|settings| RateLimit {
        max_tokens: settings.max_tokens.unwrap_or(100),
        fill_rate: settings.fill_rate.unwrap_or(10.0),
    });
    Some(ApiConfig {
        delta,
        services,
        set_node_on_first_message_only: message.set_node_on_first_message_only,
        rate_limit,
        back_off_base: back_off.0,
        back_off_max: back_off.1,
        origin,
    })
}

fn service(context: &mut Context<'_>, message: proto::GrpcService, asker: Asker) -> Option<GrpcService> {
    let service = grpc_service(message);
    for (index, (key, _)) in service.initial_metadata.iter().enumerate() {
        if key.starts_with(':') || key.eq_ignore_ascii_case("host") {
            let text = ":-prefixed or host headers may not be modified";
            context.error_at(&format!("initial_metadata[{index}]"), text);
        }
    }
    // Whatever else was said there was refused.
    let GrpcTarget::Envoy(target) = &service.target else { return None };
    let name = &target.cluster_name;
    // With something missing, what is missing may be the cluster.
    if !context.surroundings.primary_clusters.contains(name) && !context.report.has_errors() {
        let text = match asker {
            Asker::Ads => format!("Unknown gRPC client cluster '{name}': it must be static, and without EDS"),
            Asker::Single => format!(
                "envoy.config.core.v3.ApiConfigSource must have a statically defined non-EDS cluster: '{name}' does not \
                 exist, was added via api, or is an EDS cluster"
            ),
        };
        context.field("envoy_grpc", |context| context.error_at("cluster_name", text));
    }
    Some(service)
}

/// The waits between streams, which Envoy takes from the policy inside of `envoy_grpc`, and from that alone.
fn stream_back_off(context: &mut Context<'_>, message: &proto::GrpcService) -> Option<(Duration, Duration)> {
    let Some(TargetSpecifier::EnvoyGrpc(service)) = &message.target_specifier else { return None };
    let back_off = service.retry_policy.as_ref()?.retry_back_off.as_ref()?;
    context.field("envoy_grpc.retry_policy.retry_back_off", |context| {
        let base = context.duration("base_interval", back_off.base_interval)?;
        let max = context.duration("max_interval", back_off.max_interval).unwrap_or(base.saturating_mul(10));
        if max < base {
            context.error("max_interval must be greater than or equal to the base_interval");
        }
        Some((base, max))
    })
}
