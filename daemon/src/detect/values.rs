//! The values of a rule as its author wrote them, settled before the engine sees them: what the
//! parser lets through and the engine would take for something else is refused or written out.

use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaRule, SigmaString, SigmaValue};

/// The rule with its values written out; `Err` names the selection and what is wrong with it.
pub(super) fn settled(rule: &SigmaRule) -> Result<SigmaRule, String> {
    let mut rule = rule.clone();
    for (name, detection) in &mut rule.detection.named {
        settle(detection).map_err(|reason| format!("{name}: {reason}"))?;
    }
    Ok(rule)
}

fn settle(detection: &mut Detection) -> Result<(), String> {
    match detection {
        Detection::AllOf(items) => items.iter_mut().try_for_each(settle_item),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter_mut().try_for_each(settle),
        Detection::Keywords(values) => settle_keywords(values, &[]),
        // Refused later, with a reason of its own.
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Ok(()),
    }
}

fn settle_item(item: &mut DetectionItem) -> Result<(), String> {
    let modifiers = &item.field.modifiers;
    check_encodings(modifiers)?;
    if item.field.name.is_none() {
        return settle_keywords(&mut item.values, modifiers);
    }
    let has = |modifier| modifiers.contains(&modifier);
    if has(Modifier::Exists) {
        let is_fine = item.values.iter().all(|value| matches!(value, SigmaValue::Bool(_)));
        return match is_fine {
            true => Ok(()),
            false => Err("exists takes a boolean: true or false".to_owned()),
        };
    }
    let is_compared = [Modifier::Gt, Modifier::Gte, Modifier::Lt, Modifier::Lte].map(has);
    for value in &mut item.values {
        check_single(value)?;
        if !is_compared.contains(&true) {
            write_out(value);
        }
    }
    Ok(())
}

fn settle_keywords(values: &mut [SigmaValue], modifiers: &[Modifier]) -> Result<(), String> {
    let of_fields = [
        Modifier::Neq,
        Modifier::Exists,
        Modifier::Cidr,
        Modifier::FieldRef,
        Modifier::Gt,
        Modifier::Gte,
        Modifier::Lt,
        Modifier::Lte,
    ];
    if modifiers.iter().any(|modifier| of_fields.contains(modifier)) {
        return Err("a modifier that compares needs a field, and keywords have none".to_owned());
    }
    for value in values {
        check_single(value)?;
        write_out(value);
        match value {
            SigmaValue::Null => return Err("null is no keyword: quote it".to_owned()),
            SigmaValue::String(text) if text.original.is_empty() => {
                return Err("an empty keyword, which is in every event".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the parser makes of a map or a list where a value belongs.
fn check_single(value: &SigmaValue) -> Result<(), String> {
    const FORMS: [&str; 3] = ["Mapping {", "Sequence [", "TaggedValue {"];
    match value {
        SigmaValue::String(text) if FORMS.iter().any(|form| text.original.starts_with(form)) => {
            Err("a map or a list where a single value belongs".to_owned())
        }
        _ => Ok(()),
    }
}

/// Numbers and booleans are compared as the texts that they are: by the specification values are
/// strings, and as numbers 5 would equal "05", and `true` "yes".
fn write_out(value: &mut SigmaValue) {
    let text = match value {
        SigmaValue::Integer(number) => number.to_string(),
        SigmaValue::Bool(is_true) => is_true.to_string(),
        SigmaValue::String(_) | SigmaValue::Float(_) | SigmaValue::Null => return,
    };
    *value = SigmaValue::String(SigmaString::new(&text));
}

/// Combinations that the engine does not carry out as written.
fn check_encodings(modifiers: &[Modifier]) -> Result<(), String> {
    let at = |wanted: &[Modifier]| modifiers.iter().position(|m| wanted.contains(m));
    let base64 = at(&[Modifier::Base64, Modifier::Base64Offset]);
    let wide = at(&[Modifier::Wide, Modifier::Utf16, Modifier::Utf16be]);
    let windash = at(&[Modifier::WindAsh]);
    match (wide, base64, windash) {
        (_, Some(_), Some(_)) => Err("windash together with base64 is not supported".to_owned()),
        (Some(_), None, _) => {
            Err("wide and utf16 mean something only before base64 or base64offset".to_owned())
        }
        (Some(wide), Some(base64), _) if wide > base64 => {
            Err("wide and utf16 come before base64, not after it".to_owned())
        }
        _ => Ok(()),
    }
}
