use proptest::prelude::*;

use super::layout::{self, ImageRecord};
use super::*;

/// A record under construction: a fixed part of zeros, with fields set one by one.
struct Draft(Vec<u8>);

impl Draft {
    fn new(kind: u16, size: usize) -> Self {
        let mut draft = Self(vec![0; size]);
        draft.set(offset_of!(RecordHeader, kind), &kind.to_ne_bytes());
        draft.set(offset_of!(RecordHeader, version), &VERSION.to_ne_bytes());
        draft
    }

    fn set(&mut self, offset: usize, bytes: &[u8]) -> &mut Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn set_u32(&mut self, offset: usize, value: u32) -> &mut Self {
        self.set(offset, &value.to_ne_bytes())
    }

    fn part(&mut self, length_offset: usize, bytes: &[u8]) -> &mut Self {
        self.set_u32(length_offset, u32::try_from(bytes.len()).unwrap());
        self.0.extend_from_slice(bytes);
        self
    }

    fn finish(&mut self) -> Vec<u8> {
        let size = u32::try_from(self.0.len()).unwrap();
        self.set_u32(offset_of!(RecordHeader, size_bytes), size);
        self.0.clone()
    }
}

/// An image with all parts, of the given kind.
fn sample(kind: u16) -> Vec<u8> {
    let mut draft = Draft::new(kind, size_of::<ImageRecord>());
    draft
        .set_u32(offset_of!(RecordHeader, flags), layout::FLAG_TTY | layout::FLAG_INTERPRETER)
        .set_u32(offset_of!(ImageRecord, process.pid), 42)
        .set_u32(offset_of!(ImageRecord, argc), 7)
        .set_u32(offset_of!(ImageRecord, credentials.login_uid), layout::UNSET)
        .set_u32(offset_of!(ImageRecord, credentials.audit_session), 3)
        .set(offset_of!(ImageRecord, executable_end), &[layout::PATH_ROOT])
        .set(offset_of!(ImageRecord, cwd_end), &[layout::PATH_CUT])
        .set(offset_of!(ImageRecord, comm), b"sleep\0\0")
        .part(offset_of!(ImageRecord, parts.tty), b"pts0\0")
        .part(offset_of!(ImageRecord, parts.filename), b"script\0")
        .part(offset_of!(ImageRecord, parts.interpreter), b"/bin/sh\0")
        .part(offset_of!(ImageRecord, parts.executable), b"sh\0bin\0")
        .part(offset_of!(ImageRecord, parts.cwd), b"root\0")
        .part(offset_of!(ImageRecord, parts.cgroup), b"")
        .part(offset_of!(ImageRecord, parts.args_head), b"sh\0\0")
        .part(offset_of!(ImageRecord, parts.args_tail), b"x\0")
        .part(offset_of!(ImageRecord, parts.env_head), b"A=b\0")
        .part(offset_of!(ImageRecord, parts.env_tail), b"");
    draft.finish()
}

#[test]
fn an_image_decodes() {
    let bytes = sample(layout::RECORD_EXEC);
    let Body::Exec(image) = decode(&bytes).unwrap().body else { panic!("not an exec") };
    assert_eq!((image.process.pid, image.argc, image.comm), (42, 7, &b"sleep"[..]));
    assert_eq!(image.tty.unwrap().name, b"pts0");
    assert_eq!((image.filename, image.interpreter), (&b"script"[..], Some(&b"/bin/sh"[..])));
    assert_eq!(image.executable.path.components, b"sh\0bin\0");
    assert_eq!(image.working_directory.end, PathEnd::Cut);
    assert_eq!(image.cgroup.end, PathEnd::Fault);
    assert_eq!((image.args.head, image.args.tail), (&b"sh\0\0"[..], &b"x\0"[..]));
    assert_eq!((image.env.head, image.env.tail), (&b"A=b\0"[..], &b""[..]));
    assert_eq!(image.credentials.login_uid, None);
    assert_eq!(image.credentials.audit_session, Some(3));
}

#[test]
fn arguments_of_a_running_process_are_counted() {
    let bytes = sample(layout::RECORD_RUNNING);
    let Body::Running(image) = decode(&bytes).unwrap().body else { panic!("not running") };
    assert_eq!(image.argc, 3);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: DecodeError| {
        let mut bytes = sample(layout::RECORD_EXEC);
        change(&mut bytes);
        assert_eq!(decode(&bytes).unwrap_err(), expected);
    };
    let size_bytes = sample(layout::RECORD_EXEC).len();
    check(
        &|bytes| bytes.push(0),
        DecodeError::Length { stated: size_bytes, actual: size_bytes + 1 },
    );
    check(&|bytes| bytes[offset_of!(RecordHeader, kind)] = 99, DecodeError::Kind(99));
    check(&|bytes| bytes[offset_of!(RecordHeader, version)] = 9, DecodeError::Version(9));
    check(&|bytes| bytes[offset_of!(ImageRecord, cgroup_end)] = 9, DecodeError::PathEnd("cgroup"));
    check(
        &|bytes| bytes[size_of::<ImageRecord>() + "pts0".len()] = b'x',
        DecodeError::Unterminated("tty"),
    );
    check(
        &|bytes| bytes[offset_of!(ImageRecord, parts.env_tail) + 3] = 1,
        DecodeError::Truncated { size_bytes },
    );
    check(
        &|bytes| bytes[offset_of!(ImageRecord, parts.env_head)] = 0,
        DecodeError::Length { stated: size_bytes - 4, actual: size_bytes },
    );
    assert_eq!(decode(&[]).unwrap_err(), DecodeError::Truncated { size_bytes: 0 });
}

#[test]
fn a_stream_splits_into_records() {
    let record = sample(layout::RECORD_RUNNING);
    let mut stream = [record.clone(), record.clone()].concat();
    stream.extend_from_slice(&record[..100]);
    let mut found = records(&stream);
    assert_eq!(found.by_ref().filter(Result::is_ok).count(), 2);
    assert_eq!(found.remainder(), &record[..100]);

    let mut endless = records(&[0; 64]);
    assert!(endless.next().unwrap().is_err());
    assert!(endless.next().is_none());
}

#[cfg(feature = "load")]
#[test]
fn layout_is_that_of_the_object() {
    let structs = crate::object_btf::structs();
    for (name, size_bytes, members) in layout::table() {
        crate::object_btf::check(&structs, name, size_bytes, &members);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
        let _ = records(&bytes).count();
    }

    /// As above, but past the header's checks.
    #[test]
    fn random_bodies_never_panic(
        kind in 1u16..5,
        body in prop::collection::vec(any::<u8>(), 0..1000),
    ) {
        let mut draft = Draft::new(kind, size_of::<RecordHeader>());
        draft.0.extend_from_slice(&body);
        let _ = decode(&draft.finish());
    }

    #[test]
    fn damaged_records_never_panic(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = sample(layout::RECORD_EXEC);
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = decode(&bytes);
    }

    #[test]
    fn truncated_records_are_errors(kind in 1u16..5, length in any::<prop::sample::Index>()) {
        let bytes = sample(kind);
        let mut bytes = bytes[..length.index(bytes.len())].to_vec();
        prop_assert!(decode(&bytes).is_err());
        // Also with a length that is right.
        if bytes.len() >= 4 && kind != layout::RECORD_FORK && kind != layout::RECORD_EXIT {
            let size = u32::try_from(bytes.len()).unwrap();
            bytes[..4].copy_from_slice(&size.to_ne_bytes());
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
