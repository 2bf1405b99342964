//! Executed files: what is known of their content, and what was kept of it.

use serde::{Deserialize, Serialize};

use crate::ecs::Done;

/// Of a whole content, in lower-case hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hashes {
    pub sha256: String,
    /// For exchange with others only; neither it nor MD5 proves anything.
    pub sha1: String,
    pub md5: String,
}

/// What an ELF file says of itself. A damaged one says less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Elf {
    /// 32 or 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u8>,
    /// As `readelf` and `uname -m` name it, such as `x86_64` or `aarch64`; the number where it has
    /// no name here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// `executable`, `pie`, `shared-object`, `relocatable`, `core`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<String>,
    /// Needs no dynamic linker.
    #[serde(default, rename = "static", skip_serializing_if = "Option::is_none")]
    pub is_static: Option<bool>,
    /// The dynamic linker it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Has no symbol table.
    #[serde(default, rename = "stripped", skip_serializing_if = "Option::is_none")]
    pub is_stripped: Option<bool>,
    /// GNU build id in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Shannon entropy of what it executes, in thousandths of a bit a byte: 0 to 8000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<u16>,
    /// What it executes looks compressed or encrypted.
    #[serde(default, rename = "packed", skip_serializing_if = "Option::is_none")]
    pub is_packed: Option<bool>,
    /// Why not all could be told, where the file contradicts itself or ends early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// Who installed a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `dpkg` or `rpm`.
    pub manager: String,
    pub state: PackageState,
}

/// Whether a file is as its package brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageState {
    /// The content is the one of the package.
    Verified,
    /// The content is another.
    Modified,
    /// The package does not say what the content should be.
    Unverified,
}

impl PackageState {
    pub const ALL: [PackageState; 3] =
        [PackageState::Verified, PackageState::Modified, PackageState::Unverified];

    pub fn name(self) -> &'static str {
        match self {
            PackageState::Verified => "verified",
            PackageState::Modified => "modified",
            PackageState::Unverified => "unverified",
        }
    }
}

/// Why the content of an executed file is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unread {
    /// The process had ended and its path led nowhere any more.
    Gone,
    /// Another file is at the path, or the file has been changed since.
    Changed,
    NotPermitted,
    /// A directory, a device, a pipe or a socket.
    NotRegular,
    /// Larger than `binary-file-limit`.
    TooLarge,
    /// Too many files at once.
    Busy,
    /// Reading failed.
    Failed,
    /// It was changed so fast that its times do not tell the contents apart.
    Ambiguous,
}

impl Unread {
    pub const ALL: [Unread; 8] = [
        Unread::Gone,
        Unread::Changed,
        Unread::NotPermitted,
        Unread::NotRegular,
        Unread::TooLarge,
        Unread::Busy,
        Unread::Failed,
        Unread::Ambiguous,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Unread::Gone => "gone",
            Unread::Changed => "changed",
            Unread::NotPermitted => "not-permitted",
            Unread::NotRegular => "not-regular",
            Unread::TooLarge => "too-large",
            Unread::Busy => "busy",
            Unread::Failed => "failed",
            Unread::Ambiguous => "ambiguous",
        }
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Unread::Gone => "the process had ended and the file was gone before it could be opened",
            Unread::Changed => "the file was replaced or changed before it could be read",
            Unread::NotPermitted => "the file may not be opened",
            Unread::NotRegular => "not a regular file",
            Unread::TooLarge => "the file is larger than binary-file-limit",
            Unread::Busy => "too many files were executed at once",
            Unread::Failed => "the file could not be read",
            Unread::Ambiguous => {
                "the file was changed so fast that it cannot be told which content ran"
            }
        }
    }
}

/// What became of a content that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// It can be taken out.
    Kept,
    /// It was kept, and removed to make room.
    Evicted,
    /// What is pinned leaves no room below `binary-total-limit`.
    NoRoom,
    /// The disk has less free space than `binary-min-free`, or is full.
    NoSpace,
    /// Writing failed.
    Failed,
    /// It was kept, and its copy is damaged or has disappeared.
    Damaged,
    /// Nobody tried.
    #[default]
    NotKept,
}

impl Storage {
    pub const ALL: [Storage; 7] = [
        Storage::Kept,
        Storage::Evicted,
        Storage::NoRoom,
        Storage::NoSpace,
        Storage::Failed,
        Storage::Damaged,
        Storage::NotKept,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Storage::Kept => "kept",
            Storage::Evicted => "evicted",
            Storage::NoRoom => "no-room",
            Storage::NoSpace => "no-space",
            Storage::Failed => "failed",
            Storage::Damaged => "damaged",
            Storage::NotKept => "not-kept",
        }
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Storage::Kept => "kept",
            Storage::Evicted => "not kept any more: removed to make room for others",
            Storage::NoRoom => "not kept: binary-total-limit is reached by what is pinned",
            Storage::NoSpace => "not kept: too little free space on the disk",
            Storage::Failed => "not kept: writing it failed",
            Storage::Damaged => "the copy is damaged or missing",
            Storage::NotKept => "not kept",
        }
    }
}

/// One content that ran, however many files had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    pub hash: Hashes,
    pub size_bytes: u64,
    pub storage: Storage,
    /// What the copy takes on disk.
    pub stored_bytes: u64,
    /// Somebody asked to keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Alerts that refer to it, for which it is kept too.
    #[serde(default)]
    pub alerts: u64,
    /// How often it ran, and first and last when.
    pub runs: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elf: Option<Elf>,
    /// The files that had it, the last run first.
    pub files: Vec<BinaryFile>,
}

/// A file that was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryFile {
    /// As the process saw it; bytes that are not UTF-8 as `\xNN`.
    pub path: String,
    /// `major:minor`.
    pub device: String,
    pub inode: u64,
    /// Octal, as `chmod` takes it.
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
    pub mtime: String,
    pub ctime: String,
    pub runs: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub memfd: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// File capabilities, as `getcap` prints them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
}

/// One line of a list of binaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryLine {
    /// The last line of every result. One without it was cut off.
    Done(Done),
    #[serde(untagged)]
    Binary(Box<Binary>),
}

/// One line of what verifying says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLine {
    Progress {
        checked: u64,
        total: u64,
        /// Read so far, of the copies as they lie on disk.
        bytes: u64,
        total_bytes: u64,
    },
    /// A copy that is not what it should be; it is not handed out any more.
    Damaged { sha256: String, reason: String },
    /// The last line. One without it was cut off.
    Done {
        checked: u64,
        damaged: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}
