use super::*;

#[test]
fn a_million_rows_keep_their_place() {
    let mut state = TableState { page: 40.0, ..TableState::default() };
    state.to_end(10_000_000);
    assert!((state.top - 9_999_960.0).abs() < 1e-6);
    state.reveal(9_999_960);
    assert!((state.top - 9_999_960.0).abs() < 1e-6);
    state.reveal(5_000_000);
    assert!((state.top - 5_000_000.0).abs() < 1e-6);
    state.top += 0.01;
    assert!(state.top > 5_000_000.0);
    state.clamp(100);
    assert!((state.top - 60.0).abs() < 1e-6);
}

#[test]
fn columns_of_other_versions_are_put_right() {
    let spec = |title| Spec { title, width: 50.0, is_right: false, is_wide: false, is_shown: true };
    let mut remembered = vec![
        Column { name: "gone".to_owned(), width: 1.0, is_shown: true },
        Column { name: "b".to_owned(), width: 70.0, is_shown: false },
    ];
    let names: Vec<(String, f32)> = columns(&mut remembered, &[spec("a"), spec("b")])
        .iter()
        .map(|column| (column.name.clone(), column.width))
        .collect();
    assert_eq!(names, [("b".to_owned(), 70.0), ("a".to_owned(), 50.0)]);
}
