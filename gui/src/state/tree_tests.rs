use super::*;
use crate::state::row::Text;
use crate::state::row::tests::row;

/// Process `pid`, a child of `parent`, that began at this time.
fn child(pid: i64, parent: i64, start_ns: i64) -> Row {
    Row { parent_id: Some(row(parent, 0).id), ..row(pid, start_ns) }
}

fn running(pid: i64, parent: i64, start_ns: i64, exe: &str) -> Row {
    Row { executable: Text::new(exe), ..child(pid, parent, start_ns) }
}

fn id(pid: i64) -> ProcessId {
    row(pid, 0).id
}

fn below(pid: i64, limit: u32) -> Asked {
    Asked { id: id(pid), up: 0, down: 2, limit }
}

/// Each line as its depth, what it is and its mark.
fn drawn(tree: &mut Tree) -> Vec<String> {
    let lines = tree.lines().iter().map(|line| {
        let what = match &line.kind {
            Kind::Process => line.id.pid.to_string(),
            Kind::Group { count, alike, failed, .. } => format!("{count}×{alike} {failed} failed"),
            other => format!("{other:?}"),
        };
        let mark = match line.is_open {
            None => "",
            Some(true) => " -",
            Some(false) => " +",
        };
        format!("{}{what}{mark}", " ".repeat(line.depth as usize))
    });
    lines.collect()
}

fn check(tree: &mut Tree, expected: &[&str]) {
    assert_eq!(drawn(tree), expected);
}

/// 1 › 2 › 3 (looked at) › 4 › 5 › 6 › 7
fn chain() -> Tree {
    let mut tree = Tree::new(Some(id(3)));
    let rows = (1..=7).map(|pid| child(pid, pid - 1, pid)).collect();
    tree.take(Asked::around(id(3), 3), rows);
    tree
}

#[test]
fn three_levels_down_are_open_and_the_next_is_known() {
    let mut tree = chain();
    check(
        &mut tree,
        &["1 -", " 2 -", "  3 -", "   4 -", "    5 -", "     6 +", "  Others +", " Others +"],
    );
    tree.take(below(2, 10), vec![child(2, 1, 2), child(3, 2, 3), child(8, 2, 1)]);
    let lines = drawn(&mut tree);
    assert_eq!(lines[2..4], ["  8", "  3 -"], "{lines:?}");
}

#[test]
fn ancestors_that_are_missing_are_told() {
    let mut tree = Tree::new(Some(id(9)));
    let rows = || (6..=9).map(|pid| child(pid, pid - 1, pid)).collect();
    tree.take(Asked::around(id(9), 3), rows());
    assert_eq!(drawn(&mut tree)[0], "Ancestors +");
    let line = tree.lines()[0].clone();
    let asked = tree.open(&line).unwrap();
    assert!(asked.up > 3 && asked.id == id(9));
    tree.take(asked, rows());
    assert_eq!(drawn(&mut tree)[0], "Unseen");
}

#[test]
fn equal_children_are_one_line_that_opens() {
    let mut tree = Tree::new(Some(id(1)));
    let mut rows = vec![child(1, 0, 0), running(2, 1, 1, "/bin/ls")];
    rows.extend((10..5010).map(|pid| running(pid, 1, pid, "/usr/bin/sed")));
    rows[7].state = common::record::State::Failed;
    tree.take(Asked { limit: 10_000, ..Asked::around(id(1), 3) }, rows);
    let lines = drawn(&mut tree);
    assert_eq!(lines, ["1 -", " 2", " 5000×/usr/bin/sed 1 failed +"]);
    let group = tree.lines()[2].clone();
    tree.open(&group);
    assert_eq!(tree.lines().len(), 5003);
    assert_eq!(tree.lines()[4].depth, 2);
    tree.fold(&group);
    assert_eq!(tree.lines().len(), 3);
    assert!(tree.reveal(id(700)), "opens the group");
    assert_eq!(tree.lines().len(), 5003);
}

#[test]
fn what_is_looked_at_is_not_folded_away() {
    let mut tree = Tree::new(Some(id(14)));
    tree.take(Asked::around(id(14), 3), vec![child(1, 0, 0), running(14, 1, 14, "/bin/sed")]);
    let rows = (10..30).map(|pid| running(pid, 1, pid, "/bin/sed"));
    let rows = [child(1, 0, 0)].into_iter().chain(rows).collect();
    tree.take(below(1, 1000), rows);
    check(&mut tree, &["1 -", " 19×/bin/sed 0 failed +", " 14"]);
}

#[test]
fn what_is_opened_is_asked_for_once() {
    let mut tree = Tree::new(None);
    tree.take_roots(vec![row(2, 1), row(5, 2)]);
    check(&mut tree, &["2 +", "5 +"]);
    assert_eq!(tree.wants(&(0..10)), []);
    let line = tree.lines()[0].clone();
    tree.open(&line);
    check(&mut tree, &["2 -", " Loading", "5 +"]);
    assert_eq!(tree.wants(&(0..10)), [Asked::below(id(2))]);
    assert_eq!(tree.wants(&(0..10)), []);
    tree.take(Asked::below(id(2)), vec![row(2, 1), child(3, 2, 5), child(4, 3, 6)]);
    check(&mut tree, &["2 -", " 3 +", "5 +"]);
    tree.fail(id(5));
    assert_eq!(tree.wants(&(0..10)), []);
}

#[test]
fn a_cut_answer_says_so_and_more_is_asked_for() {
    let mut tree = Tree::new(None);
    tree.take_roots(vec![row(1, 0)]);
    let rows = vec![row(1, 0), running(2, 1, 2, "/a"), running(3, 1, 3, "/b")];
    tree.take(below(1, 3), rows);
    check(&mut tree, &["1 -", " 2 +", " 3 +", " Cut +"]);
    let line = tree.lines()[3].clone();
    assert_eq!(tree.open(&line).map(|asked| asked.limit), Some(15));
    let all = vec![row(1, 0), running(2, 1, 2, "/a"), running(3, 1, 3, "/b"), child(4, 1, 4)];
    tree.take(below(1, 15), all);
    check(&mut tree, &["1 -", " 2", " 3", " 4"]);
}

#[test]
fn a_cut_below_leaves_those_after_it_unknown() {
    let mut tree = Tree::new(Some(id(1)));
    let rows = vec![
        child(1, 0, 0),
        running(2, 1, 1, "/a"),
        running(20, 2, 4, "/x"),
        running(3, 1, 2, "/b"),
        running(30, 3, 5, "/y"),
        running(4, 1, 3, "/c"),
    ];
    let asked = Asked { limit: 6, ..Asked::around(id(1), 3) };
    tree.take(asked, rows);
    let known = |tree: &Tree, pid| tree.nodes[&id(pid)].known;
    assert_eq!(known(&tree, 1), Known::All);
    assert_eq!(known(&tree, 2), Known::All);
    assert_eq!(known(&tree, 3), Known::Cut(6));
    assert_eq!(known(&tree, 4), Known::No);
}

#[test]
fn new_children_of_shown_processes_appear_and_ends_stay() {
    let mut tree = chain();
    assert!(tree.live(child(40, 4, 100)));
    assert!(!tree.live(child(50, 49, 100)), "of a stranger");
    assert!(!tree.live(child(50, 7, 100)), "of one whose children are not known");
    let lines = drawn(&mut tree);
    assert!(lines.contains(&"    40".to_owned()), "{lines:?}");
    let end = Row { is_end: true, state: common::record::State::Killed, ..child(40, 4, 100) };
    assert!(tree.live(end));
    assert_eq!(tree.row(id(40)).unwrap().state, common::record::State::Killed);
    assert_eq!(drawn(&mut tree), lines);
    let later = Row { ordinal: 1, sequence: 99, name: Text::new("later"), ..child(40, 4, 100) };
    tree.live(later);
    assert_eq!(tree.row(id(40)).unwrap().title(), "later");
}

#[test]
fn a_chain_of_any_length_is_laid_out_and_circles_end() {
    let mut tree = Tree::new(Some(id(2)));
    let rows = (2..50_000).map(|pid| child(pid, pid - 1, pid)).collect();
    tree.take(Asked { down: 60_000, limit: 60_000, ..Asked::around(id(2), 3) }, rows);
    tree.open.extend((2..50_000).map(id));
    assert_eq!(tree.lines().len(), 49_999);

    let mut circle = Tree::new(Some(id(2)));
    circle.take(Asked::around(id(2), 3), vec![child(2, 3, 1), child(3, 2, 2)]);
    circle.lines();
}

#[test]
fn lines_go_on_beside_what_has_siblings_below() {
    let mut tree = chain();
    let lines = tree.lines();
    // 4 is all that 3 has; 3 stands above the other children of 2.
    assert!(lines[3].is_last && !lines[2].is_last);
    assert_eq!(lines[3].guides, 0b110);
}
