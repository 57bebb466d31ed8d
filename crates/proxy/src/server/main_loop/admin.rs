//! The admin interface, as the main loop starts it.

use std::sync::Arc;

use sandgate_config::model::GlobalConnectionLimit;
use sandgate_matcher::StringMatcher;
use tokio::sync::mpsc::UnboundedSender;

use super::{MainCommand, Shared, listening};
use crate::admin::{AdminAction, AdminContext, ListenerViews, ResourceViews, SecretViews};
use crate::global_connections::ConnectionGate;
use crate::listener::BoundListener;
use crate::listener_tls::TlsContexts;
use crate::resource_status::ResourceStatuses;
use crate::server::network::admin_listener;
use crate::server::plugins::{Running, running_log_plugins};
use crate::server::thread::{LocalWorker, listen};
use crate::server::{ServerOptions, StartError};

/// Begins to answer on `bound`. Plugins among its access logs are those of `running`.
pub(super) fn start(
    bound: BoundListener,
    (listeners, tls): (&Arc<ListenerViews>, &Arc<TlsContexts>),
    (routes, extensions, secrets): (&Arc<ResourceViews>, &Arc<ResourceViews>, &Arc<SecretViews>),
    statuses: &Arc<ResourceStatuses>,
    (shared, options): (&Shared, &ServerOptions),
    (local, running): (&LocalWorker, &Running),
    to_main: UnboundedSender<MainCommand>,
) -> Result<(), StartError> {
    log::info!(target: "admin", "admin address: {}", bound.address);
    let mut context = AdminContext::new(Arc::clone(&options.stats), Arc::clone(&options.lifecycle));
    context.stats_flush_on_admin = shared.bootstrap.stats_flush_on_admin;
    context.runtime = Arc::clone(&shared.runtime);
    let drain = Arc::clone(&shared.drain);
    context.act = Box::new(move |action| {
        // A drain has begun when its request is answered.
        let begun = match action {
            AdminAction::Drain { direction, .. } => drain.start(direction),
            AdminAction::FlushStats => false,
        };
        // A main loop that is gone does nothing any more.
        let _ = to_main.send(MainCommand::Admin(action, begun));
    });
    let allowed = shared.bootstrap.admin.iter().flat_map(|admin| &admin.allow_paths);
    context.allow_paths = allowed.map(StringMatcher::new).collect();
    context.clusters = Some(Arc::clone(&shared.clusters));
    context.bootstrap = shared.bootstrap.serialized.clone();
    context.host = Some(Arc::clone(&options.host));
    context.logging.clone_from(&options.logging);
    context.command_line = options.command_line.clone();
    context.node = shared.bootstrap.node.serialized.clone();
    context.node_id = shared.bootstrap.node.id.clone();
    context.node_cluster = shared.bootstrap.node.cluster.clone();
    context.tls = Arc::clone(tls);
    context.listeners = Arc::clone(listeners);
    context.routes = Arc::clone(routes);
    context.extensions = Arc::clone(extensions);
    context.secrets = Arc::clone(secrets);
    context.statuses = Arc::clone(statuses);
    let logs = shared.bootstrap.admin.as_ref().map(|admin| admin.access_logs.clone()).unwrap_or_default();
    local.worker.logs.set_plugins(Some(running_log_plugins(running)));
    let hcm = crate::server::hcm::build_admin(&Arc::new(context), logs, &local.worker, &options.stats);
    local.worker.logs.set_plugins(None);
    let ignores = shared.bootstrap.admin.as_ref().is_some_and(|admin| admin.ignore_global_conn_limit);
    let limit = if ignores { GlobalConnectionLimit::Ignored } else { GlobalConnectionLimit::RuntimeOnly };
    let admin = admin_listener(hcm, ConnectionGate::new(&shared.connections, limit), &options.stats);
    listening(&bound)?.into_iter().for_each(|socket| drop(listen(&local.worker, &admin, socket)));
    Ok(())
}
