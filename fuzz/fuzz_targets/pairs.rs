#![no_main]

use libfuzzer_sys::fuzz_target;
use sandgate_abi::pairs;

fuzz_target!(|data: &[u8]| {
    let Ok(map) = pairs::decode(data) else { return };
    let decoded: Vec<_> = map.collect();
    assert!(decoded.len() <= pairs::MAX_PAIRS);
    let list = decoded.iter().copied();
    let mut encoded = Vec::new();
    pairs::encode(list.clone(), &mut encoded);
    assert_eq!(encoded.len(), pairs::encoded_len(list));
    // The empty map has several forms.
    if !decoded.is_empty() {
        assert_eq!(encoded, data);
    }
    assert!(pairs::decode(&encoded).expect("what was written can be read").eq(decoded));
});
