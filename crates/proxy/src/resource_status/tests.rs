#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use sandgate_xds::Resource;

use super::*;

fn names(names: &[&str]) -> Names {
    Names::Set(names.iter().map(|name| (*name).to_owned()).collect())
}

fn update(version: &str, names: &[&str]) -> Update {
    let kind = ResourceType::Listener;
    let resource = |name: &&str| Resource {
        name: (*name).to_owned(),
        version: String::new(),
        body: None,
        type_url: kind.type_url().to_owned(),
        ttl: None,
    };
    let resources = names.iter().map(resource).collect();
    Update { resource_type: kind, version: version.to_owned(), resources, removed: Vec::new(), is_delta: false }
}

/// Name, state, the version taken, the version refused and why.
fn lines(all: &ResourceStatuses) -> Vec<String> {
    let line = |(_, name, status): (ResourceType, String, ResourceStatus)| {
        let taken = status.taken.map(|(version, _)| version).unwrap_or_default();
        let refused = status.refused.map(|refused| format!(" {} {}", refused.version, refused.details));
        format!("{name} {} {taken}{}", status.state.name(), refused.unwrap_or_default())
    };
    all.get().into_iter().map(line).collect()
}

#[test]
fn what_is_asked_for_comes_or_does_not() {
    let all = Arc::<ResourceStatuses>::default();
    let status = all.subscribe(ResourceType::Listener, &names(&["a", "b"]));
    assert_eq!(lines(&all), ["a REQUESTED ", "b REQUESTED "]);
    status.told(&update("1", &["a"]), &Ok(()));
    status.timed_out();
    assert_eq!(lines(&all), ["a ACKED 1", "b TIMEOUT "]);
    let gone = Update { removed: vec!["a".to_owned()], is_delta: true, ..update("", &[]) };
    status.told(&gone, &Ok(()));
    assert_eq!(lines(&all), ["a DOES_NOT_EXIST ", "b TIMEOUT "]);
    drop(status);
    assert!(lines(&all).is_empty());
}

#[test]
fn a_refusal_is_of_those_that_it_names_and_else_of_all() {
    let all = Arc::<ResourceStatuses>::default();
    let status = all.subscribe(ResourceType::Listener, &Names::Wildcard);
    status.told(&update("1", &["a", "b"]), &Ok(()));
    status.told(&update("2", &["a", "b"]), &Err("b: no".to_owned()));
    assert_eq!(lines(&all), ["a ACKED 2", "b NACKED 1 2 b: no"]);
    status.told(&update("3", &["a", "b"]), &Err("nothing fits".to_owned()));
    assert_eq!(lines(&all), ["a NACKED 2 3 nothing fits", "b NACKED 1 3 nothing fits"]);
    status.refused("", "no message");
    assert_eq!(lines(&all), ["a NACKED 2  no message", "b NACKED 1  no message"]);
    // All that there are, so that the other is gone.
    status.told(&update("4", &["b"]), &Ok(()));
    assert_eq!(lines(&all), ["b ACKED 4"]);
}

#[test]
fn two_may_want_one_name() {
    let all = Arc::<ResourceStatuses>::default();
    let (one, other) =
        (all.subscribe(ResourceType::Route, &names(&["r"])), all.subscribe(ResourceType::Route, &names(&["r"])));
    one.told(&update("1", &["r"]), &Ok(()));
    assert_eq!(lines(&all), ["r ACKED 1", "r REQUESTED "]);
    drop(one);
    assert_eq!(lines(&all), ["r REQUESTED "]);
    drop(other);
}
