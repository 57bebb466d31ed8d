//! Plugins as they come: compiled, tried out, and known as long as they live.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use sandgate_vm::LoadError;

use super::Host;
use crate::keys::VmKey;
use crate::meter::Meter;
use crate::modules::{CompileAhead, Compiled};
use crate::plugin::log_load_failure;
use crate::shared::space::locked;
use crate::vm::base::{BaseVm, VmCount};
use crate::vm::image::StreamImage;
use crate::vm::instance::Vm;
use crate::vm::state::VmState;
use crate::vm::timers::Timers;
use crate::worker_host::start_root;
use crate::{Environment, Isolation, Plugin, PluginConfig, PluginError, PluginErrorCause, VmConfig};

impl Host {
    /// Compiles the module, and tries the configuration in a VM of its own, which is then thrown away. Call on the main
    /// thread, before any worker asks for a handle.
    ///
    /// What the trial does to shared data, queues and metrics stays (as in Envoy).
    ///
    /// # Errors
    /// Whatever Envoy refuses a configuration for, whichever its failure policy; the lines that Envoy logs then have
    /// been logged, but for the last one, `Unable to create Wasm plugin <name>`.
    pub fn load(
        self: &Arc<Self>,
        config: Arc<PluginConfig>,
        env: Rc<dyn Environment>,
    ) -> Result<Arc<Plugin>, PluginError> {
        self.try_load(&config, env).map_err(|cause| {
            cause.log(self);
            if !matches!(cause, PluginErrorCause::NoCode) {
                log_load_failure(&config, &mut |level, line| self.note(level, line));
            }
            PluginError { plugin: config.name.clone(), cause }
        })
    }

    /// Begins to compile, on other threads, modules that [`Self::load`] will ask for, in their order: each runtime with the code for it.
    /// Equal modules are compiled once. A load waits for its module alone, and is told of a failure as if it had compiled it itself.
    ///
    /// They are kept until this is dropped, and then as long as plugins use them.
    ///
    /// What gives the code is called twice, here and on the thread that compiles it; no code, or another one then, is left alone.
    #[must_use]
    pub fn compile_ahead<R: Fn() -> Bytes + Send + 'static>(
        &self,
        modules: impl IntoIterator<Item = (String, R)>,
    ) -> CompileAhead<'_> {
        self.modules.compile_ahead(modules, &*self.log)
    }

    fn try_load(
        self: &Arc<Self>,
        config: &Arc<PluginConfig>,
        env: Rc<dyn Environment>,
    ) -> Result<Arc<Plugin>, PluginErrorCause> {
        if config.vm.code.is_empty() {
            return Err(PluginErrorCause::NoCode);
        }
        let base = self.base(&config.vm, &env)?;
        let reloads = Arc::clone(locked(&self.reloads).entry(config.name.clone()).or_default());
        let plugin = Plugin::new(Arc::new(config.kept()), base, reloads);
        self.refuse_to_share(&plugin)?;
        self.try_out(&plugin, env)?;
        let mut plugins = locked(&self.plugins);
        plugins.retain(|plugin| plugin.strong_count() > 0);
        plugins.push(Arc::downgrade(&plugin));
        let living: Vec<_> = plugins.iter().filter_map(Weak::upgrade).collect();
        drop(plugins);
        self.forget_all_but(&living);
        Ok(plugin)
    }

    /// The living base VM of this key, or a new one. Its start functions run, as they do in Envoy, where a guest's log
    /// shows them.
    fn base(self: &Arc<Self>, config: &VmConfig, env: &Rc<dyn Environment>) -> Result<Arc<BaseVm>, PluginErrorCause> {
        let key = VmKey::of(config);
        if let Some(base) = locked(&self.bases).get(&key).and_then(Weak::upgrade) {
            return Ok(base);
        }
        self.modules.engine(&config.runtime, &*self.log)?;
        let counts = self.counts(&config.runtime);
        // Envoy makes the VM first, and the code is then not for it.
        let compiled = self.modules.get(config, &*self.log).inspect_err(|_| drop(VmCount::new(&counts)))?;
        let Compiled { module, engine, code } = compiled;
        let base = Arc::new(BaseVm {
            key,
            module,
            engine,
            code,
            module_bytes: config.code.len(),
            config: config.kept(),
            space: self.spaces.open(&config.vm_id),
            canaries: Mutex::default(),
            instances: Arc::default(),
            _counted: VmCount::new_base(&counts),
            counts,
        });
        Vm::start(VmState::new(
            Arc::clone(self),
            Rc::clone(env),
            Arc::clone(&base),
            Rc::default(),
            std::sync::Weak::new(),
        ))?;
        let mut bases = locked(&self.bases);
        bases.retain(|_, base| base.strong_count() > 0);
        bases.insert(key, Arc::downgrade(&base));
        Ok(base)
    }

    /// Envoy's canary: a VM that is started and configured, and then dropped without `proxy_on_done`.
    fn try_out(self: &Arc<Self>, plugin: &Arc<Plugin>, env: Rc<dyn Environment>) -> Result<(), PluginErrorCause> {
        let base = &plugin.base;
        let known = locked(&base.canaries).get(&plugin.key).copied();
        match known {
            Some(true) if base.config.isolation == Isolation::Vm => return Ok(()),
            // The image needs a VM.
            Some(true) => {}
            Some(false) => return Err(PluginErrorCause::Configure { worker: false, fault: None }),
            None => {}
        }
        let timers = Rc::<Timers>::default();
        let state = VmState::new(Arc::clone(self), env, Arc::clone(base), timers, std::sync::Weak::new());
        let vm = Vm::start(state)?;
        let result = start_root(&vm, plugin, &Meter::new(String::new()), false);
        if matches!(result, Ok(_) | Err(PluginErrorCause::Configure { .. })) {
            locked(&base.canaries).insert(plugin.key, result.is_ok());
        }
        let root = result?;
        if base.config.isolation == Isolation::Stream {
            let engine = self.modules.engine(&base.config.runtime, &*self.log)?;
            // A plugin is tried once.
            let _ = plugin.image.set(StreamImage::of(&vm, &root, &**engine)?);
        }
        Ok(())
    }

    /// With isolation of streams, plugins cannot meet in a VM: no two of one VM key but versions of the same one.
    fn refuse_to_share(&self, plugin: &Plugin) -> Result<(), PluginErrorCause> {
        if plugin.base.config.isolation == Isolation::Vm {
            return Ok(());
        }
        let names = |plugin: &Plugin| (plugin.config().name.clone(), plugin.config().root_id.clone());
        let plugins = locked(&self.plugins);
        let other = plugins
            .iter()
            .filter_map(Weak::upgrade)
            .find(|other| other.base.key == plugin.base.key && names(other) != names(plugin));
        other.map_or(Ok(()), |other| {
            let with = format!("its VM would be shared with plugin {:?}; give it another vm_id", other.name());
            Err(LoadError::NotImageable(with).into())
        })
    }

    /// What was counted of plugins that are gone goes, too.
    fn forget_all_but(&self, living: &[Arc<Plugin>]) {
        let keys: HashSet<_> = living.iter().map(|plugin| (plugin.base.key, plugin.key)).collect();
        locked(&self.meters).retain(|key, meter| Arc::strong_count(meter) > 1 || keys.contains(&(key.0, key.1)));
        locked(&self.reloads).retain(|_, counts| Arc::strong_count(counts) > 1);
    }
}
