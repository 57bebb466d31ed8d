//! A network filter that counts the commands of Redis clients: the counter `redis_commands`, and one for each command,
//! such as `redis_commands_get`.

mod commands;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use proxy_wasm::hostcalls::{define_metric, increment_metric};
use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, MetricType, Status};

use self::commands::Commands;

/// Counters of commands of their own; whatever clients make up counts in `redis_commands` alone.
const MAX_COUNTERS: usize = 64;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { counters: Rc::default() }));
}}

/// The ids of metrics, by name.
#[derive(Default)]
struct Counters(RefCell<HashMap<String, u32>>);

struct Root {
    counters: Rc<Counters>,
}

struct Connection {
    counters: Rc<Counters>,
    commands: Commands,
}

impl Counters {
    fn count(&self, command: &str) -> Result<(), Status> {
        self.add("redis_commands".to_owned())?;
        if self.0.borrow().len() <= MAX_COUNTERS {
            self.add(format!("redis_commands_{command}"))?;
        }
        Ok(())
    }

    fn add(&self, name: String) -> Result<(), Status> {
        let known = self.0.borrow().get(&name).copied();
        let id = match known {
            Some(id) => id,
            None => {
                let id = define_metric(MetricType::Counter, &name)?;
                self.0.borrow_mut().insert(name, id);
                id
            }
        };
        increment_metric(id, 1)
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn create_stream_context(&self, _context: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Connection { counters: Rc::clone(&self.counters), commands: Commands::default() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }
}

impl Context for Connection {}

// A metric that the host refuses to change is no reason to keep a command from the server.
impl StreamContext for Connection {
    fn on_downstream_data(&mut self, size: usize, _end_of_stream: bool) -> Action {
        if self.commands.skips(size) {
            return Action::Continue;
        }
        if let Some(data) = self.get_downstream_data(0, size) {
            let counters = &self.counters;
            self.commands.read(&data, |command| {
                let _ = counters.count(command);
            });
        }
        Action::Continue
    }
}
