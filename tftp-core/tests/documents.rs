//! What `docs/` promises: every test that is named there exists, and every rule names one.

use std::{fs, path::PathBuf};

#[test]
fn every_rule_names_tests_that_exist() {
    let mut rules = 0;
    for line in document("rules.md").lines().filter(|line| is_row(line)) {
        assert!(check_tests(line) > 0, "a rule without a test: {line}");
        rules += 1;
    }
    assert!(rules > 60, "{rules} rules");
}

#[test]
fn every_departure_quotes_a_sentence_and_names_tests_that_exist() {
    let document = document("deviations.md");
    let sections: Vec<_> = document.split("\n## ").skip(1).collect();
    for section in &sections {
        assert!(section.contains("\n> "), "nothing is quoted: {section}");
        assert!(check_tests(section) > 0, "a departure without a test: {section}");
    }
    assert!(sections.len() > 15, "{} departures", sections.len());
}

/// They name tests without their files.
#[test]
fn every_planted_bug_names_tests_that_exist() {
    let folder = root().join("tftp-core/tests");
    let mut tests = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            tests += &fs::read_to_string(path).unwrap();
        }
    }
    for line in document("mutants.md").lines().filter(|line| is_row(line)) {
        let caught_by = line.rsplit('|').nth(1).unwrap();
        assert!(!caught_by.trim().is_empty(), "caught by nothing: {line}");
        for name in code(caught_by) {
            assert!(tests.contains(&format!("fn {name}(")), "{name} is no test");
        }
    }
}

/// Of a table, but not its head.
fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("|---") && line.contains('`')
}

/// Checks the tests named behind their files, and returns how many there are.
#[track_caller]
fn check_tests(text: &str) -> usize {
    let mut file = None;
    let mut tests = 0;
    for word in code(text) {
        if word.contains(".rs") {
            let folder = if word.starts_with("src/") { "tftp-core" } else { "tftp-core/tests" };
            let folder = if word.starts_with("tftp-mio/") { "" } else { folder };
            let path = root().join(folder).join(word);
            file = Some((word, fs::read_to_string(path).expect(word)));
        } else if let Some((path, source)) = &file {
            assert!(source.contains(&format!("fn {word}(")), "{path} has no test {word}");
            tests += 1;
        }
    }
    tests
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
