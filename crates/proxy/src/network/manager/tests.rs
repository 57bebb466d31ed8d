#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::cell::RefCell;
use std::time::Instant;

use sandgate_filter::ConnectionInfo;

use super::*;
use crate::network::CloseType;

type Log = Rc<RefCell<Vec<String>>>;

/// Notes what it is shown, and does what its script says the next time: `stop`, `close`, `go on` (it asks to), `take`.
struct Scripted {
    name: &'static str,
    log: Log,
    script: Rc<RefCell<Vec<&'static str>>>,
    callbacks: NetworkCallbacks,
    inside: bool,
}

impl Scripted {
    fn step(&mut self, what: String, data: Option<&mut BytesMut>) -> NetworkStatus {
        assert!(!std::mem::replace(&mut self.inside, true), "entered twice");
        self.log.borrow_mut().push(format!("{} {what}", self.name));
        let mut script = self.script.borrow_mut();
        let step = if script.is_empty() { "" } else { script.remove(0) };
        drop(script);
        match step {
            "close" => self.callbacks.connection().close(CloseType::FlushWrite, ""),
            "go on" => self.callbacks.continue_reading(),
            "take" => data.unwrap().clear(),
            _ => {}
        }
        self.inside = false;
        if ["stop", "go on"].contains(&step) { NetworkStatus::Stop } else { NetworkStatus::Continue }
    }
}

impl NetworkFilter for Scripted {
    fn on_new_connection(&mut self) -> NetworkStatus {
        self.step("new".to_owned(), None)
    }

    fn on_data(&mut self, data: &mut BytesMut, end_stream: bool) -> NetworkStatus {
        self.step(format!("read {} {end_stream}", String::from_utf8_lossy(data)), Some(data))
    }

    fn on_write(&mut self, data: &mut BytesMut, end_stream: bool) -> NetworkStatus {
        self.step(format!("write {} {end_stream}", String::from_utf8_lossy(data)), Some(data))
    }

    fn writes(&self) -> bool {
        true
    }

    fn on_event(&mut self, event: ConnectionEvent) {
        let _ = self.step(format!("{event:?}"), None);
    }
}

/// A manager of filters with these scripts, named `a`, `b`, ….
fn manager(scripts: &[&[&'static str]]) -> (FilterManager, Log) {
    let log = Log::default();
    let handle = ConnectionHandle::of(&Rc::new(ConnectionInfo::default()), Instant::now());
    let factories: Vec<NetworkFilterFactory> = ["a", "b", "c"]
        .into_iter()
        .zip(scripts)
        .map(|(name, script)| {
            let (log, script) = (Rc::clone(&log), Rc::new(RefCell::new(script.to_vec())));
            let make = move |callbacks| {
                let (log, script) = (Rc::clone(&log), Rc::clone(&script));
                Box::new(Scripted { name, log, script, callbacks, inside: false }) as Box<dyn NetworkFilter>
            };
            Box::new(make) as NetworkFilterFactory
        })
        .collect();
    (FilterManager::new(&handle, &factories), log)
}

fn read(manager: &mut FilterManager, data: &str) {
    manager.input().extend_from_slice(data.as_bytes());
    manager.on_read(false);
}

fn write(manager: &mut FilterManager, data: &str) {
    manager.written().extend_from_slice(data.as_bytes());
    manager.write(false);
}

fn taken(log: &Log) -> Vec<String> {
    log.take()
}

#[test]
fn filters_learn_of_the_connection_one_by_one() {
    let (mut manager, log) = manager(&[&["stop"], &[]]);
    manager.initialize();
    assert_eq!(taken(&log), ["a new"]);
    assert!(!manager.is_initialized());
    NetworkCallbacks::new(&Rc::clone(manager.handle()), 0).continue_reading();
    manager.settle();
    assert_eq!(taken(&log), ["b new"]);
    assert!(manager.is_initialized());
}

#[test]
fn stopped_bytes_are_seen_again() {
    let (mut manager, log) = manager(&[&[], &["", "stop", "stop"]]);
    manager.initialize();
    taken(&log);
    read(&mut manager, "one");
    assert_eq!(taken(&log), ["a read one false", "b read one false"]);
    read(&mut manager, "two");
    assert_eq!(taken(&log), ["a read onetwo false", "b read onetwo false"]);
    assert!(manager.passed().0.is_empty());
    read(&mut manager, "!");
    assert_eq!(manager.passed().0.split(), "onetwo!");
}

#[test]
fn a_filter_that_goes_on_is_not_entered_again() {
    let (mut manager, log) = manager(&[&["", "go on"], &["", "take"], &[]]);
    manager.initialize();
    taken(&log);
    read(&mut manager, "x");
    // What the second one has taken the third one does not see.
    assert_eq!(taken(&log), ["a read x false", "b read x false"]);
    assert!(manager.passed().0.is_empty());
}

#[test]
fn writes_pass_in_reverse_order() {
    let (mut manager, log) = manager(&[&["", "stop"], &[]]);
    manager.initialize();
    taken(&log);
    write(&mut manager, "one");
    assert_eq!(taken(&log), ["b write one false", "a write one false"]);
    assert!(manager.output().0.is_empty());
    write(&mut manager, "two");
    assert_eq!(taken(&log), ["b write onetwo false", "a write onetwo false"]);
    assert_eq!(manager.output().0.split(), "onetwo");
}

#[test]
fn after_a_close_there_is_only_the_end() {
    let (mut manager, log) = manager(&[&["", "close"], &[]]);
    manager.initialize();
    taken(&log);
    read(&mut manager, "x");
    read(&mut manager, "y");
    assert_eq!(taken(&log), ["a read x false"]);
    manager.raise(ConnectionEvent::LocalClose);
    manager.raise(ConnectionEvent::RemoteClose);
    assert_eq!(taken(&log), ["a LocalClose", "b LocalClose"]);
}

#[test]
fn what_was_written_before_a_close_goes_out() {
    let (mut manager, log) = manager(&[&[]]);
    manager.initialize();
    let handle = Rc::clone(manager.handle());
    handle.write(BytesMut::from("bye"), false);
    handle.close(CloseType::FlushWrite, "");
    manager.settle();
    assert_eq!(taken(&log), ["a new", "a write bye false"]);
    assert_eq!(manager.output().0.split(), "bye");
}
