#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_abi::property_path;

fuzz_target!(|data: &[u8]| {
    let segments: Vec<_> = property_path::segments(data).collect();
    assert!(segments.iter().all(|segment| !segment.contains(&0)));
    // Nothing but the NULs between and behind them is lost.
    let joined = segments.join(&0);
    assert!(data == joined || data == [&joined[..], &[0]].concat());
    let mut walk = property_path::segments(data);
    while walk.next().is_some() {
        assert!(data.ends_with(walk.rest()));
    }
});
