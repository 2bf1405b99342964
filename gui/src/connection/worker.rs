//! The thread behind the window: one runtime, one task for each question.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use common::bus::reach;
use common::health::Health;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;
use zbus::Connection;

use super::recorded::Recorded;
use super::{
    Answer, Notice, Order, Request, ServiceEnd, Status, Target, Ticket, Trouble, alerts, binaries,
    connect, export, files, manager, processes, rules,
};

/// The recorder allows sixteen queries to all its clients.
const MOST_AT_ONCE: usize = 6;
const LOOK_EVERY: Duration = Duration::from_secs(3);
const RETRY_EVERY: Duration = Duration::from_millis(700);

/// Wakes the window.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// The running thread. Ends when the window's end of the link is dropped.
pub struct Worker {
    thread: JoinHandle<()>,
}

impl Worker {
    /// After the link is dropped.
    pub fn join(self) {
        // A panic in there was printed.
        let _ = self.thread.join();
    }
}

/// Starts the thread. `wake` is called after each notice.
pub fn spawn(end: ServiceEnd, target: Target, wake: Wake) -> std::io::Result<Worker> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
        runtime.block_on(run(end, target, wake));
        runtime.shutdown_timeout(Duration::from_millis(200));
    })?;
    Ok(Worker { thread })
}

async fn run(mut end: ServiceEnd, target: Target, wake: Wake) {
    let replies = Replies { notices: end.notices.clone(), wake };
    let mut session = Session::new(target, replies);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    session.connect().await;
    loop {
        tokio::select! {
            order = end.orders.recv() => match order {
                Some(order) => session.obey(order).await,
                None => return,
            },
            () = session.doubted.notified() => session.look().await,
            _ = look.tick() => session.look().await,
            () = tokio::time::sleep(RETRY_EVERY), if session.connection.is_none() => {
                session.connect().await;
            }
        }
    }
}

#[derive(Clone)]
struct Replies {
    notices: Sender<Notice>,
    wake: Wake,
}

impl Replies {
    /// False when the window is gone. Waits while the window has enough to read.
    async fn send(&self, notice: Notice) -> bool {
        let is_sent = self.notices.send(notice).await.is_ok();
        (self.wake)();
        is_sent
    }
}

struct Session {
    target: Target,
    connection: Option<Connection>,
    was_connected: bool,
    last_status: Option<Status>,
    last_health: Option<Health>,
    recorded: Option<Recorded>,
    running: HashMap<Ticket, AbortHandle>,
    places: Arc<Semaphore>,
    /// A task met an error that may mean that the recorder is gone.
    doubted: Arc<tokio::sync::Notify>,
    replies: Replies,
}

impl Session {
    fn new(target: Target, replies: Replies) -> Self {
        Self {
            target,
            connection: None,
            was_connected: false,
            last_status: None,
            last_health: None,
            recorded: None,
            running: HashMap::new(),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            doubted: Arc::default(),
            replies,
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Ask(ticket, request) => self.ask(ticket, request).await,
            Order::Cancel(ticket) => {
                if let Some(task) = self.running.remove(&ticket) {
                    task.abort();
                }
            }
            Order::Connect(target) => self.go(target, None).await,
            Order::Open(file) => self.open(&file).await,
        }
    }

    async fn open(&mut self, file: &Path) {
        match Recorded::serve(file) {
            Ok((recorded, target)) => self.go(target, Some(recorded)).await,
            Err(trouble) => self.tell(Status::Absent(trouble)).await,
        }
    }

    async fn go(&mut self, target: Target, recorded: Option<Recorded>) {
        self.drop_tasks();
        (self.target, self.recorded) = (target, recorded);
        (self.connection, self.was_connected) = (None, false);
        self.tell(Status::Connecting).await;
        self.connect().await;
    }

    async fn connect(&mut self) {
        if self.last_status.is_none() {
            self.tell(Status::Connecting).await;
        }
        let connected = match connect::connect(&self.target).await {
            Ok(connection) => manager::health(&connection).await.map(|health| (connection, health)),
            Err(trouble) => Err(trouble),
        };
        match connected {
            Ok((connection, health)) => {
                self.connection = Some(connection);
                self.was_connected = true;
                self.last_health = None;
                self.tell_health(health).await;
                self.tell(Status::Connected).await;
            }
            Err(trouble) => match &mut self.recorded {
                None => self.tell_missing(trouble).await,
                // Until it has ended it is about to answer.
                Some(recorded) => {
                    if let Some(trouble) = recorded.ended() {
                        self.tell_missing(trouble).await;
                    }
                }
            },
        }
    }

    /// Looks whether the recorder is still there.
    async fn look(&mut self) {
        let Some(connection) = &self.connection else { return };
        let found = if reach::is_there(connection).await {
            manager::health(connection).await
        } else {
            Err(Trouble::cut_off())
        };
        match found {
            Ok(health) => self.tell_health(health).await,
            Err(trouble) => {
                self.connection = None;
                self.drop_tasks();
                self.tell_missing(trouble).await;
            }
        }
    }

    async fn tell_missing(&mut self, trouble: Trouble) {
        let status =
            if self.was_connected { Status::Lost(trouble) } else { Status::Absent(trouble) };
        self.tell(status).await;
    }

    /// Tells what is new: a recorder that is still missing is no news.
    async fn tell(&mut self, status: Status) {
        if self.last_status.as_ref() != Some(&status) {
            self.last_status = Some(status.clone());
            self.replies.send(Notice::Status(status)).await;
        }
    }

    /// Nothing is drawn anew for what is known. Of a recorded database only the room beside it
    /// changes, which is no news; a recorder that records always has some.
    async fn tell_health(&mut self, health: Health) {
        let is_known = self.last_health.as_ref().is_some_and(|last| {
            let mut like = health.clone();
            like.store.free_disk_bytes = last.store.free_disk_bytes;
            like == *last
        });
        if !is_known {
            self.last_health = Some(health.clone());
            self.replies.send(Notice::Health(Arc::new(health))).await;
        }
    }

    fn drop_tasks(&mut self) {
        for (_, task) in self.running.drain() {
            task.abort();
        }
    }

    async fn ask(&mut self, ticket: Ticket, request: Request) {
        let Some(connection) = self.connection.clone() else {
            self.replies.send(Notice::Answer(ticket, Err(Trouble::not_connected()))).await;
            return;
        };
        self.running.retain(|_, task| !task.is_finished());
        let (replies, doubted) = (self.replies.clone(), self.doubted.clone());
        let places = self.places.clone();
        let task = tokio::spawn(async move {
            let end = match request {
                Request::Processes(processes::Ask::Follow { filter }) => {
                    follow(&connection, &filter, ticket, &replies).await
                }
                request => {
                    let teller = Teller { ticket, replies: &replies };
                    let _place = match request.is_endless() {
                        true => None,
                        // Never closed, so there always is a place at some time.
                        false => places.acquire().await.ok(),
                    };
                    answer(&connection, &request, teller).await
                }
            };
            if let Err(trouble) = &end
                && trouble.kind == super::TroubleKind::NotRunning
            {
                doubted.notify_one();
            }
            replies.send(Notice::Answer(ticket, end)).await;
        });
        self.running.insert(ticket, task.abort_handle());
    }
}

/// Takes the answers before the last, where a question has several.
#[derive(Clone, Copy)]
pub(super) struct Teller<'r> {
    ticket: Ticket,
    replies: &'r Replies,
}

impl Teller<'_> {
    /// False when the window is gone.
    pub(super) async fn tell(self, answer: Answer) -> bool {
        self.replies.send(Notice::Answer(self.ticket, Ok(answer))).await
    }
}

async fn answer(
    connection: &Connection,
    request: &Request,
    teller: Teller<'_>,
) -> Result<Answer, Trouble> {
    Ok(match request {
        Request::Processes(ask) => Answer::Processes(processes::answer(connection, ask).await?),
        Request::Alerts(ask) => Answer::Alerts(alerts::answer(connection, ask, teller).await?),
        Request::Binaries(ask) => {
            Answer::Binaries(binaries::answer(connection, ask, teller).await?)
        }
        Request::Export(ask) => Answer::Export(export::answer(connection, ask, teller).await?),
        Request::Files(ask) => Answer::Files(files::answer(ask).await?),
        Request::Manager(ask) => Answer::Manager(manager::answer(connection, ask).await?),
        Request::Rules(ask) => Answer::Rules(rules::answer(connection, ask, teller).await?),
    })
}

/// Answers until something ends it.
async fn follow(
    connection: &Connection,
    filter: &str,
    ticket: Ticket,
    replies: &Replies,
) -> Result<Answer, Trouble> {
    let mut following = processes::Following::begin(connection, filter).await?;
    let mut live = processes::Live::default();
    while replies
        .send(Notice::Answer(ticket, Ok(Answer::Processes(processes::Answer::Live(live)))))
        .await
    {
        live = following.next().await?;
    }
    Err(Trouble::cut_off())
}
