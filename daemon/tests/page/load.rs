//! What the page bears while the machine is busy: a crowd, people who hold it up, and nonsense.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::client::{Client, capture};
use crate::http::{Connection, Visitor, request};
use crate::recorder::wait_for;
use crate::site::Site;
use crate::workload::{self, Run, finish, workload};

const READERS: usize = 200;
const STREAMS: usize = 50;
const LINGERERS: usize = 500;
const BAD_REQUESTS: usize = 20_000;
const BAD_THREADS: usize = 4;
const STORM: u32 = 2000;
/// Of the page's process: the MemoryMax of its unit.
const MOST_MEMORY_KB: u64 = 128 << 10;
/// A person waits so long, on a busy machine, before the page is called dead.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_REFUSAL_BYTES: usize = 8 << 10;

/// What a request is refused with. No status: the connection may also be closed without a word.
struct Bad {
    name: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
    may_close: bool,
}

/// Every kind of refusal.
fn bad_requests(address: SocketAddr, visitor: &Visitor, revoked: &str, used: &str) -> Vec<Bad> {
    let session = &*visitor.cookie;
    let get = |target: &str, lines: &[&str]| request(address, "GET", target, lines);
    let ask = |method: &str, target: &str, lines: &[&str]| request(address, method, target, lines);
    let foreign_host = b"GET /processes HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec();
    let old = b"GET /processes HTTP/1.0\r\n\r\n".to_vec();
    let proxied = request(address, "GET", "http://evil.example/", &[session]);
    let long = format!("x-long: {}", "x".repeat(64 << 10));
    let many: Vec<String> = (0..200).map(|number| format!("x-{number}: x")).collect();
    let many: Vec<&str> = many.iter().map(|line| &**line).collect();
    let foreign = "origin: http://evil.example";
    let none =
        "cookie: bpf-recorder=0000000000000000000000000000000000000000000000000000000000000000";
    let unsaid = [session, "content-length: 2"];
    let mut unchanged = ask("POST", "/api/v1/alerts/status", &unsaid);
    unchanged.extend_from_slice(b"{}");
    let large = [session, "x-bpf-recorder: 1", "content-length: 1100000"];
    let mut large = ask("PUT", "/api/v1/rules/uploads/large.yml", &large);
    large.resize(large.len() + 1_100_000, b'#');
    let change = [session, "x-bpf-recorder: 1", "content-length: 0"];
    let bad = |name, bytes, statuses| Bad { name, bytes, statuses, may_close: false };
    let cut = |name, bytes, statuses| Bad { name, bytes, statuses, may_close: true };
    vec![
        bad("another host", foreign_host, &[421]),
        bad("another origin", get("/processes", &[session, foreign]), &[403]),
        bad("another site", get("/alerts", &[session, "sec-fetch-site: cross-site"]), &[403]),
        bad("a change without the header", unchanged, &[403]),
        bad("no session", get("/processes", &[]), &[401]),
        bad("no session of the api", get("/api/v1/processes", &[]), &[401]),
        bad("a made-up session", get("/processes", &[none]), &[401]),
        bad("a revoked session", get("/rules", &[revoked]), &[401]),
        bad("a used link", get(used, &[]), &[401]),
        bad("a made-up link", get("/login?link=abc", &[]), &[401]),
        bad("dots", get("/processes/../rules", &[session]), &[400]),
        bad("escaped dots", get("/processes/%2e%2e/rules", &[session]), &[400]),
        bad("an escaped slash", get("/processes%2frules", &[session]), &[400]),
        bad("two slashes", get("//evil.example/", &[session]), &[400]),
        bad("a proxy", proxied, &[400]),
        bad("a bad filter", get("/api/v1/processes?filter=nosuch%20%3D%201", &[session]), &[400]),
        bad("a bad limit", get("/api/v1/processes?limit=-1", &[session]), &[400]),
        bad("no such page", get("/nosuch", &[session]), &[404]),
        bad("an unknown method", ask("BREW", "/processes", &[session]), &[501]),
        bad("TRACE", ask("TRACE", "/processes", &[session]), &[501]),
        bad("a method for another place", ask("DELETE", "/processes", &change), &[405]),
        cut("an old version", old, &[505]),
        cut("a large body", large, &[413]),
        cut("a large header", get("/processes", &[session, &long]), &[431]),
        cut("many headers", get("/processes", &many), &[431]),
        cut("a header twice", get("/processes", &[session, "host: evil.example"]), &[400]),
        cut("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
    ]
}

/// Those that can go on after a refusal do, as a browser would.
fn refused(address: SocketAddr, kept: &mut Option<Connection>, bad: &Bad) -> Result<(), String> {
    let old = kept.take().filter(|_| !bad.may_close);
    // It may have been closed meanwhile.
    if let Some(old) = old
        && refused_at(old, kept, bad).is_ok()
    {
        return Ok(());
    }
    let connection = Connection::open(address).map_err(|error| error.to_string())?;
    refused_at(connection, kept, bad)
}

fn refused_at(
    mut connection: Connection,
    kept: &mut Option<Connection>,
    bad: &Bad,
) -> Result<(), String> {
    // A server that has seen enough need not read on.
    let sent = connection.send(&bad.bytes);
    match connection.answer() {
        Ok(answer) => {
            let is_short = answer.body.len() <= MOST_REFUSAL_BYTES;
            if !bad.statuses.contains(&answer.status) || !is_short {
                let length = answer.body.len();
                return Err(format!("{}: {} with {length} bytes", bad.name, answer.status));
            }
            let is_open = answer.header("connection") != Some("close") && !bad.may_close;
            *kept = is_open.then_some(connection);
            Ok(())
        }
        Err(_) if bad.may_close => Ok(()),
        Err(error) => Err(format!("{}: {error} ({sent:?})", bad.name)),
    }
}

/// Of the page's process, so far.
fn peak_memory_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[derive(Default)]
struct Counts {
    answers: AtomicU64,
    refusals: AtomicU64,
    events: AtomicU64,
    given_up: AtomicU64,
}

fn spawn<'s>(scope: &'s Scope<'s, '_>, task: impl FnOnce() + Send + 's) {
    Builder::new().stack_size(256 << 10).spawn_scoped(scope, task).unwrap();
}

/// Reads the list again and again over one connection.
fn read_on(visitor: &Visitor, counts: &Counts, is_over: &AtomicBool) {
    let list = visitor.request("/api/v1/processes?limit=50");
    let mut connection = Connection::open(visitor.address).unwrap();
    while !is_over.load(Ordering::Relaxed) {
        let answer = connection.ask(&list).expect("a reader's connection stays");
        match answer.status {
            200 => counts.answers.fetch_add(1, Ordering::Relaxed),
            // There are more questions than places for them.
            503 => counts.refusals.fetch_add(1, Ordering::Relaxed),
            _ if is_over.load(Ordering::Relaxed) => return,
            status => panic!("a reader got {status}: {}", answer.text()),
        };
    }
}

fn follow(visitor: &Visitor, counts: &Counts, is_over: &AtomicBool) {
    let mut connection = Connection::open(visitor.address).unwrap();
    connection.send(&visitor.request("/api/v1/events?filter=cmd+~+storm-child")).unwrap();
    assert_eq!(connection.head().unwrap().0, 200);
    let mut told = Vec::new();
    while !is_over.load(Ordering::Relaxed) && connection.chunk(&mut told).is_ok_and(|more| more) {
        if told.starts_with(b"event: record") {
            counts.events.fetch_add(1, Ordering::Relaxed);
        }
        told.clear();
    }
}

/// Half say nothing, half a byte now and then; who is given up comes again.
fn linger(address: SocketAddr, counts: &Counts, is_over: &AtomicBool) {
    let head = b"GET /processes HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ";
    let open = || {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    };
    let mut streams: Vec<Option<TcpStream>> = (0..LINGERERS).map(|_| open()).collect();
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (at, place) in streams.iter_mut().enumerate() {
            let Some(stream) = place else {
                *place = open();
                continue;
            };
            let mut byte = [0];
            let is_closed = matches!(stream.read(&mut byte), Ok(0));
            let byte = head.get(turn).copied().unwrap_or(b'x');
            let is_broken = at % 2 == 0 && stream.write_all(&[byte]).is_err();
            if is_closed || is_broken {
                counts.given_up.fetch_add(1, Ordering::Relaxed);
                *place = None;
            }
        }
        turn += 1;
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Sends every kind of nonsense in turn; returns what was not refused as it should be.
fn pester(address: SocketAddr, kinds: &[Bad], share: usize) -> BTreeMap<String, usize> {
    let mut failures = BTreeMap::new();
    let mut kept = None;
    // Those that need more than a look at the head are few.
    for bad in kinds.iter().filter(|bad| bad.bytes.len() < 100_000).cycle().take(share) {
        if let Err(failure) = refused(address, &mut kept, bad) {
            *failures.entry(failure).or_default() += 1;
        }
    }
    failures
}

/// Nobody says how long the first line of a request may be but the server.
fn endless_line(address: SocketAddr) {
    let mut connection = Connection::open(address).unwrap();
    let mut sent = 0_usize;
    let part = [b'a'; 16 << 10];
    let _ = connection.send(b"GET /");
    while sent < 64 << 20 && connection.send(&part).is_ok() {
        sent += part.len();
    }
    assert!(sent < 64 << 20, "an endless line is taken");
    if let Ok(answer) = connection.answer() {
        assert!(matches!(answer.status, 400 | 414 | 431), "{}", answer.status);
    }
}

fn raise_descriptors() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(4096).max(soft), hard).unwrap();
}

/// Every child of the storm, by its index.
fn recorded(client: &Client, run: &Run) -> Vec<u32> {
    let root = client.image(run.pid);
    let mut indices = Vec::new();
    for worker in client.children(root.process.entity_id) {
        let children = client.children(worker.process.entity_id);
        let execs = children.iter().filter(|child| child.recorder.source == "exec");
        indices.extend(
            execs.map(|exec| exec.process.args.as_ref().unwrap()[2].parse::<u32>().unwrap()),
        );
    }
    indices.sort_unstable();
    indices
}

/// Times of a good visitor's pages.
fn visit(visitor: &Visitor, is_over: impl Fn() -> bool) -> Vec<Duration> {
    let pages = ["/processes", "/rules", "/api/v1/health", "/api/v1/processes?limit=10"];
    let mut times = Vec::new();
    for page in pages.iter().cycle() {
        let begin = Instant::now();
        let answer = visitor.get(page);
        times.push(begin.elapsed());
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        if is_over() && times.len() >= 2 * pages.len() {
            break;
        }
    }
    times.sort_unstable();
    times
}

#[test]
fn a_crowd_is_served_and_nonsense_refused() {
    let Some(site) = Site::without_rules() else { return };
    raise_descriptors();
    let (address, client, pid) = (site.address, &site.recorder.client, site.web.pid());
    let link = site.link();
    let visitor = Visitor::log_in(address, &link);
    let used = link.strip_prefix(&site.origin()).unwrap();
    let revoked = Visitor::log_in(address, &site.link());
    client.print(&["web", "revoke", "2"]);
    let kinds = bad_requests(address, &visitor, &revoked.cookie, used);
    for bad in &kinds {
        refused(address, &mut None, bad).unwrap();
    }
    let before = peak_memory_kb(pid);
    endless_line(address);
    println!("memory: {before} KiB, after an endless line {} KiB", peak_memory_kb(pid));
    assert!(peak_memory_kb(pid) < before + 4096, "an endless line is kept");

    let (is_over, has_pestered, counts) =
        (AtomicBool::new(false), AtomicU64::new(0), Counts::default());
    let (run, times) = std::thread::scope(|scope| {
        for _ in 0..READERS {
            spawn(scope, || read_on(&visitor, &counts, &is_over));
        }
        for _ in 0..STREAMS {
            spawn(scope, || follow(&visitor, &counts, &is_over));
        }
        spawn(scope, || linger(address, &counts, &is_over));
        for _ in 0..BAD_THREADS {
            spawn(scope, || {
                let failures = pester(address, &kinds, BAD_REQUESTS / BAD_THREADS);
                has_pestered.fetch_add(1, Ordering::Relaxed);
                assert!(failures.is_empty(), "{failures:#?}");
            });
        }
        let arguments = ["storm", "-j", "2", &STORM.to_string()];
        let storm = workload::start(&mut workload(&arguments));
        let run = finish(storm);
        // Somebody else, whom those who ask much do not hold up.
        let good = Visitor::log_in(address, &site.link());
        let times = visit(&good, || {
            let is_tired = counts.given_up.load(Ordering::Relaxed) > 0;
            has_pestered.load(Ordering::Relaxed) == BAD_THREADS as u64 && is_tired
        });
        is_over.store(true, Ordering::Relaxed);
        // Ends the live views, which wait for something to happen.
        client.print(&["web", "revoke", "all"]);
        (run, times)
    });
    let peak = peak_memory_kb(pid);
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{} good answers: median {median:?}, slowest {most:?}", times.len());
    println!("lists read: {:?}, refused as busy: {:?}", counts.answers, counts.refusals);
    println!("events told: {:?}, slow senders given up: {:?}", counts.events, counts.given_up);
    println!("most memory of the page: {peak} KiB");
    assert!(most < PATIENCE, "{times:?}");
    assert!(peak < MOST_MEMORY_KB, "{peak} KiB");
    assert!(counts.answers.into_inner() > READERS as u64, "the readers read nothing");
    assert!(counts.events.into_inner() > 0, "the live views were told nothing");

    assert!(run.status.success());
    let health = client.balanced_health();
    assert_eq!((health.store.lost, capture(&health).dropped_ring_full.total()), (0, 0));
    wait_for("every process of the storm", || {
        recorded(client, &run).into_iter().eq(0..STORM).then_some(())
    });
}
