#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_stats::{StatsQuery, StatsStore};

// A query of `/stats` is answered or refused with a reason.
fuzz_target!(|input: Vec<(&str, &str)>| {
    let query = StatsQuery::parse(input.iter().map(|(name, value)| (*name, (*value).to_owned())));
    match query {
        Ok(query) => {
            let store = StatsStore::new();
            let _ = query.render(&store);
            if let Ok(query) = query.prometheus() {
                let _ = query.render(&store);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
