//! What is copied of a process, in the forms that other programs take.

use common::ecs::Event;
use common::escape::shell_word;
use common::filter::Field;

use super::narrow::Condition;
use super::row::Text;

/// Every image, as the recorder tells of it.
pub fn json(images: &[Event<'_>]) -> String {
    let text = match images {
        [only] => serde_json::to_string_pretty(only),
        several => serde_json::to_string_pretty(several),
    };
    text.unwrap_or_default()
}

/// A filter that finds processes like this one: same file, same arguments, same user.
pub fn filter(image: &Event<'_>) -> String {
    let conditions = [
        (Field::Exe, image.process.executable.as_deref()),
        (Field::Cmd, image.process.command_line.as_deref()),
        (Field::User, image.user.as_ref().and_then(|user| user.name.as_deref())),
    ];
    let conditions: Vec<String> = conditions
        .into_iter()
        .filter_map(|(field, value)| Some(Condition::text(field, &Text::new(value?)).include))
        .collect();
    conditions.join(" and ")
}

/// The arguments for a shell, quoted where it takes that.
pub fn shell_command(image: &Event<'_>) -> String {
    let args = image.process.args.as_deref().unwrap_or_default();
    let words: Vec<String> = args.iter().map(|arg| shell_word(arg)).collect();
    words.join(" ")
}

/// The beginning of a Sigma rule that finds its like.
pub fn sigma_stub(image: &Event<'_>) -> String {
    let mut selection = String::new();
    let fields = [
        ("Image|endswith", image.process.executable.as_deref().map(file_of)),
        ("CommandLine|contains", image.process.command_line.as_deref().map(str::to_owned)),
        (
            "ParentImage|endswith",
            image.process.parent.as_ref().and_then(|p| p.executable.as_deref()).map(file_of),
        ),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            selection.push_str(&format!("        {name}: {}\n", yaml(&sigma_text(&value))));
        }
    }
    let name = image.process.name.as_deref().unwrap_or("a process");
    let title = yaml(&format!("{name} ran"));
    format!(
        "title: {title}\n\
         status: experimental\n\
         description: Say what this finds and why it matters\n\
         logsource:\n    category: process_creation\n    product: linux\n\
         detection:\n    selection:\n{selection}    condition: selection\n\
         level: medium\n"
    )
}

fn file_of(path: &str) -> String {
    format!("/{}", path.rsplit('/').next().unwrap_or(path))
}

/// `*` and `?` mean something in a Sigma value, and so does a backslash before them.
fn sigma_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A JSON string is a YAML string.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_meant_as_they_stand() {
        assert_eq!(sigma_text("a*b?c\\d"), "a\\*b\\?c\\\\d");
    }
}
