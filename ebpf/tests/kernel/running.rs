//! The task iterator: processes that ran before anyone looked.

use std::fs::{self, File};
use std::io::Read;

use ebpf::event::{Body, Image};
use ebpf::wire;

use crate::fixture::{Recorder, joined, recorder, shell};

/// Everything that the iterator gives; `None` where the kernel has none.
pub(crate) fn snapshot(recorder: &mut Recorder) -> Option<Vec<u8>> {
    let Some(fd) = recorder.programs.snapshot().unwrap() else {
        println!("skipped: this kernel has no sleepable task iterator");
        return None;
    };
    let (mut file, mut stream, mut piece) = (File::from(fd), Vec::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece).unwrap() {
            0 => return Some(stream),
            length => stream.extend_from_slice(&piece[..length]),
        }
    }
}

pub(crate) fn images(stream: &[u8]) -> Vec<Box<Image<'_>>> {
    let mut records = wire::records(stream);
    let images = records.by_ref().map(|event| match event.unwrap().body {
        Body::Running(image) => image,
        other => panic!("unexpected {other:?}"),
    });
    let images = images.collect();
    assert!(records.remainder().is_empty());
    images
}

#[test]
fn this_process_is_seen() {
    let Some(mut recorder) = recorder() else { return };
    let Some(stream) = snapshot(&mut recorder) else { return };
    let images = images(&stream);
    let own = images.iter().find(|image| image.process.pid == std::process::id()).unwrap();
    assert_eq!(own.args.head, fs::read("/proc/self/cmdline").unwrap());
    assert_eq!(
        own.env.head.len() + own.env.tail.len(),
        fs::read("/proc/self/environ").unwrap().len()
    );
    let exe = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(joined(&own.executable.path), exe.to_str().unwrap());
    assert_eq!(own.argc as usize, std::env::args_os().count());
    assert!(own.faults.is_empty() && !own.is_kernel_thread, "{:?}", own.faults);
    assert_eq!(own.parent.pid, u32::try_from(nix::unistd::getppid().as_raw()).unwrap());

    let ids: std::collections::HashSet<_> = images.iter().map(|image| image.process).collect();
    assert_eq!(ids.len(), images.len(), "one record for each process");
    let kthreadd = images.iter().find(|image| image.comm == b"kthreadd").unwrap();
    assert!(kthreadd.is_kernel_thread && kthreadd.args.head.is_empty());
    assert!(kthreadd.faults.is_empty(), "{:?}", kthreadd.faults);
}

#[test]
fn iterator_and_exec_agree() {
    let Some(mut recorder) = recorder() else { return };
    let mut child = shell("read x < /dev/zero; echo");
    let pid = child.id();
    let (id, args, cwd, file) = {
        let image = recorder.wait_for_exec(pid);
        let cwd = joined(&image.working_directory);
        (image.process, image.args.head.to_vec(), cwd, joined(&image.executable.path))
    };
    let stream = snapshot(&mut recorder);
    child.kill().unwrap();
    child.wait().unwrap();
    let Some(stream) = stream else { return };
    let images = images(&stream);
    let image = images.iter().find(|image| image.process == id).unwrap();
    assert_eq!(image.args.head, args);
    assert_eq!(joined(&image.working_directory), cwd);
    assert_eq!(joined(&image.executable.path), file);
    assert_eq!(image.argc, 3);
}
