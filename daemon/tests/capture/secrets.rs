//! Values that must not be kept, and what is configured to be kept.

use std::fs;

use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::workload::{finish, start, start_sleeper, workload};

const SECRET: &str = "5up3r-s3cr3t-v4lu3-of-th3-t3st";

/// Options, and what is kept of `ENVIRONMENT`; `None`: nothing at all, and a note says so.
const POLICIES: [(&[&str], Option<&[&str]>); 5] = [
    (&[], Some(&["A=1", "X_TOKEN=[redacted]", "b_Password=[redacted]", "C=3"])),
    (&["--environment", "false"], None),
    (&["--environment-only", "A,C,X_TOKEN"], Some(&["A=1", "X_TOKEN=[redacted]", "C=3"])),
    (&["--redact", "C"], Some(&["A=1", "X_TOKEN=t", "b_Password=p", "C=[redacted]"])),
    (&["--redact", ""], Some(&["A=1", "X_TOKEN=t", "b_Password=p", "C=3"])),
];

const ENVIRONMENT: [(&str, &str); 4] =
    [("A", "1"), ("X_TOKEN", "t"), ("b_Password", "p"), ("C", "3")];

#[test]
fn the_environment_is_kept_as_configured() {
    for (options, expected) in POLICIES {
        let scratch = Scratch::new();
        let options = [&LOSSLESS, options].concat();
        let Some(recorder) = Recorder::start(&scratch, &options) else { return };
        let mut command = workload(&["exit", "0"]);
        command.envs(ENVIRONMENT);
        let event = recorder.client.image(finish(start(&mut command)).pid);
        let kept = event.process.env_vars.map(|mut variables| {
            variables.sort();
            variables
        });
        let expected = expected.map(|variables| {
            let mut variables: Vec<_> = variables.iter().map(|v| (*v).into()).collect();
            variables.sort();
            variables
        });
        assert_eq!(kept, expected, "{options:?}");
        let is_off = event.recorder.notes.iter().any(|note| note.contains("capture is off"));
        assert_eq!(is_off, expected.is_none(), "{:?}", event.recorder.notes);
        recorder.stop();
    }
}

/// Not in an answer, and in no byte of any file.
#[test]
fn a_secret_is_not_kept() {
    let scratch = Scratch::new();
    // Known from the snapshot as well as from its exec.
    let secret = |command: &mut std::process::Command| {
        command.env("X_TOKEN", SECRET).env("db_password", SECRET).env("OPEN", "not-a-secret");
    };
    let mut command = workload(&["sleep", "600000"]);
    secret(&mut command);
    let old = start_sleeper(&mut command);
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let mut command = workload(&["exit", "0"]);
    secret(&mut command);
    // So long that it is cut, within a secret too.
    command.env("LONG", "l".repeat(60 << 10)).env("API_KEY", SECRET.repeat(1 << 10));
    let pids = [finish(start(&mut command)).pid, old.pid()];
    for pid in pids {
        let event = recorder.client.image(pid);
        let variables = event.process.env_vars.as_ref().unwrap();
        for redacted in ["X_TOKEN=[redacted]", "db_password=[redacted]", "OPEN=not-a-secret"] {
            assert!(variables.iter().any(|variable| variable == redacted), "{redacted}");
        }
        let json = serde_json::to_string(&event).unwrap();
        assert!(!json.contains(&SECRET[..10]), "in the answer");
    }
    let in_files = |scratch: &Scratch| {
        // The copies of executed files are as secret as those were.
        let files = fs::read_dir(scratch.data()).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        let has = |bytes: &[u8], text: &str| {
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        let contents: Vec<_> = files.map(|file| fs::read(file).unwrap()).collect();
        assert!(contents.iter().any(|bytes| has(bytes, "not-a-secret")), "what is looked through");
        contents.iter().any(|bytes| has(bytes, &SECRET[..10]))
    };
    assert!(!in_files(&scratch), "in the files while recording");
    recorder.stop();
    assert!(!in_files(&scratch), "in the files");
}
