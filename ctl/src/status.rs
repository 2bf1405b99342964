//! How a process stands, as a symbol and words.

use common::ecs::Event;

use crate::screen::Tone;

/// `SIGKILL`; real-time signals by number.
pub(crate) fn signal_name(number: u8) -> String {
    match common::filter::signal_name(number) {
        Some(name) => format!("SIG{name}"),
        None => format!("signal {number}"),
    }
}

fn symbol(state: &str) -> (&'static str, Tone) {
    match state {
        "running" => ("▶", Tone::Running),
        "ended" => ("·", Tone::Dim),
        "failed" => ("✗", Tone::Failed),
        "killed" => ("!", Tone::Killed),
        _ => ("?", Tone::Dim),
    }
}

/// `▶ running`, `· ended`, `✗ exit 1`, `! SIGKILL`: for tables.
pub(crate) fn short(event: &Event<'_>) -> (String, Tone) {
    let state = &*event.recorder.state;
    let (symbol, tone) = symbol(state);
    let words = match (state, event.process.exit_code, event.process.exit_signal) {
        ("running", ..) if event.event.action == "fork" => "forked".to_owned(),
        ("failed", Some(code), _) => format!("exit {code}"),
        ("killed", _, Some(signal)) => signal_name(signal),
        _ => state.to_owned(),
    };
    (format!("{symbol} {words}"), tone)
}

/// `· ended`, `✗ failed`, `! killed`: where words follow.
pub(crate) fn state(event: &Event<'_>) -> (String, Tone) {
    let (symbol, tone) = symbol(&event.recorder.state);
    (format!("{symbol} {}", event.recorder.state), tone)
}

/// `exit 0 after 1.4 ms`, `killed by SIGKILL after 2.0 s, core dumped`, `running`.
pub(crate) fn sentence(event: &Event<'_>) -> String {
    let process = &event.process;
    let end = match (process.exit_signal, process.exit_code) {
        (Some(signal), _) => format!("killed by {}", signal_name(signal)),
        (None, Some(code)) => format!("exit {code}"),
        (None, None) if event.recorder.state == "unobserved" => {
            return "ended while nobody watched".to_owned();
        }
        (None, None) if event.recorder.state == "running" => return "running".to_owned(),
        (None, None) => "ended".to_owned(),
    };
    let Some(resources) = &event.recorder.resources else { return end };
    let core = if resources.core_dump { ", core dumped" } else { "" };
    format!("{end} after {}{core}", common::time::duration(resources.run_time_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::event;

    #[test]
    fn every_way_to_end_has_a_symbol_and_a_word() {
        let check = |state: &str, code, signal, expected: [&str; 3]| {
            let mut event = event(4711, "curl");
            event.recorder.state = state.to_owned().into();
            event.process.exit_code = code;
            event.process.exit_signal = signal;
            let found = [short(&event).0, super::state(&event).0, sentence(&event)];
            assert_eq!(found, expected);
        };
        check("running", None, None, ["▶ running", "▶ running", "running"]);
        check("ended", Some(0), None, ["· ended", "· ended", "exit 0"]);
        check("failed", Some(1), None, ["✗ exit 1", "✗ failed", "exit 1"]);
        check("failed", None, None, ["✗ failed", "✗ failed", "ended"]);
        check("killed", None, Some(9), ["! SIGKILL", "! killed", "killed by SIGKILL"]);
        check("killed", None, Some(34), ["! signal 34", "! killed", "killed by signal 34"]);
        let gone = "ended while nobody watched";
        check("unobserved", None, None, ["? unobserved", "? unobserved", gone]);
    }
}
