//! `bpfctl binaries get`: a copy, taken out.
//!
//! Nothing is seen of it before all of it is there and has the right SHA-256.

use std::io::{self, Seek, Write};

use common::binary::Binary;
use common::escape;
use sha2::{Digest, Sha256};
use tempfile::spooled_tempfile;
use tokio::io::AsyncReadExt;

use super::output::Output;
use super::{binary_error, parse};
use crate::args::ContentHash;
use crate::command::{Context, Interrupt};
use crate::error::{CommandError, Kind};
use crate::new_file::NewFile;
use crate::progress::Progress;
use crate::{stream, text};

/// On the way to standard output, kept in memory up to here, then in an unnamed file.
const MEMORY_BYTES: usize = 32 * 1024 * 1024;
const PART_BYTES: usize = 256 * 1024;

pub(crate) async fn run(
    context: &mut Context,
    hash: &ContentHash,
    output: &Output,
) -> Result<(), CommandError> {
    let mut interrupt = Interrupt::new()?;
    tokio::select! {
        biased;
        () = interrupt.wait() => Err(CommandError::new(Kind::Interrupted, "interrupted")
            .hint("nothing was written")),
        done = fetch(context, hash, output) => done,
    }
}

async fn fetch(
    context: &mut Context,
    hash: &ContentHash,
    output: &Output,
) -> Result<(), CommandError> {
    let binaries = context.binaries().await?;
    let answer = binaries.get(hash.as_str()).await.map_err(|error| binary_error(hash, error))?;
    let binary = parse(answer.as_bytes())?;
    // The beginning of a hash may come to mean several; the whole one does not.
    let pipe = binaries.open(&binary.hash.sha256).await;
    let pipe = pipe.map_err(|error| binary_error(hash, error))?;
    match output {
        Output::Stdout => {
            let mut spool = spooled_tempfile(MEMORY_BYTES);
            receive(pipe, &binary, &mut spool).await?;
            spool.rewind()?;
            io::copy(&mut spool, &mut context.out)?;
            context.out.flush()?;
        }
        Output::File { path, may_replace } => {
            let file = NewFile::create(path, *may_replace)?;
            receive(pipe, &binary, &mut file.as_file()).await?;
            file.persist()?;
            let _ = writeln!(
                io::stderr(),
                "wrote {} to {}; it may be dangerous, and is not executable",
                text::size(binary.size_bytes),
                escape::terminal(&path.display().to_string())
            );
        }
    }
    Ok(())
}

/// Writes what comes. An error means that it is not what was asked for, or not all of it.
async fn receive(
    pipe: zbus::OwnedFd,
    binary: &Binary,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let mut reader = stream::receiver(pipe)?;
    let mut progress = Progress::on_terminal();
    let mut arrival = Arrival::new(binary);
    let mut part = vec![0; PART_BYTES];
    loop {
        let length = reader.read(&mut part).await.map_err(|error| stream::unreadable(&error))?;
        if length == 0 {
            return arrival.finish();
        }
        arrival.add(&part[..length])?;
        out.write_all(&part[..length])?;
        progress.show(|| arrival.progress());
    }
}

/// What came so far of a content.
struct Arrival<'b> {
    binary: &'b Binary,
    bytes: u64,
    hash: Sha256,
}

impl<'b> Arrival<'b> {
    fn new(binary: &'b Binary) -> Self {
        Self { binary, bytes: 0, hash: Sha256::new() }
    }

    /// More than there should be does not fill the disk.
    fn add(&mut self, part: &[u8]) -> Result<(), CommandError> {
        self.bytes += part.len() as u64;
        if self.bytes > self.binary.size_bytes {
            return Err(broken(&format!("more came than its {} bytes", self.binary.size_bytes)));
        }
        self.hash.update(part);
        Ok(())
    }

    fn progress(&self) -> String {
        format!("{} of {}", text::size(self.bytes), text::size(self.binary.size_bytes))
    }

    fn finish(self) -> Result<(), CommandError> {
        let expected = self.binary.size_bytes;
        if self.bytes < expected {
            return Err(broken(&format!("only {} of its {expected} bytes came", self.bytes)));
        }
        let found: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        match found == self.binary.hash.sha256 {
            true => Ok(()),
            false => Err(broken(&format!("what came has the SHA-256 {found}"))),
        }
    }
}

fn broken(what: &str) -> CommandError {
    CommandError::failure(format!("the content did not come as it is: {what}"))
        .hint("nothing was written; try again, and see `bpfctl binaries verify`")
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::binaries::tests::binary;

    const CONTENT: &[u8] = b"test";

    /// Of `test`.
    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// What was written, or why it is not right.
    async fn received(content: &'static [u8], sha256: &str) -> Result<Vec<u8>, String> {
        let mut binary = binary('a', "/bin/x");
        binary.size_bytes = CONTENT.len() as u64;
        binary.hash.sha256 = sha256.to_owned();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let writing = std::thread::spawn(move || writer.write_all(content));
        let mut out = Vec::new();
        let outcome = receive(OwnedFd::from(reader).into(), &binary, &mut out).await;
        writing.join().unwrap().unwrap();
        outcome.map(|()| out).map_err(|error| error.message)
    }

    #[tokio::test]
    async fn a_content_is_right_when_its_hash_is() {
        assert_eq!(received(CONTENT, SHA256).await, Ok(CONTENT.to_vec()));
        for (content, reason) in [
            (&b"tes"[..], "only 3 of its 4 bytes came"),
            (b"", "only 0 of its 4 bytes came"),
            (b"tests", "more came than its 4 bytes"),
            (
                b"Test",
                "what came has the SHA-256 532eaabd9574880dbf76b9b8cc00832c20a6ec113d6822995",
            ),
        ] {
            let error = received(content, SHA256).await.unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(received(CONTENT, &SHA256[..12]).await.is_err(), "the beginning is not enough");
    }
}
