//! Counts and sizes in words.

use common::number::number;
pub(super) use common::number::size;

/// `3 alerts`
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = match (count, what) {
        (1, _) => "",
        (_, "process") => "es",
        _ => "s",
    };
    format!("{} {what}{plural}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(counted(1, "process"), "1 process");
        assert_eq!(counted(12_481, "process"), "12,481 processes");
    }
}
