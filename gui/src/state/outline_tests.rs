use super::*;
use crate::state::row::tests::row;

/// Answers every want from `rows`, until nothing is wanted.
fn settle(outline: &mut Outline, visible: &Range<u64>, rows: &[Row]) -> Vec<Want> {
    let mut asked = Vec::new();
    loop {
        let wants = outline.wants(visible);
        if wants.is_empty() {
            return asked;
        }
        for want in wants {
            asked.push(want);
            let within = |from: i64, to: i64| move |row: &&Row| (from..to).contains(&row.time_ns);
            match want {
                Want::Rows { from_ns, to_ns } => {
                    let found = rows.iter().filter(within(from_ns, to_ns)).cloned().collect();
                    outline.fill(from_ns, found);
                }
                Want::Counts { from_ns, to_ns, parts } => {
                    outline.split(from_ns, &counts(from_ns, to_ns, parts as usize, rows));
                }
            }
        }
    }
}

/// As the recorder counts.
fn counts(from: i64, to: i64, parts: usize, rows: &[Row]) -> Vec<u64> {
    let width = part_width(from, to, parts);
    let mut counts = vec![0; parts];
    for row in rows.iter().filter(|row| (from..to).contains(&row.time_ns)) {
        counts[usize::try_from((row.time_ns - from) / width).unwrap()] += 1;
    }
    counts
}

fn times(outline: &Outline, range: Range<u64>) -> Vec<Option<i64>> {
    range.map(|index| outline.row(index).map(|row| row.time_ns)).collect()
}

#[test]
fn any_part_of_a_long_table_is_reached_by_few_questions() {
    // Unevenly spread: half of it in a thousandth of the time.
    let spread = (0..50_000).map(|n| row(n, n * 1000));
    let burst = (50_000..100_000).map(|n| row(n, 25_000_000 + n));
    let rows: Vec<Row> = spread.chain(burst).collect();
    let mut sorted = rows.clone();
    sorted.sort_by_key(Row::place);
    let mut outline = Outline::new(0, 50_000_000, &counts(0, 50_000_000, 100, &rows), true);
    assert_eq!(outline.total(), 100_000);
    for start in [0, 24_900, 60_000, 99_950] {
        let visible = start..start + 50;
        let asked = settle(&mut outline, &visible, &rows);
        assert!(asked.len() < 8, "{start}: {asked:?}");
        for index in visible {
            let expected = &sorted[usize::try_from(index).unwrap()];
            assert_eq!(outline.row(index), Some(expected), "{index}");
        }
    }
    assert_eq!(outline.total(), 100_000);
}

#[test]
fn far_rows_are_forgotten_and_come_back() {
    let rows: Vec<Row> = (0..60_000).map(|n| row(n, n * 1000)).collect();
    let mut outline = Outline::new(0, 60_000_000, &counts(0, 60_000_000, 150, &rows), false);
    for start in (0..60_000).step_by(100) {
        settle(&mut outline, &(start..start + 50), &rows);
        outline.forget_far(&(start..start + 50));
        assert!(outline.rows().count() <= MOST_KEPT);
    }
    assert_eq!(outline.row(10), None);
    settle(&mut outline, &(0..50), &rows);
    assert_eq!(outline.row(10), Some(&rows[10]));
    assert_eq!(outline.total(), 60_000);
}

#[test]
fn live_rows_come_once_and_in_order() {
    let stored: Vec<Row> = (0..10).map(|n| row(n, n * 10)).collect();
    let mut outline = Outline::new(0, 100, &[5, 5], true);
    // Two arrive before the segment they belong to was fetched; one of them was counted.
    let Some(Want::Rows { from_ns, .. }) = outline.wants(&(0..10)).first().copied() else {
        panic!()
    };
    assert!(!outline.live(row(9, 90)));
    assert!(!outline.live(row(10, 95)));
    let shift = outline.fill(from_ns, stored);
    assert_eq!(shift, Some(Shift { index: 0, by: 1 }));
    // After the count, out of order and twice.
    assert!(outline.live(row(12, 120)));
    assert!(outline.live(row(11, 110)));
    assert!(!outline.live(row(12, 120)));
    let last: Vec<i64> = outline.rows().map(|row| row.sequence).collect();
    assert_eq!(last, (0..=12).collect::<Vec<_>>());
    assert_eq!(outline.total(), 13);
}

#[test]
fn an_end_finds_its_row() {
    let mut outline = Outline::new(0, 100, &[0], true);
    outline.live(row(1, 150));
    let end = Row {
        is_end: true,
        state: common::record::State::Failed,
        exit_code: Some(3),
        ..row(1, 150)
    };
    assert!(!outline.live(end));
    assert_eq!(outline.row(0).map(|row| row.exit_code), Some(Some(3)));
    // Of something before the range.
    assert!(!outline.live(row(99, -5)));
}

#[test]
fn the_open_segment_does_not_grow_for_ever() {
    let mut outline = Outline::new(0, 100, &[0], true);
    for n in 0..60_000 {
        outline.live(row(n, 100 + n));
        outline.forget_far(&(outline.total().saturating_sub(50)..outline.total()));
    }
    assert_eq!(outline.total(), 60_000);
    assert!(outline.rows().count() <= MOST_KEPT + MOST_OPEN);
    assert_eq!(times(&outline, 59_999..60_000), [Some(60_099)]);
    assert_eq!(outline.index_at(100 + 59_990), 59_990);
}

#[test]
fn a_wrong_count_is_put_right() {
    let mut outline = Outline::new(0, 100, &[300, 300], false);
    assert_eq!(outline.total(), 600);
    let wants = outline.wants(&(0..10));
    assert_eq!(wants.len(), 1, "the second half is not near");
    let shift = outline.fill(0, vec![row(1, 5)]);
    assert_eq!(shift, Some(Shift { index: 0, by: -299 }));
    assert_eq!(outline.total(), 301);
    assert_eq!(outline.fill(0, Vec::new()), None, "it was not asked for again");
}

#[test]
fn many_at_one_instant_are_fetched_at_once() {
    let rows: Vec<Row> = (0..5000).map(|n| row(n, 777)).collect();
    let mut outline = Outline::new(0, 1 << 40, &counts(0, 1 << 40, 100, &rows), false);
    let asked = settle(&mut outline, &(2500..2550), &rows);
    assert!(asked.len() < 12, "{asked:?}");
    assert_eq!(outline.row(2500), Some(&rows[2500]));
}

#[test]
fn what_is_passed_by_is_given_up() {
    let mut outline = Outline::new(0, 100, &[300; 100], false);
    let asked = outline.wants(&(0..50));
    assert!(!asked.is_empty());
    assert_eq!(outline.give_up_far(&(0..50)), [] as [i64; 0]);
    let given_up = outline.give_up_far(&(20_000..20_050));
    assert_eq!(given_up.len(), asked.len());
    assert_eq!(outline.fill(given_up[0], Vec::new()), None, "a late answer changes nothing");
    assert_eq!(outline.wants(&(0..50)).len(), asked.len(), "it is asked for again");
}
