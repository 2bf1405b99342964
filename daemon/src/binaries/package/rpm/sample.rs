//! Made-up headers and databases for tests.

use std::path::Path;

use rusqlite::Connection;

/// As rpm 4.18 creates them, quotes included.
const SCHEMA: &str = "\
    CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);\
    CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, \
        FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum));\
    CREATE INDEX 'Basenames_key_idx' ON 'Basenames'(key ASC);";

/// The header of a package, of which a test changes what it is about.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) epoch: Option<u32>,
    /// MD5 without.
    pub(super) algorithm: Option<u32>,
    pub(super) directories: &'static [&'static str],
    pub(super) files: Vec<SampleFile>,
}

#[derive(Clone)]
pub(super) struct SampleFile {
    pub(super) directory: u32,
    pub(super) name: &'static str,
    pub(super) digest: String,
    pub(super) mode: u16,
    pub(super) flags: u32,
    pub(super) state: u8,
}

impl SampleFile {
    pub(super) fn new(directory: u32, name: &'static str, digest: String) -> Self {
        Self { directory, name, digest, mode: 0o100_755, flags: 0, state: 0 }
    }
}

impl Sample {
    /// With version 1.2-3 and SHA-256 digests.
    pub(super) fn new(name: &'static str, files: Vec<SampleFile>) -> Self {
        let directories = &["/usr/bin/", "/bin/", "/opt/"];
        Self { name, epoch: None, algorithm: Some(8), directories, files }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let texts = |texts: Vec<&str>| texts.iter().map(|text| format!("{text}\0")).collect();
        let numbers = |numbers: Vec<u32>| numbers.into_iter().flat_map(u32::to_be_bytes).collect();
        let files = &self.files;
        let mut made = Made::default();
        for (tag, text) in [(1000, self.name), (1001, "1.2"), (1002, "3")] {
            made.add(tag, 6, 1, format!("{text}\0").into_bytes());
        }
        if let Some(epoch) = self.epoch {
            made.add(1003, 4, 1, numbers(vec![epoch]));
        }
        let modes = files.iter().flat_map(|file| file.mode.to_be_bytes()).collect();
        made.add(1030, 3, files.len(), modes);
        let digests: String = texts(files.iter().map(|file| file.digest.as_str()).collect());
        made.add(1035, 8, files.len(), digests.into_bytes());
        made.add(1037, 4, files.len(), numbers(files.iter().map(|file| file.flags).collect()));
        made.add(1116, 4, files.len(), numbers(files.iter().map(|file| file.directory).collect()));
        let names: String = texts(files.iter().map(|file| file.name).collect());
        made.add(1117, 8, files.len(), names.into_bytes());
        let directories: String = texts(self.directories.to_vec());
        made.add(1118, 8, self.directories.len(), directories.into_bytes());
        if let Some(algorithm) = self.algorithm {
            made.add(5011, 4, 1, numbers(vec![algorithm]));
        }
        made.add(1029, 1, files.len(), files.iter().map(|file| file.state).collect());
        made.header()
    }
}

#[derive(Default)]
struct Made {
    entries: Vec<u8>,
    data: Vec<u8>,
}

impl Made {
    fn add(&mut self, tag: u32, kind: u32, count: usize, data: Vec<u8>) {
        let alignment = match kind {
            3 => 2,
            4 => 4,
            _ => 1,
        };
        self.data.resize(self.data.len().next_multiple_of(alignment), 0);
        let (offset, count) = (self.data.len().try_into().unwrap(), count.try_into().unwrap());
        self.entries.extend([tag, kind, offset, count].into_iter().flat_map(u32::to_be_bytes));
        self.data.extend(data);
    }

    fn header(self) -> Vec<u8> {
        let lens = [self.entries.len() / 16, self.data.len()];
        let mut header: Vec<u8> =
            lens.into_iter().flat_map(|len| u32::try_from(len).unwrap().to_be_bytes()).collect();
        header.extend(self.entries);
        header.extend(self.data);
        header
    }
}

/// Creates the database if need be, and installs the packages. Returned open, as rpm has it while
/// it works: in this mode changes are in a log first.
pub(super) fn install(root: &Path, packages: &[Sample]) -> Connection {
    let directory = root.join("var/lib/rpm");
    std::fs::create_dir_all(&directory).unwrap();
    let connection = Connection::open(directory.join("rpmdb.sqlite")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    // So that tests can do damage.
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    if !connection.table_exists(None, "Packages").unwrap() {
        connection.execute_batch(SCHEMA).unwrap();
    }
    for package in packages {
        connection.execute("INSERT INTO Packages (blob) VALUES (?1)", [package.header()]).unwrap();
        let number = connection.last_insert_rowid();
        for (index, file) in (0_i64..).zip(&package.files) {
            connection
                .execute("INSERT INTO Basenames VALUES (?1, ?2, ?3)", (file.name, number, index))
                .unwrap();
        }
    }
    connection
}
