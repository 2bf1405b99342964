//! How figures are printed.

pub(crate) fn row(name: &str, value: &str) {
    println!("{name:52} {value}");
}

/// Median, least and most.
pub(crate) fn spread(values: &mut [f64], unit: &str) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    format!("{:.1} {unit} (least {least:.1}, most {most:.1})", values[values.len() / 2])
}
