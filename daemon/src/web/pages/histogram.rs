//! How much happened when, as bars that lead to their part of the time. `brush.js` adds dragging.

use common::ecs::Gap;
use common::number::number;
use common::time::{duration, parse_rfc3339, rfc3339};
use maud::{Markup, PreEscaped, html};

use super::{Clock, mark};

/// Units of the drawing: it is stretched to the width of the page.
const WIDTH: u64 = 1200;
const HEIGHT: u64 = 44;
/// What has something in it can be seen.
const LOWEST: u64 = 2;

/// Counts of equal parts of a range, and the gaps of the recording in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Histogram<'a> {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) counts: &'a [u64],
    pub(crate) gaps: &'a [Gap],
}

impl Histogram<'_> {
    fn parts(&self) -> u64 {
        (self.counts.len() as u64).max(1)
    }

    fn part_ns(&self) -> i64 {
        let parts = i64::try_from(self.parts()).unwrap_or(i64::MAX);
        (self.to_ns.saturating_sub(self.from_ns) / parts).max(1)
    }

    fn start_of(&self, part: usize) -> i64 {
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        self.from_ns.saturating_add(self.part_ns().saturating_mul(part))
    }

    /// Left edge and width of a part.
    fn span_of(&self, part: usize) -> (u64, u64) {
        let edge = |at: u64| at * WIDTH / self.parts();
        let left = edge(part as u64);
        (left, (edge(part as u64 + 1) - left).max(1))
    }

    /// Parts with a gap, with how many records each lacks.
    fn gaps_by_part(&self) -> Vec<(usize, u64)> {
        let mut parts: Vec<(usize, u64)> = Vec::new();
        for gap in self.gaps {
            let Some(ns) = parse_rfc3339(&gap.timestamp) else { continue };
            let Ok(part) = usize::try_from((ns - self.from_ns).div_euclid(self.part_ns())) else {
                continue;
            };
            if part >= self.counts.len() {
                continue;
            }
            match parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, count)) => *count += gap.count,
                None => parts.push((part, gap.count)),
            }
        }
        parts
    }
}

/// `narrowed` makes the address of a part from its two edges, RFC 3339.
pub(super) fn show(
    histogram: &Histogram<'_>,
    clock: &Clock,
    narrowed: &dyn Fn(&str, &str) -> String,
) -> Markup {
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    let total: u64 = histogram.counts.iter().sum();
    let gaps = histogram.gaps_by_part();
    let label = format!("{} in time, {} gaps", number(total), gaps.len());
    html! {
        figure.histogram {
            svg #histogram viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none"
                role="img" aria-label=(label)
                data-from=(rfc3339(histogram.from_ns)) data-to=(rfc3339(histogram.to_ns)) {
                (hatching())
                @for (part, count) in histogram.counts.iter().enumerate() {
                    (bar(histogram, clock, part, *count, most, narrowed))
                }
                @for (part, missing) in &gaps { (gap(histogram, *part, *missing)) }
            }
            figcaption {
                (clock.at(histogram.from_ns))
                span.note {
                    "bars of " (duration(histogram.part_ns().unsigned_abs()))
                    ", the tallest " (number(most))
                    @if !gaps.is_empty() {
                        " · " span.warning { (mark::mark("hatch")) span { "gaps in the recording" } }
                    }
                }
                (clock.at(histogram.to_ns))
            }
        }
    }
}

fn hatching() -> Markup {
    // Written out: the names of these elements are in mixed case.
    PreEscaped(
        "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect class=\"hatch\" width=\"2\" height=\"5\"/></pattern>\
         </defs>"
            .to_owned(),
    )
}

fn bar(
    histogram: &Histogram<'_>,
    clock: &Clock,
    part: usize,
    count: u64,
    most: u64,
    narrowed: &dyn Fn(&str, &str) -> String,
) -> Markup {
    if count == 0 {
        return html! {};
    }
    let (x, width) = histogram.span_of(part);
    let height = u128::from(count) * u128::from(HEIGHT - LOWEST) / u128::from(most.max(1));
    let height = u64::try_from(height).unwrap_or(0) + LOWEST;
    let (from, to) = (histogram.start_of(part), histogram.start_of(part + 1));
    let title = format!("{}: {}", clock.0.time(from), number(count));
    html! {
        a href=(narrowed(&rfc3339(from), &rfc3339(to))) tabindex="-1" {
            title { (title) }
            rect.reach x=(x) y="0" width=(width) height=(HEIGHT) {}
            rect.bar x=(x) y=(HEIGHT - height) width=(width.saturating_sub(1).max(1))
                height=(height) {}
        }
    }
}

fn gap(histogram: &Histogram<'_>, part: usize, missing: u64) -> Markup {
    let (x, width) = histogram.span_of(part);
    let title = match missing {
        0 => "gap: how much is missing cannot be told".to_owned(),
        missing => format!("gap: {} missing", super::measure::counted(missing, "record")),
    };
    html! {
        rect.gap x=(x) y="0" width=(width.max(6)) height=(HEIGHT) fill="url(#hatch)" {
            title { (title) }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn gap_at(ns: i64) -> Gap {
        let (kind, cause) = ("exec".to_owned(), "ring-full".to_owned());
        Gap { timestamp: rfc3339(ns), cpu: 0, kind, count: 3, cause }
    }

    #[test]
    fn bars_lead_to_their_part() {
        let counts = [0, 1, u64::MAX / 2];
        let gaps = [gap_at(150), gap_at(160), gap_at(999), gap_at(-5)];
        let histogram = Histogram { from_ns: 0, to_ns: 300, counts: &counts, gaps: &gaps };
        assert_eq!(histogram.gaps_by_part(), [(1, 6)]);
        let clock = Clock(common::time::Clock { now_ns: 0, zone: TimeZone::UTC });
        let shown = show(&histogram, &clock, &|from, to| format!("/?{from}&{to}")).into_string();
        assert_eq!(shown.matches("rect class=\"bar\"").count(), 2);
        assert!(shown.contains("00.000000100Z&amp;1970-01-01T00:00:00.000000200Z"), "{shown}");
    }

    #[test]
    fn an_empty_range_is_no_fault() {
        let histogram = Histogram { from_ns: 5, to_ns: 5, counts: &[], gaps: &[gap_at(5)] };
        let clock = Clock(common::time::Clock { now_ns: 0, zone: TimeZone::UTC });
        show(&histogram, &clock, &|_, _| String::new());
    }
}
