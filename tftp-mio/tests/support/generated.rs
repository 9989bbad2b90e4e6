//! Manual pages and completions: made from the definition of a command line, checked in, and
//! compared here with what would be made now.

use std::{env, fs, io, path::Path};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

/// Compares the files in `folder` with what is made of `command`; with `UPDATE_GENERATED` in the
/// environment it writes them. `sections` stand in the manual page behind those that clap knows of.
#[track_caller]
pub(crate) fn check(command: &Command, section: &str, sections: &[(&str, &[&str])], folder: &Path) {
    let name = command.get_name();
    let mut files =
        vec![(format!("{name}.{section}"), manual(command, section, sections).expect("a page"))];
    for (shell, file) in [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        let mut text = Vec::new();
        generate(shell, &mut command.clone(), name, &mut text);
        files.push((file, text));
    }
    for (file, text) in files {
        let path = folder.join(file);
        if env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&path, text).expect("a file to write");
        } else {
            let stored = fs::read(&path).unwrap_or_default();
            let advice = "write it with: UPDATE_GENERATED=1 cargo test --workspace generated";
            assert!(stored == text, "{} is not up to date; {advice}", path.display());
        }
    }
}

fn manual(command: &Command, section: &str, sections: &[(&str, &[&str])]) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).section(section).manual("TFTP");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    for (title, paragraphs) in sections {
        roff.control("SH", [*title]);
        for paragraph in *paragraphs {
            roff.control("PP", []);
            set(&mut roff, paragraph);
        }
    }
    if let Some(text) = command.get_after_help() {
        roff.control("SH", ["NOTES"]);
        // The exit status has a section of its own.
        let text = text.to_string();
        set(&mut roff, text.split("\n\nExit status: ").next().unwrap_or_default());
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// Text of several lines stays as it is; of one, lines are made of it.
fn set(roff: &mut Roff, text: &str) {
    if text.contains('\n') {
        roff.control("nf", []).text([roman(text)]).control("fi", []);
    } else {
        roff.text([roman(text)]);
    }
}
