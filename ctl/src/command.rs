//! From parsed arguments to the command that does it.

use std::io::{self, BufWriter, StdoutLock, Write};

use clap::CommandFactory;
use common::bus::{
    self, AlertsProxy, BinariesProxy, ManagerProxy, ProcessesProxy, RulesProxy, WebProxy,
};
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zbus::Connection;

use crate::args::{Cli, Command, Format, Global, ProcessRef, Selection};
use crate::connect::connect;
use crate::error::CommandError;
use crate::screen::Screen;
use crate::{alerts, binaries, events, export, fields, health, rules, show, top, tree, web, when};

/// Does what the command line asks for, on standard output.
pub async fn run(cli: Cli) -> Result<(), CommandError> {
    let global = &cli.global;
    match cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bpfctl", &mut script);
            let mut out = io::stdout().lock();
            out.write_all(&script)?;
            out.flush()?;
            Ok(())
        }
        Command::Fields => fields::run(&mut Context::offline(global)),
        Command::Status => health::status(&mut Context::connected(global).await?).await,
        Command::Health => health::health(&mut Context::connected(global).await?).await,
        Command::Events(args) => {
            let filter = filter_of(&args.selection, global)?;
            events::run(&mut Context::connected(global).await?, &args, &filter).await
        }
        Command::Show { process } => {
            show::run(&mut Context::connected(global).await?, process).await
        }
        Command::Tree(args) => tree::run(&mut Context::connected(global).await?, &args).await,
        Command::Top(args) => {
            let filter = filter_of(&args.selection, global)?;
            top::run(&mut Context::connected(global).await?, &args, &filter).await
        }
        Command::Alerts(args) => alerts::run(global, args).await,
        Command::Rules { command } => rules::run(global, command).await,
        Command::Binaries { command } => binaries::run(global, command).await,
        Command::Web(args) => web::run(global, args).await,
        Command::Export(args) => {
            let filter = filter_of(&args.selection, global)?;
            if global.json && args.format == Format::Csv {
                return Err(CommandError::usage("--json and --format csv exclude each other"));
            }
            let destination = export::Destination::of(&args)?;
            export::run(&mut Context::connected(global).await?, destination, args.format, &filter)
                .await
        }
    }
}

/// What every command needs: output, how it looks, and the recorder.
pub(crate) struct Context {
    pub out: BufWriter<StdoutLock<'static>>,
    pub screen: Screen,
    pub json: bool,
    connection: Option<Connection>,
}

impl Context {
    fn offline(global: &Global) -> Self {
        Self {
            out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
            screen: Screen::stdout(global),
            json: global.json,
            connection: None,
        }
    }

    pub(crate) async fn connected(global: &Global) -> Result<Self, CommandError> {
        let connection = connect(&global.address).await?;
        Ok(Self { connection: Some(connection), ..Self::offline(global) })
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("commands that ask the recorder are given a connection")
    }

    pub(crate) async fn processes(&self) -> Result<ProcessesProxy<'static>, CommandError> {
        ProcessesProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    pub(crate) async fn manager(&self) -> Result<ManagerProxy<'static>, CommandError> {
        ManagerProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    pub(crate) async fn rules(&self) -> Result<RulesProxy<'static>, CommandError> {
        RulesProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    pub(crate) async fn alerts(&self) -> Result<AlertsProxy<'static>, CommandError> {
        AlertsProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    pub(crate) async fn binaries(&self) -> Result<BinariesProxy<'static>, CommandError> {
        BinariesProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    pub(crate) async fn web(&self) -> Result<WebProxy<'static>, CommandError> {
        WebProxy::new(self.connection()).await.map_err(|error| bus::Error::ZBus(error).into())
    }

    /// The error of asking for a process, with the table of those that a pid may mean.
    pub(crate) fn process_error(&self, process: ProcessRef, error: bus::Error) -> CommandError {
        match error {
            bus::Error::Ambiguous(json) => show::ambiguous(process, &json, &self.screen),
            error => error.into(),
        }
    }
}

pub(crate) fn filter_of(selection: &Selection, global: &Global) -> Result<String, CommandError> {
    let since = time_of("--since", selection.since.as_deref(), global)?;
    let until = time_of("--until", selection.until.as_deref(), global)?;
    Ok(when::filter_text(&selection.filter, since, until))
}

/// The time that an option names, in the zone that times are shown in.
pub(crate) fn time_of(
    option: &str,
    text: Option<&str>,
    global: &Global,
) -> Result<Option<Timestamp>, CommandError> {
    let now = Timestamp::now().to_zoned(Screen::stdout(global).zone);
    text.map(|text| when::parse(option, text, &now)).transpose()
}

/// Waits for Ctrl-C or a request to end, where something must be done first.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, CommandError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CommandError::failure(format!("cannot wait for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
