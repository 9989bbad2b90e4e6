//! Commands that are piped in.

mod common;

use common::{Run, tftp};

fn run(args: &[&str], input: &[u8]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    tftp(folder.path(), args, input)
}

#[test]
fn piped_commands_run_without_a_prompt() {
    let run = run(&[], b"blksize 512\r\nblksize\nmode\n").ends_with(0);
    assert_eq!(run.text(), "blksize 512\nmode octet\n");
    assert_eq!(run.stderr, "");
}

#[test]
fn empty_lines_and_comments_are_skipped() {
    let run = run(&[], b"\n  \n# a comment\n  # another\nretries").ends_with(0);
    assert_eq!(run.text(), "retries 6\n");
}

#[test]
fn the_first_failure_ends_the_program_and_sets_its_status() {
    let run = run(&[], b"mode\nput missing\nblksize\n").ends_with(4);
    assert_eq!(run.text(), "mode octet\n");
    assert!(run.stderr.starts_with("tftp: line 2: put missing: "), "{}", run.stderr);
}

#[test]
fn keep_going_goes_on_and_ends_with_the_first_failure() {
    let run = run(&["--keep-going"], b"put missing\nbogus\nblksize\n").ends_with(4);
    assert_eq!(run.text(), "blksize 1428\n");
    assert_eq!(run.stderr.lines().count(), 2);
}

#[test]
fn bye_leaves() {
    let run = run(&[], b"mode\nbye\nbogus\n").ends_with(0);
    assert_eq!(run.text(), "mode octet\n");
}

#[test]
fn standard_input_cannot_be_both_commands_and_a_file() {
    let run = run(&["127.0.0.1"], b"put - x\nmode\n").ends_with(2);
    assert!(run.stderr.contains("where the commands come from"), "{}", run.stderr);
}

#[test]
fn names_with_blanks_are_quoted() {
    let run = run(&[], b"put 'no such' x\n").ends_with(4);
    assert!(run.stderr.contains("put no such: "), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn the_local_folder_can_be_changed_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/b\x1b"), "").unwrap();
    std::fs::create_dir(folder.path().join("sub/a")).unwrap();
    let input = b"lls\nlcd sub\nlls\nlcd missing\n";
    let run = tftp(folder.path(), [""; 0], input).ends_with(4);
    assert_eq!(run.text(), "sub/\na/\nb\\u{1b}\n");
    assert!(run.stderr.contains("line 4: lcd missing: "), "{}", run.stderr);
}
