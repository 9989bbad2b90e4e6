//! `--map`, before a folder.

use std::{cell::RefCell, fs};

use tempfile::TempDir;
use tftp_core::{Mode, Operation};
use tftp_mio::storage::{Denied, Map, Mapped, Names, Wanted};

use crate::asking::{CLIENT, code, folder, read, tree, wanted, write};

/// Reads rules in TOML.
pub(crate) fn map(rules: &str) -> Map {
    load(rules, false).unwrap_or_else(|faults| panic!("{faults}\n{rules}"))
}

fn load(rules: &str, ignore_case: bool) -> Result<Map, String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("map.toml");
    fs::write(&path, rules).expect("a file");
    Map::load(&path, ignore_case)
        .map_err(|faults| faults.to_string().replace(path.to_str().unwrap(), "FILE"))
}

/// What the rules make of a name to read.
fn name(map: &Map, name: &str) -> Result<String, Denied> {
    let names = map.apply(&wanted(Operation::Read, CLIENT, name.as_bytes()))?;
    let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    Ok(names.join(" "))
}

#[test]
fn rules_are_taken_in_their_order() {
    for (rules, asked, expected) in [
        ("match = 'a'\nrewrite = 'b'", "aaa", "baa"),
        ("match = 'a'\nrewrite = 'b'\nevery = true", "aaa", "bbb"),
        ("match = 'x*'\nrewrite = '-'\nevery = true", "abc", "-a-b-c-"),
        ("match = '^(?<a>.)(.)'\nrewrite = '{2}{a}'", "abc", "bac"),
        ("match = '^'\nrewrite = '{ip}/{ip_hex}/'", "a", "192.0.2.7/C0000207/a"),
        ("match = 'b$'\nunless = '^a'\nrewrite = 'c'", "bb", "bc"),
        ("match = 'b$'\nunless = '^a'\nrewrite = 'c'", "ab", "ab"),
        ("match = '^a'\nalias = 'x'\n[[rule]]\nmatch = 'x'\nrewrite = 'y'", "ab", "x"),
        ("match = '^a'\nstop = true\n[[rule]]\nmatch = '$'\nrewrite = '!'", "ab", "ab"),
        ("match = '^a'\nstop = true\n[[rule]]\nmatch = '$'\nrewrite = '!'", "b", "b!"),
        (
            "match = '^a'\nrewrite = ''\nrestart = true\n[[rule]]\nmatch = '$'\nrewrite = '!'",
            "aab",
            "b!",
        ),
        ("match = '^a$'\nalias = ['x', '{0}{0}']", "a", "x aa"),
        ("operation = 'write'\nmatch = 'a'\nrewrite = 'b'", "a", "a"),
        ("client = '198.51.100.0/24'\nmatch = 'a'\nrewrite = 'b'", "a", "a"),
        ("client = ['198.51.100.0/24', '192.0.2.7']\nmatch = 'a'\nrewrite = 'b'", "a", "b"),
        ("match = '(?i)^BOOT/'\nrewrite = 'boot/'", "\\Boot\\BCD", "boot/BCD"),
    ] {
        let map = map(&format!("[[rule]]\n{rules}"));
        assert_eq!(name(&map, asked).as_deref(), Ok(expected), "{rules} of {asked}");
    }
}

#[test]
fn a_rule_sees_one_plain_form_of_every_spelling() {
    let map = map("[[rule]]\nmatch = '^secret/'\ndeny = 'not for {ip}: {0}'");
    for spelling in [
        "secret/x",
        "/secret/x",
        "//secret//x",
        "./secret/x",
        "\\secret\\x",
        "a/../secret/x",
        "a/./..//secret/./x",
    ] {
        let refusal = name(&map, spelling).expect_err(spelling);
        assert_eq!((refusal.code.0, &*refusal.text), (2, "not for 192.0.2.7: secret/"));
    }
    for (asked, expected) in [("/a//b", "a/b"), ("a/", "a/"), ("x/secret/y", "x/secret/y")] {
        assert_eq!(name(&map, asked).as_deref(), Ok(expected));
    }
    assert_eq!(code(name(&map, "a/../../secret/x")), 2);
}

#[test]
fn the_byte_of_old_boot_roms_hides_nothing_from_a_rule() {
    let root = tree(&["x.key", "x"]);
    let rules = map("[[rule]]\nmatch = '\\.key$'\ndeny = 'no'");
    let storage = mapped(rules, root.path());
    for asked in [&b"x.key"[..], b"x.key\xFF", b"x.key\xFF\xFF"] {
        assert_eq!(code(read(&storage, CLIENT, asked)), 2);
    }
    assert_eq!(read(&storage, CLIENT, b"x\xFF").as_deref(), Ok("x"));
}

fn mapped(map: Map, root: &std::path::Path) -> Mapped {
    let folder = folder(root, Names::default());
    Mapped::new(map, Box::new(folder))
}

#[test]
fn where_names_in_any_case_are_served_rules_match_in_any_case_too() {
    let rules = "[[rule]]\nmatch = '^secret/'\ndeny = 'no'";
    let strict = load(rules, false).expect("rules");
    let lax = load(rules, true).expect("rules");
    assert_eq!(name(&strict, "SECRET/x").as_deref(), Ok("SECRET/x"));
    assert_eq!(code(name(&lax, "SECRET/x")), 2);
}

#[test]
fn an_alias_reads_the_first_file_that_there_is_and_writes_the_first() {
    let root = tree(&["default", "menu"]);
    let storage = mapped(
        map("[[rule]]\nmatch = '^cfg/(.*)'\nalias = ['{1}', '{ip_hex}', 'default', 'menu']"),
        root.path(),
    );
    assert_eq!(read(&storage, CLIENT, "cfg/x").as_deref(), Ok("default"));
    fs::write(root.path().join("C0000207"), "mine").expect("a file");
    assert_eq!(read(&storage, CLIENT, "cfg/x").as_deref(), Ok("mine"));
    write(&storage, CLIENT, "cfg/new").expect("a new file");
    assert_eq!(fs::read(root.path().join("new")).expect("the file"), b"written");
}

#[test]
fn no_rule_leads_out_of_the_folder() {
    let around = tree(&["root/x", "secret"]);
    let storage = mapped(
        map("[[rule]]\nmatch = '^up$'\nalias = '../secret'\n\
             [[rule]]\nmatch = '^abs$'\nalias = '/etc/passwd'\n\
             [[rule]]\nmatch = '^dots-'\nrewrite = '../'"),
        &around.path().join("root"),
    );
    for (asked, refused) in [("up", 2), ("dots-secret", 2), ("abs", 1), ("dots-root/x", 2)] {
        assert_eq!(code(read(&storage, CLIENT, asked)), refused, "{asked}");
    }
    assert_eq!(read(&storage, CLIENT, "x").as_deref(), Ok("root/x"));
}

#[test]
fn rules_that_do_not_end_or_grow_a_name_without_end_refuse_the_request() {
    for rules in [
        "match = 'a'\nrewrite = 'aa'\nrestart = true",
        "match = '(.*)'\nrewrite = '{1}{1}{1}{1}'\nrestart = true",
        "match = 'a'\nrewrite = 'a'\nrestart = true",
        "restart = true\nmatch = 'a'",
    ] {
        let map = map(&format!("[[rule]]\n{rules}"));
        assert_eq!(code(name(&map, "a")), 2, "{rules}");
    }
}

/// More rules than steps are no endless rules.
#[test]
fn a_long_file_of_rules_comes_to_its_end() {
    let rule = |number| format!("[[rule]]\nmatch = '^{number}$'\nalias = 'x{number}'\n");
    let rules: Vec<String> = (0..2000).map(rule).collect();
    let rules = rules.concat();
    let map = map(&rules);
    assert_eq!(map.len(), 2000);
    assert_eq!(name(&map, "1999").as_deref(), Ok("x1999"));
}

/// What takes other engines exponential time takes this one no time that can be measured: the test
/// would not end.
#[test]
fn no_expression_takes_long() {
    let map = map("[[rule]]\nmatch = '^(a*)*(a|aa)+(a?){30}a{30}$'\ndeny = 'no'");
    let asked = "a".repeat(400) + "!";
    assert_eq!(name(&map, &asked).as_deref(), Ok(&*asked));
    let faults = load("[[rule]]\nmatch = '((a{100}){100}){100}'\nstop = true", false);
    let expected =
        "FILE:2: `match` is no regular expression: it would take more than 1048576 bytes of memory";
    assert_eq!(faults.unwrap_err(), expected);
}

#[test]
fn the_text_of_a_refusal_is_printable_and_fits_a_packet() {
    let map = map("[[rule]]\nmatch = '.*'\ndeny = 'n\u{f6} {0}'");
    let asked = format!("a\u{7}b{}", "x".repeat(500));
    let text = name(&map, &asked).unwrap_err().text;
    assert!(text.starts_with("n?? a?bxxx") && text.len() < 500, "{text}");
}

#[test]
fn mail_is_mapped_only_by_rules_that_say_so() {
    let map = map("[[rule]]\nmatch = 'o'\nrewrite = '0'\n\
                   [[rule]]\noperation = 'mail'\nmatch = '^root(@.*)?$'\nalias = 'admin'");
    let mail = |name| Wanted { mode: Mode::Mail, ..wanted(Operation::Write, CLIENT, name) };
    assert_eq!(map.apply(&mail(b"root@host")), Ok(vec![b"admin".to_vec()]));
    assert_eq!(map.apply(&mail(b"tom")), Ok(vec![b"tom".to_vec()]));
    assert_eq!(map.apply(&wanted(Operation::Write, CLIENT, b"root")), Ok(vec![b"r0ot".to_vec()]));
}

#[test]
fn each_step_is_told_to_who_listens() {
    let map = map("[[rule]]\noperation = 'write'\ndeny = 'no'\n\
                   [[rule]]\nclient = '10.0.0.0/8'\ndeny = 'no'\n\
                   [[rule]]\nmatch = 'x'\nstop = true\n\
                   [[rule]]\nmatch = 'a'\nrewrite = \"\\u001b\"\n\
                   [[rule]]\nmatch = '^'\nalias = ['one', 'two']");
    let steps = RefCell::new(Vec::new());
    let listener = |step: std::fmt::Arguments<'_>| steps.borrow_mut().push(step.to_string());
    let asked = Wanted { listener: Some(&listener), ..wanted(Operation::Read, CLIENT, b"/a") };
    map.apply(&asked).expect("two names");
    assert_eq!(
        steps.into_inner(),
        [
            "the rules see \"a\"",
            "rule in line 1 is about other operations",
            "rule in line 4 is about other clients",
            "rule in line 7 does not fit",
            "rule in line 10 makes it \"\\x1b\"",
            "rule in line 13 stands for \"one\"",
            "rule in line 13 stands for \"two\"",
        ]
    );
}
