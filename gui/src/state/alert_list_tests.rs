use super::*;
use crate::state::row::Text;

fn alert(id: u64, rule: &str, pid: u32, level: Level) -> AlertRow {
    AlertRow {
        id,
        time_ns: i64::try_from(id).unwrap() * 1000,
        last_ns: 0,
        count: 1,
        rule_id: rule.into(),
        rule: Text::new(rule),
        level,
        status: Status::New,
        note: Text::default(),
        process: format!("3f2a9c81d0b4-{pid}-1").parse().unwrap(),
        name: Text::new("sh"),
        executable: Text::default(),
        command_line: Text::default(),
        user: Text::default(),
    }
}

fn list() -> (AlertList, Marks<Key>) {
    let (mut list, mut marks) = (AlertList::default(), Marks::default());
    let rows = vec![
        alert(1, "a", 10, Level::Low),
        alert(2, "b", 10, Level::High),
        alert(3, "a", 11, Level::Low),
    ];
    list.replace(rows, &mut marks);
    (list, marks)
}

/// `a 3 1 b 2`
fn lines(list: &AlertList) -> String {
    let line = |key: &Key| match key {
        Key::Group(key) => key.split('-').next_back().unwrap().to_owned(),
        Key::Alert(id) => id.to_string(),
    };
    list.lines().iter().map(line).collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_stand_by_their_newest() {
    let (mut list, mut marks) = list();
    assert_eq!(lines(&list), "a 3 1 b 2");
    assert_eq!(list.group("a").unwrap().new, 2);
    list.add(vec![alert(4, "b", 12, Level::High)], &mut marks);
    assert_eq!(lines(&list), "b 4 2 a 3 1");
    list.choose(Choice { grouping: Grouping::Process, ..Choice::default() }, &mut marks);
    let worst: Vec<Level> = list.groups().iter().map(|group| group.worst).collect();
    assert_eq!(worst, [Level::High, Level::Low, Level::High]);
    assert_eq!(list.groups()[2].alerts, [2, 1]);
}

#[test]
fn folding_keeps_a_place() {
    let (mut list, mut marks) = list();
    marks.choose(list.lines(), &Key::Alert(3), Reach::Only);
    list.fold("a", true, &mut marks);
    assert_eq!(lines(&list), "a b 2");
    assert_eq!(marks.cursor(), Some(&Key::Alert(2)));
    assert_eq!(list.shown(), 3, "folded ones count");
    assert!(list.unfold_to(1, &mut marks));
    assert_eq!(lines(&list), "a 3 1 b 2");
    assert!(!list.unfold_to(99, &mut marks));
}

#[test]
fn what_is_decided_leaves_and_the_next_is_looked_at() {
    let (mut list, mut marks) = list();
    marks.choose(list.lines(), &Key::Alert(3), Reach::Only);
    let resolved = AlertRow { status: Status::Resolved, ..alert(3, "a", 11, Level::Low) };
    list.add(vec![resolved], &mut marks);
    assert_eq!(lines(&list), "a 1 b 2");
    assert_eq!(marks.cursor(), Some(&Key::Alert(1)));
    list.choose(Choice { statuses: vec![Status::Resolved], ..Choice::default() }, &mut marks);
    assert_eq!(lines(&list), "a 3");
}

#[test]
fn deciding_on_one_never_leads_to_a_group() {
    let (mut list, mut marks) = list();
    marks.choose(list.lines(), &Key::Alert(1), Reach::Only);
    let resolved =
        |id, rule| AlertRow { status: Status::Resolved, ..alert(id, rule, 1, Level::Low) };
    list.fold("b", true, &mut marks);
    list.add(vec![resolved(1, "a")], &mut marks);
    assert_eq!(marks.cursor(), Some(&Key::Group("b".into())));
    assert_eq!(list.meant(&marks), [] as [u64; 0], "looked at, but not chosen");
    list.fold("b", false, &mut marks);
    marks.choose(list.lines(), &Key::Alert(3), Reach::Only);
    list.add(vec![resolved(3, "a")], &mut marks);
    assert_eq!(list.meant(&marks), [2]);
}

#[test]
fn a_group_means_all_of_it() {
    let (mut list, mut marks) = list();
    marks.choose(list.lines(), &Key::Group("a".into()), Reach::Only);
    assert_eq!(list.meant(&marks), [1, 3]);
    marks.choose(list.lines(), &Key::Alert(1), Reach::Toggle);
    marks.choose(list.lines(), &Key::Alert(2), Reach::Toggle);
    assert_eq!(list.meant(&marks), [1, 2, 3], "each once");
    list.fold("a", true, &mut marks);
    assert_eq!(list.meant(&marks), [1, 2, 3]);
}

#[test]
fn levels_narrow() {
    let (mut list, mut marks) = list();
    list.choose(Choice { lowest: Level::Medium, ..Choice::default() }, &mut marks);
    assert_eq!((lines(&list).as_str(), list.shown(), list.total()), ("b 2", 1, 3));
}
