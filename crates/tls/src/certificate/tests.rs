//! Certificates of `testdata`, with what Envoy 1.40 logged of each.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::*;

fn info(pem: &[u8]) -> CertificateInfo {
    certificate_info(&CertificateDer::from_pem_slice(pem).unwrap())
}

#[test]
fn names_are_escaped_and_sorted_by_kind() {
    let info = info(include_bytes!("../../testdata/names.pem"));
    assert_eq!(
        info.subject,
        r#"serialNumber=77,DC=ex,UID=u1,emailAddress=x@y,CN=a\,b,OU=\ space\ ,OU=\#lead,O=\C3\9Cbel \"q\" \<x\>,C=DE"#
    );
    assert_eq!(info.issuer, r"CN=Test CA,O=Acme\, Inc.,C=US");
    assert_eq!(info.serial, "0a");
    assert_eq!(info.uri_sans, ["spiffe://cluster/ns/a;b=c", "http://x/q"]);
    assert_eq!(info.dns_sans, ["client.example.com", "alt.example.com"]);
    assert_eq!(info.ip_sans, ["10.0.0.1", "2001:db8::1"]);
    assert_eq!(info.email_sans, ["me@example.com"]);
    assert_eq!(info.othername_sans, ["other thing", "u@x"]);
    assert_eq!(info.sha256, "52f89966f514f4ef6eb9f7555b39ebaf9a8a2c5a72faa6a7f6567db3e80830a0");
    assert_eq!(info.sha1, "c725585dbd45317dca7c7f4cabdc4306cde9c4eb");
    assert_eq!((info.not_before, info.not_after), (1_795_355_686, 4_948_955_686));
}

#[test]
fn attributes_without_a_name_are_dumped() {
    let info = info(include_bytes!("../../testdata/attributes.pem"));
    assert_eq!(
        info.subject,
        "CN=x,host=35,roleOccupant=34,physicalDeliveryOfficeName=33,2.5.4.98=#1303303332,houseIdentifier=31,\
         userCertificate=30,1.2.3.4.5=#0C023239,unstructuredAddress=28,unstructuredName=27,emailAddress=26,mail=25,DC=24,\
         UID=23,1.3.6.1.4.1.311.60.2.1.3=#13023232,1.3.6.1.4.1.311.60.2.1.2=#0C023231,1.3.6.1.4.1.311.60.2.1.1=#0C023230,\
         dmdName=19,role=18,serialNumber=17,name=16,postalAddress=15,postOfficeBox=14,telephoneNumber=13,pseudonym=12,\
         dnQualifier=11,x500UniqueIdentifier=10,generationQualifier=09,SN=08,initials=07,GN=06,description=05,title=04,\
         street=03,postalCode=02,businessCategory=01,2.5.4.97=#0C023030"
    );
    assert_eq!(info.serial, "80ff");
}

#[test]
fn other_names_of_all_types() {
    let info = info(include_bytes!("../../testdata/other-names.pem"));
    assert_eq!(
        info.othername_sans,
        [
            "true",
            "-77",
            "5",
            "1.2.3.4",
            "",
            "\0\u{fffd}A",
            "ia",
            "bmp",
            "uni",
            "ABC",
            "260101000000Z",
            "20260101000000Z",
            "0\u{3}\u{c}\u{1}x",
            "2.5.4.3",
            "99999999999999999999999"
        ]
    );
    assert_eq!(info.subject, r"OU=\#x,O=\ lead #,CN=t\,x");
    assert_eq!(info.serial, "0");
}

#[test]
fn what_is_no_certificate_has_digests_alone() {
    let info = certificate_info(b"no certificate");
    assert_eq!((info.subject, info.serial), (String::new(), String::new()));
    assert_eq!((info.sha256.len(), info.sha1.len()), (64, 40));
}

#[test]
fn no_byte_of_a_certificate_can_do_harm() {
    let der = CertificateDer::from_pem_slice(include_bytes!("../../testdata/other-names.pem")).unwrap();
    for index in 0..der.len() {
        for bit in [1, 0x80] {
            let mut changed = der.to_vec();
            if let Some(byte) = changed.get_mut(index) {
                *byte ^= bit;
            }
            assert_eq!(certificate_info(&changed).der, changed);
        }
        assert_eq!(certificate_info(der.get(..index).unwrap()).der.len(), index);
    }
}
