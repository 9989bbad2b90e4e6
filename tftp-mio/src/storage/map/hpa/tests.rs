use std::net::IpAddr;

use tftp_core::{ErrorCode, Mode};

use super::*;
use crate::storage::{
    Denied, Wanted,
    map::{Map, Style},
};

const READ: tftp_core::Operation = tftp_core::Operation::Read;
const WRITE: tftp_core::Operation = tftp_core::Operation::Write;

/// What the rules make of a name that a client asks to read.
fn mapped(rules: &str, name: impl AsRef<[u8]>) -> Result<String, Denied> {
    mapped_for(rules, READ, "192.0.2.169", name.as_ref())
}

fn mapped_for(
    rules: &str,
    operation: tftp_core::Operation,
    client: &str,
    name: &[u8],
) -> Result<String, Denied> {
    let rules = read(rules.as_bytes(), false).expect("rules");
    let client: IpAddr = client.parse().expect("an address");
    let wanted = Wanted {
        client,
        operation,
        name,
        mode: Mode::Octet,
        announced: None,
        listener: None,
        file: None,
    };
    let mut names = Map { rules, style: Style::Raw }.apply(&wanted)?;
    assert_eq!(names.len(), 1);
    Ok(String::from_utf8(names.remove(0)).expect("text"))
}

/// The sample that tftp-hpa comes with, word by word.
#[test]
fn the_sample_of_tftp_hpa() {
    let sample = "\
        ri\t^[a-z]:\t\t\t\t# Remove \"drive letters\"\n\
        rg\t\\\\\t\t/\t\t# Convert backslashes to slashes\n\
        rg\t\\#\t\t@\t\t# Convert hash marks to @ signs\n\
        rg\t/../\t\t/..no../\t# Convert /../ to /..no../\n\
        e\t^ok/\t\t\t\t# These are always ok\n\
        r\t^[^/]\t\t/tftpboot/\\0\t# Convert non-absolute files\n\
        a\t\\.pvt$\t\t\t\t# Reject requests for private files\n";
    let name = |name: &str| mapped(sample, name);
    assert_eq!(name("pxelinux.0").as_deref(), Ok("/tftpboot/pxelinux.0"));
    assert_eq!(name(r"C:\Boot\BCD").as_deref(), Ok("/Boot/BCD"));
    assert_eq!(name("a#b").as_deref(), Ok("/tftpboot/a@b"));
    assert_eq!(name("ok/x.pvt").as_deref(), Ok("ok/x.pvt"));
    assert_eq!(name("x.pvt").unwrap_err().code, ErrorCode::ACCESS_VIOLATION);
}

#[test]
fn operations_in_the_order_of_the_manual() {
    for (rules, name, expected) in [
        ("r a b", "aaa", "baa"),
        ("rg a b", "aaa", "bbb"),
        ("r A b", "aaa", "aaa"),
        ("ri A b", "aaa", "baa"),
        ("re ^a b\nr ^ x", "a", "b"),
        ("re ^a b\nr ^ x", "c", "xc"),
        ("e ^a\nr ^ x", "a", "a"),
        ("r ^ y\nrs ^yb c\nr ^ z", "b", "zyc"),
        ("~e ^a\nr ^ x", "b", "b"),
        ("~e ^a\nr ^ x", "a", "xa"),
        ("g a b", "a", "a"),
    ] {
        assert_eq!(mapped(rules, name).as_deref(), Ok(expected), "{rules:?} of {name}");
    }
}

#[test]
fn replacements_in_the_order_of_the_manual() {
    for (rule, name, expected) in [
        (r"r ^(.)(.) <\2\1\0>", "abc", "<baab>c"),
        (r"r ^ \i/", "x", "192.0.2.169/x"),
        (r"r ^ \x/", "x", "C00002A9/x"),
        (r"r (.*)\.(.*) \U\1\E.\L\2", "aB.cD", "AB.cd"),
        (r"r b \ \#c", "abd", "a #cd"),
        (r"r b", "abc", "ac"),
        (r"r (x)?b [\1]", "ab", "a[]"),
        (r"r a|ab x", "abc", "xc"),
        (r"r a b# not \3", "a", "b"),
    ] {
        let got = mapped(rule, name);
        assert_eq!(got.as_deref(), Ok(expected), "{rule}");
    }
    let v6 = mapped_for(r"r ^ \i/\x/", READ, "2001:db8::1", b"x");
    assert_eq!(v6.as_deref(), Ok("2001:db8::1/20010DB8000000000000000000000001/x"));
}

#[test]
fn rules_for_one_direction_or_family_leave_the_others_alone() {
    for (rule, operation, client, expected) in [
        ("rG ^ x", READ, "192.0.2.1", "xa"),
        ("rG ^ x", WRITE, "192.0.2.1", "a"),
        ("rP ^ x", READ, "192.0.2.1", "a"),
        ("rP ^ x", WRITE, "192.0.2.1", "xa"),
        ("rGP ^ x", READ, "192.0.2.1", "a"),
        ("r4 ^ x", READ, "192.0.2.1", "xa"),
        ("r4 ^ x", READ, "2001:db8::1", "a"),
        ("r6 ^ x", READ, "192.0.2.1", "a"),
        ("r6 ^ x", READ, "2001:db8::1", "xa"),
    ] {
        let got = mapped_for(rule, operation, client, b"a");
        assert_eq!(got.as_deref(), Ok(expected), "{rule} for {operation:?} by {client}");
    }
}

#[test]
fn a_refusal_has_the_text_of_its_rule() {
    assert_eq!(mapped("a x", "x").unwrap_err().text, "access denied");
    assert_eq!(mapped(r"a ^(x) no\ \1\ for\ \i", "x").unwrap_err().text, "no x for 192.0.2.169");
}

#[test]
fn no_other_spelling_reaches_what_a_rule_refuses() {
    for name in
        ["x.pvt\u{ff}".chars().map(|char| char as u8).collect::<Vec<u8>>(), b"x.pvt".to_vec()]
    {
        assert_eq!(mapped(r"a \.pvt$", name).unwrap_err().code, ErrorCode::ACCESS_VIOLATION);
    }
    assert_eq!(mapped("a ^s/", "x/../s/y").unwrap_err().code, ErrorCode::ACCESS_VIOLATION);
    assert_eq!(mapped("a ^s/", r"s\y").unwrap_err().code, ErrorCode::FILE_NOT_FOUND);
}

#[test]
fn rules_that_do_not_end_refuse_the_request() {
    for rules in ["rg a aa", "rs a aa", "s a", "rg ^ x", "rg x* "] {
        let refusal = mapped(rules, "a").unwrap_err();
        assert_eq!(refusal.code, ErrorCode::ACCESS_VIOLATION, "{rules}");
    }
}

#[test]
fn every_line_that_cannot_be_taken_over_is_reported() {
    let faults =
        read(b"# fine\nr a\nz a b\nr\n~r a b\nr (a)\\1 b\nr a \\1\nr46 a\n[[rule]]", false);
    let lines: Vec<String> = faults
        .expect_err("faults")
        .into_iter()
        .map(|fault| format!("{}: {}", fault.line.unwrap_or_default(), fault.what))
        .collect();
    assert_eq!(
        lines,
        [
            "3: `z` is no operation; there are r, g, i, e, s, a, G, P, 4, 6 and ~",
            "4: there is no regular expression",
            "5: `~` cannot be used together with `r`",
            "6: `\\1` asks for the same text once more, which cannot be taken over; spell it out",
            "7: there is no \\1: the expression has 0 in parentheses",
            "8: no client has both an IPv4 and an IPv6 address",
            "9: a file of rules in TOML must have a name that ends in `.toml`",
        ]
    );
}
