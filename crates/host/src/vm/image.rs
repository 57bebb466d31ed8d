//! What the instances of single streams begin from: a VM that has been started and configured, guest and host.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_vm::{Engine, LoadError, Module};

use super::base::InstanceClaim;
use super::context::{Context, RootState};
use super::expressions::{ExpressionTexts, Expressions};
use super::instance::Vm;
use super::spares::Spares;
use super::state::VmState;
use crate::shared::metrics::Metric;
use crate::{Plugin, VmHost};

/// A configured VM, to be had again and again. Shared by all threads.
pub(crate) struct StreamImage {
    module: Arc<dyn Module<VmHost>>,
    /// The id of its root context.
    root: u32,
    /// Metrics by the guest's ids.
    metrics: [Vec<Arc<Metric>>; 3],
    expressions: ExpressionTexts,
}

impl StreamImage {
    /// Of `vm`, whose only root context is `root`.
    pub(crate) fn of(vm: &Vm, root: &Context, engine: &dyn Engine<VmHost>) -> Result<Self, LoadError> {
        let module = engine.compile_image(&vm.image()?)?;
        let expressions = root.as_root().map(|root| root.expressions.borrow().texts()).unwrap_or_default();
        Ok(Self { module, root: root.id, metrics: vm.state.metrics.borrow().clone(), expressions })
    }

    /// What instances of it are made of.
    pub(crate) fn module(&self) -> &Arc<dyn Module<VmHost>> {
        &self.module
    }

    /// The expressions as a thread's VMs have them.
    pub(crate) fn expressions(&self, environment: &sandgate_expression::Environment) -> Expressions {
        Expressions::of(&self.expressions, environment)
    }

    /// A VM for one stream, beside that of its thread, `beside`; and its root context.
    pub(crate) fn vm(
        &self,
        (beside, spares): (&VmState, &Spares),
        plugin: &Arc<Plugin>,
        root: &Context,
        expressions: &Expressions,
        claim: InstanceClaim,
    ) -> Result<(Rc<Vm>, Rc<Context>), LoadError> {
        let state = VmState::for_stream(beside, self.metrics.clone(), self.root);
        let vm = Vm::from_image(Rc::clone(&state), &self.module, spares, claim)?;
        let Some(RootState { meter, .. }) = root.as_root() else {
            return Err(LoadError::NotImageable("its plugin has no root context".to_owned()));
        };
        let own = Context::root(self.root, Arc::clone(plugin), Arc::clone(meter));
        own.declared.replace(root.declared.borrow().clone());
        if let Some(own) = own.as_root() {
            own.expressions.replace(expressions.clone());
        }
        state.add(&own);
        Ok((vm, own))
    }
}
