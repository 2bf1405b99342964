//! Many processes, and large ones, on all processors: nothing is lost, or it is counted.

use common::ecs::Event;

use crate::client::Client;
use crate::hostile::witness::Pair;
use crate::storm;
use crate::workload::{self, Job, finish, workload};

/// One worker for each processor, on that processor.
pub(super) fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    static CPUS: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        std::thread::available_parallelism().unwrap().get().max(2).to_string()
    });
    [&["storm", "-j", &**CPUS, "-p"][..], more].concat()
}

pub(crate) fn start(total: u32) -> Job {
    workload::start(&mut workload(&options(&[&total.to_string()])))
}

/// With the ring that comes without a word, which a storm may well overrun.
#[test]
fn with_the_usual_settings_all_are_recorded_or_counted() {
    let total = storm::size();
    let Some(pair) = Pair::start(&[], u64::from(total) << 10) else { return };
    let run = finish(start(total));
    let books = pair.settle();
    books.assert_accounted(&books.children(&run, total));
    println!("{total} short programs: {} events lost", books.lost());
}

const LARGE: usize = 32 << 10;
/// As many fit into the largest ring there is, which the witness has.
const MOST_LARGE: u32 = 13_000;

/// The most that is kept whole, of both.
#[test]
fn arguments_and_environments_of_32_kib_are_whole_or_counted() {
    let total = (storm::size() / 10).min(MOST_LARGE);
    // A record has both, and some more.
    let Some(pair) = Pair::start(&[], u64::from(total) * 80 * 1024) else { return };
    let bytes = LARGE.to_string();
    let mut command = workload(&options(&["-a", &bytes, &total.to_string()]));
    // Name, sign and the NUL at the end.
    let value = "e".repeat(LARGE - "LARGE=".len() - 1);
    let run = finish(workload::start(command.env("LARGE", &value)));
    for recorder in [&pair.recorder, &pair.witness] {
        recorder.client.balanced_health();
        assert_whole(&recorder.client, &value);
    }
    let books = pair.settle();
    books.assert_accounted(&books.children(&run, total));
    println!("{total} large programs: {} events lost", books.lost());
}

/// The newest ones.
fn assert_whole(client: &Client, value: &str) {
    let filter = format!("cmd ~ storm-child and exe = {}", workload::path());
    let out = client.print(&["events", "--json", "-n", "100", &filter]);
    assert!(out.lines().count() > 0);
    for line in out.lines() {
        let event: Event<'_> = serde_json::from_str(line).unwrap();
        let args = event.process.args.unwrap();
        assert_eq!(args.iter().map(|arg| arg.len() + 1).sum::<usize>(), LARGE, "{args:?}");
        assert_eq!(event.process.env_vars.unwrap(), [format!("LARGE={value}")]);
        assert!(event.recorder.notes.is_empty(), "{:?}", event.recorder.notes);
    }
}
