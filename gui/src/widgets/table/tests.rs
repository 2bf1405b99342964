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
fn what_has_no_room_is_left_out_from_the_right() {
    let spec = |title| Spec { title, width: 50.0, is_right: false, is_wide: false, is_shown: true };
    let specs =
        [spec("a"), Spec { is_wide: true, width: 100.0, ..spec("b") }, spec("c"), spec("d")];
    let columns: Vec<Column> = specs.iter().map(Spec::column).collect();
    let check = |width: f32, expected: &[(usize, f32)]| {
        let layout = Layout::new(&specs, &columns, 10.0, 10.0 + width);
        let places: Vec<_> =
            layout.places.iter().map(|place| (place.number, place.width)).collect();
        assert_eq!(places, expected, "{width}");
    };
    check(300.0, &[(0, 50.0), (1, 150.0), (2, 50.0), (3, 50.0)]);
    check(250.0, &[(0, 50.0), (1, 100.0), (2, 50.0), (3, 50.0)]);
    check(249.0, &[(0, 50.0), (1, 149.0), (2, 50.0)]);
    check(120.0, &[(1, 120.0)]);
    check(20.0, &[(1, 100.0)]);
}
