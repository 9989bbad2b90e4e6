//! `--mail`: messages by TFTP, as RFC 1350 has them.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    peer::{Peer, ack, data, request},
    server::{Server, command},
};

const RRQ: u8 = 1;
const WRQ: u8 = 2;

/// A server that delivers mail to tom and eve.
struct Post {
    server: Server,
    folder: TempDir,
}

impl Post {
    fn open(options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for mail");
        for part in ["tom/tmp", "tom/new", "tom/cur", "eve/tmp", "eve/new", "eve/cur", "no-maildir"]
        {
            fs::create_dir_all(folder.path().join(part)).expect("a Maildir");
        }
        fs::create_dir(folder.path().join("half")).expect("a folder");
        fs::create_dir(folder.path().join("half/new")).expect("a folder");
        let root = TempDir::new().expect("a folder to serve");
        let mut command = command(options);
        command.arg("--mail").arg(folder.path()).arg(root.path());
        Self { server: Server::run(root, command), folder }
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join(part)).expect("a Maildir");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    /// The one message that is new for a user.
    #[track_caller]
    fn message(&self, user: &str) -> String {
        let files = self.files(&format!("{user}/new"));
        assert_eq!((files.len(), self.files(&format!("{user}/tmp")).len()), (1, 0), "{files:?}");
        fs::read_to_string(&files[0]).expect("text")
    }

    /// Sends a message in full.
    fn send(&self, to: &str, text: &[u8]) {
        let mut peer = Peer::of(&self.server);
        peer.ask(request(WRQ, to.as_bytes(), "mail", &[]));
        peer.expect(ack(0));
        let mut block = 0;
        for payload in text.chunks(512).chain(text.len().is_multiple_of(512).then_some(&[][..])) {
            block += 1;
            peer.send(data(block, payload));
            peer.expect(ack(block));
        }
    }
}

#[test]
fn a_message_lands_in_the_maildir_of_its_recipient_with_a_head_and_local_lines() {
    let post = Post::open(&[]);
    post.send("tom@example.org", b"Dear Tom,\r\nit works\r\0.\r\n");
    let message = post.message("tom");
    let (head, text) = message.split_once("\n\n").expect("a head and a text");
    assert_eq!(text, "Dear Tom,\nit works\r.\n");
    for field in [
        "Return-Path: <>",
        "Delivered-To: tom@example.org",
        "Received: from [127.0.0.1] by ",
        "From: <tftp@[127.0.0.1]>",
        "To: <tom@example.org>",
        "Subject: Message by TFTP from 127.0.0.1",
        "Message-ID: <",
    ] {
        assert!(head.lines().any(|line| line.starts_with(field)), "no {field} in:\n{head}");
    }
    assert!(
        head.lines().any(|line| line.starts_with("Date: ") && line.ends_with(" +0000")),
        "{head}"
    );
    assert!(post.files("eve/new").is_empty());
    post.server.stop();
}

#[test]
fn a_message_with_a_head_of_its_own_keeps_it() {
    let post = Post::open(&[]);
    post.send("eve", b"Subject: backup\r\nX-Host: switch\r\n\r\ndone\r\n");
    let message = post.message("eve");
    assert!(message.starts_with("Return-Path: <>\nDelivered-To: eve\nReceived: from [127.0.0.1]"));
    assert!(message.ends_with("+0000\nSubject: backup\nX-Host: switch\n\ndone\n"), "{message}");
    assert!(!message.contains("Message by TFTP"));
    post.server.stop();
}

#[test]
fn a_long_message_and_an_empty_one_are_whole() {
    let post = Post::open(&[]);
    let text = "0123456789abcde\n".repeat(100);
    post.send("tom", text.replace('\n', "\r\n").as_bytes());
    assert!(post.message("tom").ends_with(&format!("\n\n{text}")));
    post.send("eve", b"");
    assert!(post.message("eve").ends_with(">\n\n"));
    post.server.stop();
}

#[test]
fn many_messages_have_names_of_their_own_and_only_we_may_read_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let post = Post::open(&[]);
    for _ in 0..20 {
        post.send("tom", b"x");
    }
    let files = post.files("tom/new");
    assert_eq!(files.len(), 20);
    let mode = fs::metadata(&files[0]).expect("a message").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    post.server.stop();
}

#[test]
fn who_is_no_user_gets_no_mail() {
    let post = Post::open(&[]);
    fs::write(post.folder.path().join("file"), "").expect("a file");
    let mut peer = Peer::of(&post.server);
    for (name, code) in [
        ("bob", 7),
        ("file", 7),
        ("bob@tom", 7),
        ("no-maildir", 7),
        ("half", 7),
        ("tom/new", 2),
        ("../tom", 2),
        ("..", 2),
        (".", 2),
        ("tom@a/b", 2),
        ("tom\n", 2),
        ("/etc/passwd", 2),
    ] {
        peer.ask(request(WRQ, name.as_bytes(), "mail", &[]));
        peer.expect_error(code);
        peer.expect_nothing();
    }
    peer.ask(request(RRQ, b"tom", "mail", &[]));
    peer.expect_error(4);
    peer.expect_nothing();
    assert!(post.files("tom/new").is_empty() && post.files("tom/tmp").is_empty());
    post.server.stop();
}

#[test]
fn without_a_folder_for_it_mail_is_refused() {
    let server = Server::start();
    let mut peer = Peer::of(&server);
    peer.ask(request(WRQ, b"tom", "mail", &[]));
    peer.expect_error(4);
    server.stop();
}

/// Files are refused as ever, though mail is taken.
#[test]
fn taking_mail_allows_no_uploads() {
    let post = Post::open(&[]);
    let mut peer = Peer::of(&post.server);
    for mode in ["octet", "netascii"] {
        peer.ask(request(WRQ, b"tom", mode, &[]));
        peer.expect_error(2);
    }
    post.server.stop();
}

#[test]
fn a_message_that_breaks_off_leaves_nothing() {
    let post = Post::open(&[]);
    let mut peer = Peer::of(&post.server);
    peer.ask(request(WRQ, b"tom", "mail", &[]));
    peer.expect(ack(0));
    peer.send(data(1, [b'x'; 512]));
    peer.expect(ack(1));
    assert_eq!(post.files("tom/tmp").len(), 1);
    peer.send(crate::peer::error(0, "enough"));
    post.server.log_line("enough");
    assert!(post.files("tom/tmp").is_empty() && post.files("tom/new").is_empty());
    post.server.stop();
}

#[test]
fn the_limits_of_uploads_hold_for_mail() {
    let post = Post::open(&["--max-upload-size", "1K"]);
    let mut peer = Peer::of(&post.server);
    peer.ask(request(WRQ, b"tom", "mail", &[("tsize", "1025")]));
    peer.expect_error(3);
    peer.ask(request(WRQ, b"tom", "mail", &[]));
    peer.expect(ack(0));
    peer.send(data(1, [b'x'; 512]));
    peer.expect(ack(1));
    peer.send(data(2, [b'x'; 512]));
    peer.expect(ack(2));
    peer.send(data(3, [b'x'; 1]));
    peer.expect_error(3);
    assert!(post.files("tom/tmp").is_empty() && post.files("tom/new").is_empty());
    post.server.stop();
    let full = Post::open(&["--min-free", "9999999T"]);
    let mut peer = Peer::of(&full.server);
    peer.ask(request(WRQ, b"tom", "mail", &[]));
    peer.expect_error(3);
    full.server.stop();
}

/// Python's standard library reads what we deliver.
#[test]
#[ignore = "needs python3"]
fn python_reads_the_maildir() {
    let post = Post::open(&[]);
    post.send("tom", b"first\r\n");
    post.send(
        "tom@example.org",
        b"From: <switch@example.org>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n\r\nsecond\r\n",
    );
    let said = python(&post.folder.path().join("tom"));
    let from = Ipv4Addr::LOCALHOST;
    assert_eq!(
        said,
        format!(
            "<switch@example.org>|=?utf-8?q?gr=C3=BCn?=|second\\n|new|True\n\
             <tftp@[{from}]>|Message by TFTP from {from}|first\\n|new|True\n"
        )
    );
    post.server.stop();
}

/// What Python's `mailbox` finds in a Maildir: sender, subject, text, folder, and whether the time
/// of arrival can be read.
fn python(maildir: &Path) -> String {
    let script = "\
import email.utils, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
lines = []
for message in box:
    arrived = email.utils.parsedate_to_datetime(message['Received'].rsplit(';', 1)[1])
    text = message.get_payload().replace('\\n', '\\\\n')
    lines.append('|'.join([message['From'], message['Subject'], text, message.get_subdir(), str(arrived.year > 2000)]))
print('\\n'.join(sorted(lines)))";
    let output = Command::new("python3").arg("-c").arg(script).arg(maildir).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
