//! Rings as Envoy 1.40 logs them at level trace: hashes, and the last digit of the port of their host.

use sandgate_config::model::{ConsistentHashing, HashFunction, RingHash};

use super::*;
use crate::Host;
use crate::testing::{host, named_hosts};

#[rustfmt::skip]
const EQUAL: &[(u64, u16)] = &[(225907725381841718, 2), (577505119821433350, 1), (1391501482633720728, 3), (2459493617255361018, 2), (5727794392528207221, 2), (5863913735300052832, 2), (6736470265144440734, 1), (7321936068037690688, 2), (7552075992202405282, 2), (7722549393594455493, 3), (8051529977315055302, 3), (8615928864634817592, 3), (11664790346325243808, 1), (12929484997749302086, 1), (13256362906531707967, 1), (15022585517285029600, 3), (16523473171515817504, 3), (18443655731943241697, 1)];
#[rustfmt::skip]
const MURMUR: &[(u64, u16)] = &[(3835933873976580061, 2), (4572405945980984044, 3), (5652476137409510948, 1), (6485322817840085539, 2), (7274862565666256659, 2), (7330464569823235057, 2), (7356201799229452579, 1), (7959972497050749606, 3), (8345528968672789593, 1), (8923099004945408620, 2), (10413749546657064822, 3), (11067106583014169388, 3), (11627405599773994582, 2), (13236459849665674641, 2), (14081601601648919424, 2), (14633066087132413815, 3), (15664509470213307328, 3), (16485711740152525593, 2)];
#[rustfmt::skip]
const SMALL: &[(u64, u16)] = &[(3198704166450273095, 3), (7786431084199637453, 2), (12199133251324104763, 2), (12296355637808250580, 1), (16241804251259683239, 2), (16645270420252111935, 3)];

fn ring(hosts: &[std::sync::Arc<Host>], config: &RingHash) -> Ring {
    let sum: u32 = hosts.iter().map(|host| host.weight).sum();
    let weights = hosts.iter().enumerate().map(|(i, host)| (i, f64::from(host.weight) / f64::from(sum))).collect();
    let key = |index: usize| {
        let host: &Host = &hosts[index];
        let names = config.hashing.use_hostname_for_hashing;
        Some(match (host.hash_key.as_str(), names) {
            ("", true) => host.hostname.to_string(),
            ("", false) => host.address().to_string(),
            (key, _) => key.to_owned(),
        })
    };
    Ring::new(&weights, config, key)
}

fn ports(ring: &Ring, hosts: &[std::sync::Arc<Host>]) -> Vec<(u64, u16)> {
    ring.ring.iter().map(|(hash, index)| (*hash, hosts[*index].address().port())).collect()
}

#[test]
fn rings_are_envoys() {
    let config = RingHash { minimum_ring_size: 16, ..RingHash::default() };
    let equal = vec![host(1, 1), host(2, 1), host(3, 1)];
    assert_eq!(ports(&ring(&equal, &config), &equal), EQUAL);
    let murmur = RingHash { hash_function: HashFunction::MurmurHash2, ..config };
    let named = named_hosts();
    assert_eq!(ports(&ring(&named, &murmur), &named), MURMUR);
    let small = RingHash {
        minimum_ring_size: 4,
        maximum_ring_size: 7,
        hashing: ConsistentHashing {
            use_hostname_for_hashing: true,
            hash_balance_factor: 0,
            ..ConsistentHashing::default()
        },
        ..RingHash::default()
    };
    let small = ring(&named, &small);
    assert_eq!(ports(&small, &named), SMALL);
    assert_eq!(small.stats(), TableStats { size: 6, min_per_host: 1, max_per_host: 3 });
}

#[test]
fn a_hash_goes_to_the_next_on_the_ring() {
    let config = RingHash { minimum_ring_size: 16, ..RingHash::default() };
    let hosts = vec![host(1, 1), host(2, 1), host(3, 1)];
    let ring = ring(&hosts, &config);
    let first = EQUAL[0].0;
    for (hash, attempt, place) in
        [(0, 0, 0), (first, 0, 0), (first + 1, 0, 1), (u64::MAX, 0, 0), (EQUAL[17].0, 0, 17), (EQUAL[17].0, 1, 0)]
    {
        let chosen = ring.choose(hash, attempt).map(|index| hosts[index].address().port());
        assert_eq!(chosen, Some(EQUAL[place].1), "{hash} {attempt}");
    }
    assert_eq!(Ring::default().choose(1, 0), None);
}
