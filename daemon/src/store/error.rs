//! What can go wrong with the database, named for what one can do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(
        "database {path} was written by a newer version (format {found}, this version knows up to \
         {known}): install that version, or choose another --data-dir"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "database {path} was written by an older version (format {found}, this version reads \
         {known}): let `bpf-recorderd run` bring it up to date, with a copy of it as recorder.db \
         in its --data-dir"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is not a database of bpf-recorder: give the recorder.db of a recorder")]
    Foreign { path: PathBuf },
    #[error("database {path} does not exist: give the recorder.db of a recorder")]
    Missing { path: PathBuf },
    #[error(
        "the disk of {path} is full: free some space, or choose another --data-dir; nothing that \
         was recorded is lost"
    )]
    Full { path: PathBuf },
    #[error("database {path} is damaged ({detail})")]
    Corrupt { path: PathBuf, detail: String },
    #[error("database {path} is locked by another program: end that program and try again")]
    Locked { path: PathBuf },
    #[error(
        "database {path} cannot be opened or written ({detail}): check the rights of the directory \
         and of the file"
    )]
    Access { path: PathBuf, detail: String },
    #[error(
        "database {path} cannot be read or written ({detail}): look for faults of the disk in the \
         kernel's log, and whether a quota is used up"
    )]
    Io { path: PathBuf, detail: String },
    #[error(
        "database {path} cannot be opened, as too many files are open: try again when others have \
         ended, or raise the limit (LimitNOFILE= of the service)"
    )]
    Descriptors { path: PathBuf },
    #[error("database failure: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// Gives an error of SQLite its meaning.
    pub(crate) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            // The index of the log cannot grow on a full disk: to SQLite that is an I/O error.
            Some(ErrorCode::SystemIoFailure) if is_full(&path) => Self::Full { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, detail },
            Some(ErrorCode::NotADatabase) => Self::Corrupt { path, detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, detail },
            Some(ErrorCode::CannotOpen) if is_out_of_descriptors() => Self::Descriptors { path },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Access { path, detail }
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// What SQLite opened and closed meanwhile may be free again, so that this can miss it.
fn is_out_of_descriptors() -> bool {
    let is_one = |errno| matches!(errno, Some(nix::libc::EMFILE | nix::libc::ENFILE));
    std::fs::File::open("/").is_err_and(|error| is_one(error.raw_os_error()))
}

fn is_full(path: &Path) -> bool {
    const LEAST_BYTES: u64 = 64 << 10;
    let directory = path.parent().unwrap_or(path);
    nix::sys::statvfs::statvfs(directory)
        .is_ok_and(|stat| stat.blocks_available() * stat.fragment_size() < LEAST_BYTES)
}
