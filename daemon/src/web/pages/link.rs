//! Addresses of the pages, with every value percent-encoded: the one place that builds them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path and the values of its query; empty ones are left out.
pub(super) fn with(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (at, (name, value)) in query.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        out.extend(utf8_percent_encode(value, ENCODED));
    }
    out
}

/// A path and one more part of it, whatever is in it.
pub(super) fn below(path: &str, part: &str) -> String {
    // A browser takes these two for steps in the path, encoded or not: they lead nowhere instead.
    if matches!(part, "." | "..") {
        return format!("{path}/{part}%00");
    }
    format!("{path}/{}", utf8_percent_encode(part, ENCODED))
}

pub(super) fn process(id: &common::id::ProcessId) -> String {
    format!("/processes/{id}")
}

pub(super) fn alert(id: u64) -> String {
    format!("/alerts/{id}")
}

pub(super) fn rule(id: &str) -> String {
    below("/rules", id)
}

pub(super) fn binary(sha256: &str) -> String {
    below("/binaries", sha256)
}

/// The processes that match, of all that is recorded.
pub(super) fn processes(filter: &str) -> String {
    with("/processes", &[("filter", filter), ("since", "all")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(
            with("/processes", &[("filter", "cmd ~ \"a&b=c#d\""), ("cursor", ""), ("order", "é")]),
            "/processes?filter=cmd%20~%20%22a%26b%3Dc%23d%22&order=%C3%A9"
        );
        assert_eq!(rule("../../x?y"), "/rules/..%2F..%2Fx%3Fy");
        assert_eq!(rule("<script>"), "/rules/%3Cscript%3E");
        assert!(!rule("..").ends_with(".."));
    }
}
