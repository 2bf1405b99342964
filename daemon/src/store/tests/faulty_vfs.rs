//! The file system as SQLite sees it, with a fault where a test wants one.
//!
//! Everything is handed on to SQLite's default, counted by kind; one call, or all from one on, fails
//! instead. Nothing is synced in fact: no test cuts the power.

#![expect(unsafe_code, reason = "SQLite's interface to file systems is one of C")]
#![expect(non_snake_case, reason = "the methods have the names of the C interface")]

use std::ffi::{CString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::store::sqlite_uri;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Read,
    WriteLog,
    /// What the log holds is put there, and nothing else once the database is there.
    WriteDatabase,
    Truncate,
    Sync,
    MapIndex,
    LockIndex,
}

pub(super) const KINDS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// From 0, since the faults were set.
    pub(super) number: usize,
    /// What SQLite is told.
    pub(super) code: c_int,
    /// All that follow of that kind fail too.
    pub(super) is_lasting: bool,
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    has_struck: bool,
    counts: [usize; KINDS],
}

/// One for each test, which stays until its process ends.
pub(super) struct FaultyVfs {
    name: String,
    original: *mut sqlite3_vfs,
    plan: Mutex<Plan>,
}

impl FaultyVfs {
    pub(super) fn register() -> &'static Self {
        // Others register theirs, which changes the list that the default is in.
        static LIST: Mutex<()> = Mutex::new(());
        let _list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: null asks for the default, which is there as long as the process.
        let original = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        assert!(!original.is_null());
        let faulty =
            Box::leak(Box::new(Self { name: String::new(), original, plan: Mutex::default() }));
        // No two have one address.
        faulty.name = format!("faulty-{:p}", &raw const *faulty);
        let faulty: &'static Self = faulty;
        // SAFETY: only registering changes it, and that is done here.
        let default = unsafe { *original };
        let own_size = c_int::try_from(size_of::<File>()).unwrap();
        // Of its methods only xOpen looks at pAppData.
        let vfs = sqlite3_vfs {
            szOsFile: own_size + default.szOsFile,
            pNext: std::ptr::null_mut(),
            zName: CString::new(&*faulty.name).unwrap().into_raw(),
            pAppData: (&raw const *faulty).cast_mut().cast(),
            xOpen: Some(xOpen),
            ..default
        };
        // SAFETY: it is never freed, nor is what it points to.
        let result = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
        assert_eq!(result, ffi::SQLITE_OK);
        faulty
    }

    /// As a path that SQLite opens through this.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        sqlite_uri(path, &format!("vfs={}", self.name)).into()
    }

    /// Counts from 0 again.
    pub(super) fn set(&self, fault: Option<Fault>) {
        *self.plan.lock().unwrap() = Plan { fault, ..Plan::default() };
    }

    pub(super) fn has_struck(&self) -> bool {
        self.plan.lock().unwrap().has_struck
    }

    pub(super) fn counts(&self) -> [usize; KINDS] {
        self.plan.lock().unwrap().counts
    }

    /// Counts a call; what it is to fail with, if it is to fail.
    fn meet(&self, kind: Kind) -> Result<(), c_int> {
        // A panic must not pass through SQLite.
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let number = plan.counts[kind as usize];
        plan.counts[kind as usize] += 1;
        let is_met = |fault: &Fault| {
            let is_due = number == fault.number || (fault.is_lasting && number > fault.number);
            fault.kind == kind && is_due
        };
        let Some(fault) = plan.fault.filter(is_met) else { return Ok(()) };
        plan.has_struck = true;
        Err(fault.code)
    }
}

/// What SQLite knows as a file; that of the default VFS follows it in memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    vfs: &'static FaultyVfs,
    is_log: bool,
}

fn original(file: *mut sqlite3_file) -> *mut sqlite3_file {
    file.cast::<File>().wrapping_add(1).cast()
}

/// `file` is open.
fn of(file: *mut sqlite3_file) -> &'static File {
    // SAFETY: SQLite hands files to these methods only if `xOpen` made them, until they are closed,
    // and the methods keep no reference.
    unsafe { &*file.cast::<File>() }
}

/// Hands a call on.
macro_rules! original {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let original = original($file);
        // SAFETY: the default VFS opened it, behind the file that SQLite hands in.
        let methods = unsafe { (*original).pMethods };
        // SAFETY: methods of a file that is open are there, and do not change.
        let method = unsafe { (*methods).$method }.expect("versions are alike");
        // SAFETY: the arguments are those that SQLite gave for this method.
        unsafe { method(original $(, $argument)*) }
    }};
}

/// Hands a call on if it is not to fail.
macro_rules! unless_faulty {
    ($kind:expr, $file:ident, $method:ident $(, $argument:expr)*) => {
        match of($file).vfs.meet($kind) {
            Ok(()) => original!($file, $method $(, $argument)*),
            Err(code) => code,
        }
    };
}

unsafe extern "C" fn xOpen(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite hands in what was registered.
    let data = unsafe { (*vfs).pAppData };
    // SAFETY: `register` put it there, and it stays.
    let vfs = unsafe { &*data.cast::<FaultyVfs>() };
    let base = sqlite3_file { pMethods: std::ptr::null() };
    let is_log = flags & ffi::SQLITE_OPEN_WAL != 0;
    // SAFETY: SQLite has made room for `szOsFile` bytes. Without methods it does not close it.
    unsafe { file.cast::<File>().write(File { base, vfs, is_log }) };
    if let Err(code) = vfs.meet(Kind::Open) {
        return code;
    }
    // SAFETY: the default VFS stays.
    let open = unsafe { (*vfs.original).xOpen }.expect("every VFS opens files");
    let behind = original(file);
    // SAFETY: all but the file is as SQLite gave it, and that has the room that the default asks for.
    let result = unsafe { open(vfs.original, name, behind, flags, flags_out) };
    if result == ffi::SQLITE_OK {
        // SAFETY: as above.
        unsafe { (*file).pMethods = &raw const METHODS };
    }
    result
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(xClose),
    xRead: Some(xRead),
    xWrite: Some(xWrite),
    xTruncate: Some(xTruncate),
    xSync: Some(xSync),
    xFileSize: Some(xFileSize),
    xLock: Some(xLock),
    xUnlock: Some(xUnlock),
    xCheckReservedLock: Some(xCheckReservedLock),
    xFileControl: Some(xFileControl),
    xSectorSize: Some(xSectorSize),
    xDeviceCharacteristics: Some(xDeviceCharacteristics),
    xShmMap: Some(xShmMap),
    xShmLock: Some(xShmLock),
    xShmBarrier: Some(xShmBarrier),
    xShmUnmap: Some(xShmUnmap),
    xFetch: Some(xFetch),
    xUnfetch: Some(xUnfetch),
};

unsafe extern "C" fn xClose(file: *mut sqlite3_file) -> c_int {
    original!(file, xClose)
}

unsafe extern "C" fn xRead(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    unless_faulty!(Kind::Read, file, xRead, to, n, at)
}

unsafe extern "C" fn xWrite(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    let kind = if of(file).is_log { Kind::WriteLog } else { Kind::WriteDatabase };
    match of(file).vfs.meet(kind) {
        Ok(()) => original!(file, xWrite, from, n, at),
        Err(code) => {
            // As much as there was room for.
            original!(file, xWrite, from, n / 2, at);
            code
        }
    }
}

unsafe extern "C" fn xTruncate(file: *mut sqlite3_file, size: i64) -> c_int {
    unless_faulty!(Kind::Truncate, file, xTruncate, size)
}

unsafe extern "C" fn xSync(file: *mut sqlite3_file, _: c_int) -> c_int {
    of(file).vfs.meet(Kind::Sync).err().unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn xFileSize(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    original!(file, xFileSize, size)
}

unsafe extern "C" fn xLock(file: *mut sqlite3_file, lock: c_int) -> c_int {
    original!(file, xLock, lock)
}

unsafe extern "C" fn xUnlock(file: *mut sqlite3_file, lock: c_int) -> c_int {
    original!(file, xUnlock, lock)
}

unsafe extern "C" fn xCheckReservedLock(file: *mut sqlite3_file, result: *mut c_int) -> c_int {
    original!(file, xCheckReservedLock, result)
}

unsafe extern "C" fn xFileControl(file: *mut sqlite3_file, op: c_int, with: *mut c_void) -> c_int {
    original!(file, xFileControl, op, with)
}

unsafe extern "C" fn xSectorSize(file: *mut sqlite3_file) -> c_int {
    original!(file, xSectorSize)
}

unsafe extern "C" fn xDeviceCharacteristics(file: *mut sqlite3_file) -> c_int {
    original!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn xShmMap(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    is_to_extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    unless_faulty!(Kind::MapIndex, file, xShmMap, region, size, is_to_extend, to)
}

unsafe extern "C" fn xShmLock(file: *mut sqlite3_file, at: c_int, n: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        // Does not fail: SQLite does not look.
        return original!(file, xShmLock, at, n, flags);
    }
    unless_faulty!(Kind::LockIndex, file, xShmLock, at, n, flags)
}

unsafe extern "C" fn xShmBarrier(file: *mut sqlite3_file) {
    original!(file, xShmBarrier);
}

unsafe extern "C" fn xShmUnmap(file: *mut sqlite3_file, is_to_delete: c_int) -> c_int {
    original!(file, xShmUnmap, is_to_delete)
}

unsafe extern "C" fn xFetch(
    file: *mut sqlite3_file,
    at: i64,
    n: c_int,
    to: *mut *mut c_void,
) -> c_int {
    original!(file, xFetch, at, n, to)
}

unsafe extern "C" fn xUnfetch(file: *mut sqlite3_file, at: i64, page: *mut c_void) -> c_int {
    original!(file, xUnfetch, at, page)
}
