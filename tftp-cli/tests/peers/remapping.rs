//! The maps of tftp-hpa: what our server makes of them, held against its own.
//!
//! A file stands where our rules say that a name leads. If its server finds it there too, both agree.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    time::Duration,
};

use tempfile::TempDir;
use tftp_core::{ErrorCode, Mode, Operation};
use tftp_mio::storage::{Denied, Map, Wanted};

use crate::daemons::{Daemon, tftpd_hpa_with_map};

/// The daemon is known by a file that no rule may touch.
const SPARED: &str = "e ^proof$\n";

const CASES: &[(&str, &[&str])] = &[
    ("r a b", &["aaa", "x"]),
    ("rg a b", &["aaa"]),
    ("ri A b", &["aaa"]),
    ("r ^(.)(.) \\2\\1", &["abc", "a"]),
    ("re ^a b\nr ^ x", &["a", "c"]),
    ("e ^a\nr ^ x", &["a", "b"]),
    ("r ^ y\nrs ^yb c\nr ^ z", &["b", "c"]),
    ("~e ^a\nr ^ x", &["a", "b"]),
    ("rG ^ get-\nrP ^ put-", &["a"]),
    ("r4 ^ four-\nr6 ^ six-", &["a"]),
    ("r ^ \\i-", &["a"]),
    ("r ^ \\x-", &["a"]),
    ("r (.*)\\.(.*) \\U\\1\\E.\\L\\2\\E-\\0", &["aB.cD"]),
    ("r b \\ \\#", &["abc"]),
    ("r b", &["abc"]),
    ("r (x)?b [\\1]", &["ab", "axb"]),
    ("r b \\q\\-", &["abc"]),
    ("g a b", &["a"]),
    // The longest match counts, not the first alternative.
    ("r a|ab x", &["abc"]),
    ("r (a|ab)(c|bcd) x", &["abcde"]),
    ("r (a?)(ab)? x", &["abc"]),
    ("r (a*)(ab)* <\\1>", &["aabx"]),
    ("r x* y", &["axx", "xxa"]),
    ("r ^(a|ab)(c|bcd)(d*)$ \\1-\\2-\\3", &["abcd"]),
    ("r ^(.*)(b+) \\1-\\2", &["abbb"]),
    ("r (a|ab)(bc|c)? <\\1-\\2>", &["abc"]),
    ("r (xyz|xy)(z?)(w|zw)? <\\1-\\2-\\3>", &["xyzw"]),
    // Syntax that means something else to other engines.
    ("r a+? x", &["aab"]),
    ("r [a\\]b x", &["\\b", "ab"]),
    ("r []x] y", &["a]"]),
    ("r [^]a-c-] y", &["a-d"]),
    ("r [a&&b]$ y", &["x&", "xb"]),
    ("r [[:digit:]]+ n", &["a12"]),
    ("r a{2} x", &["aaa"]),
    ("r a{,2}b x", &["aaab"]),
    ("r a{2,}b x", &["aaab"]),
    ("r a) x", &["a)"]),
    ("r \\<b\\> x", &["a-b-c", "abc"]),
    ("r \\w+ x", &["-ab-"]),
    ("r \\d x", &["d1"]),
    ("r a.c x", &["abc"]),
    ("r a\\.c x", &["abc", "a.c"]),
    ("r \\# at", &["a#b"]),
    // Comments, blanks and refusals.
    ("  # nothing\n\n r  a\tb   # too\n", &["a"]),
    ("a ^x", &["x", "y"]),
    ("a ^x no\\ \\0", &["x"]),
    (
        "ri ^[a-z]:\nrg \\\\ /\nrg /../ /..no../\nr ^[^/] /dir/\\0\na \\.pvt$",
        &["C:\\dir\\a", "b", "x.pvt", "/a"],
    ),
];

#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftpd_hpa_maps_names_as_we_do() {
    let scratch = TempDir::new().expect("a folder");
    for (number, (rules, names)) in CASES.iter().enumerate() {
        let file = scratch.path().join(format!("map{number}"));
        fs::write(&file, format!("{SPARED}{rules}\n")).expect("a file of rules");
        let map = Map::load(&file, false).unwrap_or_else(|faults| panic!("{faults}"));
        let daemon = tftpd_hpa_with_map(&file);
        for name in *names {
            let ours = ours(&map, name);
            if let Ok(path) = &ours {
                place(daemon.root(), path);
            }
            assert_eq!(
                theirs(&daemon, name),
                ours.map_err(|denied| denied.code),
                "{rules:?} of {name}"
            );
        }
    }
}

/// The manual says "from the very first rule", and so do we.
#[test]
#[ignore = "needs the peers that .ci/peers.sh unpacks"]
fn tftpd_hpa_starts_over_with_its_second_rule() {
    let scratch = TempDir::new().expect("a folder");
    let file = scratch.path().join("map");
    fs::write(&file, "r ^b x\nrs ^a b\n").expect("a file of rules");
    let map = Map::load(&file, false).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(ours(&map, "a").as_deref(), Ok("x"));
    let daemon = tftpd_hpa_with_map(&file);
    place(daemon.root(), "b");
    assert_eq!(theirs(&daemon, "a").as_deref(), Ok("b"));
}

/// Where our rules lead.
fn ours(map: &Map, name: &str) -> Result<String, Denied> {
    let wanted = Wanted {
        client: Ipv4Addr::LOCALHOST.into(),
        operation: Operation::Read,
        name: name.as_bytes(),
        mode: Mode::Octet,
        announced: None,
        listener: None,
        file: None,
    };
    let name = map.apply(&wanted)?.concat();
    Ok(String::from_utf8(name).expect("text"))
}

/// Puts a file there that holds its own path.
fn place(root: &Path, path: &str) {
    let place = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    fs::write(place, path).expect("a file");
}

/// What the daemon answers to a read request: the content, or the code of its refusal.
fn theirs(daemon: &Daemon, name: &str) -> Result<String, ErrorCode> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let request = [b"\0\x01", name.as_bytes(), b"\0octet\0"].concat();
    socket.send_to(&request, (Ipv4Addr::LOCALHOST, daemon.port())).expect("loopback");
    let mut answer = [0; 516];
    let (len, from) = socket.recv_from(&mut answer).expect("an answer");
    match &answer[..len] {
        [0, 3, 0, 1, content @ ..] => {
            socket.send_to(b"\0\x04\0\x01", from).expect("loopback");
            Ok(String::from_utf8_lossy(content).into_owned())
        }
        [0, 5, high, low, ..] => Err(ErrorCode(u16::from_be_bytes([*high, *low]))),
        other => panic!("{other:?} for {name}"),
    }
}
