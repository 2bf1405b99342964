//! Files of the user: chosen by the desktop's own dialog, and read.
//!
//! The dialog is that of the desktop portal, spoken to over the session bus: it is the one that each
//! desktop has, and works in a sandbox, too. Where there is none, a path is typed instead.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use futures_lite::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use zbus::Connection;
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::{Trouble, TroubleKind};

/// What the recorder takes of rules.
const MOST_BYTES: u64 = 5 * 1024 * 1024;
const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Lets the user choose a file that is there.
    ChooseToOpen { title: String },
    /// Lets the user choose a place for a new file.
    ChooseToSave { title: String, name: String },
    /// A text of rules.
    Read { path: PathBuf },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `None`: the user has closed the dialog.
    Chosen(Option<PathBuf>),
    Text {
        name: String,
        text: String,
    },
}

pub(super) async fn answer(ask: &Ask) -> Result<Answer, Trouble> {
    match ask {
        Ask::ChooseToOpen { title } => choose("OpenFile", title, HashMap::new()).await,
        Ask::ChooseToSave { title, name } => {
            let options = HashMap::from([("current_name", Variant::from(name.as_str()))]);
            choose("SaveFile", title, options).await
        }
        Ask::Read { path } => read(path).await,
    }
}

async fn read(path: &Path) -> Result<Answer, Trouble> {
    let failed = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => TroubleKind::NotFound,
            _ => TroubleKind::Failed,
        };
        Trouble::new(kind, format!("cannot read {}: {error}", path.display()))
    };
    // A pipe would be waited for.
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        return Err(Trouble::failed(format!("{} is not a file", path.display())));
    }
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Trouble::failed(format!("{} is larger than 5 MiB", path.display())));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Trouble::failed(format!("{} is not a text in UTF-8", path.display())))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Answer::Text { name, text })
}

/// There is no dialog; a path can be typed.
fn no_dialog(error: &zbus::Error) -> Trouble {
    Trouble::new(TroubleKind::NotInstalled, format!("there is no file dialog here: {error}"))
        .hint("type the path instead")
}

async fn choose(
    method: &str,
    title: &str,
    options: HashMap<&str, Variant<'_>>,
) -> Result<Answer, Trouble> {
    let chosen = async {
        let session = Connection::session().await?;
        choose_over(&session, method, title, options).await
    };
    chosen.await.map(Answer::Chosen).map_err(|error| no_dialog(&error))
}

async fn choose_over(
    session: &Connection,
    method: &str,
    title: &str,
    mut options: HashMap<&str, Variant<'_>>,
) -> zbus::Result<Option<PathBuf>> {
    let token = token();
    options.insert("handle_token", Variant::from(token.as_str()));
    // Listened to before it is asked for: the answer may be faster than that of the call.
    let own = session.unique_name().map_or("peer", |name| name.as_str().trim_start_matches(':'));
    let path = format!("{PORTAL_PATH}/request/{}/{token}", own.replace('.', "_"));
    let request = zbus::Proxy::new(session, PORTAL, path, "org.freedesktop.portal.Request").await?;
    let mut answers = request.receive_signal("Response").await?;
    let portal =
        zbus::Proxy::new(session, PORTAL, PORTAL_PATH, "org.freedesktop.portal.FileChooser")
            .await?;
    // The first part names the window above which it opens: unknown, as eframe does not tell it.
    let _: OwnedObjectPath = portal.call(method, &("", title, options)).await?;
    let Some(message) = answers.next().await else { return Ok(None) };
    let (code, results): (u32, HashMap<String, OwnedVariant>) = message.body().deserialize()?;
    // Any other code: the user has closed the dialog.
    Ok(if code == 0 { uri_of(results).and_then(|uri| path_of(&uri)) } else { None })
}

/// Of each asking another.
fn token() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);
    format!("bpfrecorder{}_{}", std::process::id(), ASKED.fetch_add(1, Ordering::Relaxed))
}

fn uri_of(mut results: HashMap<String, OwnedVariant>) -> Option<String> {
    let uris: Vec<String> = results.remove("uris")?.try_into().ok()?;
    uris.into_iter().next()
}

/// `file:///tmp/a%20b` is `/tmp/a b`. Anything else is no file here.
fn path_of(uri: &str) -> Option<PathBuf> {
    let mut rest = uri.strip_prefix("file://")?.bytes();
    let mut path = Vec::new();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            path.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        path.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    path.starts_with(b"/").then(|| OsString::from_vec(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_files_are_paths() {
        let check = |uri, path: Option<&str>| assert_eq!(path_of(uri), path.map(Into::into));
        check("file:///tmp/a%20b.yml", Some("/tmp/a b.yml"));
        check("file:///tmp/%C3%A9", Some("/tmp/é"));
        check("file://host/tmp/a", None);
        check("http://host/a", None);
        check("file:///tmp/%2", None);
        check("file:///tmp/%zz", None);
    }

    /// A desktop whose user takes the file at once, or closes the dialog.
    struct Portal {
        code: u32,
    }

    #[zbus::interface(name = "org.freedesktop.portal.FileChooser")]
    impl Portal {
        async fn save_file(
            &self,
            #[zbus(connection)] connection: &Connection,
            _parent: &str,
            title: &str,
            options: HashMap<String, OwnedVariant>,
        ) -> zbus::fdo::Result<OwnedObjectPath> {
            assert_eq!(title, "Save it");
            let text = |name: &str| String::try_from(options[name].clone()).unwrap();
            let path = format!("{PORTAL_PATH}/request/peer/{}", text("handle_token"));
            let uris = vec![format!("file:///tmp/{}", text("current_name"))];
            let results = HashMap::from([("uris", Variant::from(uris))]);
            let interface = "org.freedesktop.portal.Request";
            let body = (self.code, results);
            connection
                .emit_signal(None::<&str>, path.as_str(), interface, "Response", &body)
                .await?;
            Ok(path.try_into().unwrap())
        }
    }

    async fn saved(code: u32) -> Option<PathBuf> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let guid = zbus::Guid::generate();
        let server = zbus::connection::Builder::unix_stream(theirs)
            .server(guid)
            .p2p()
            .serve_at(PORTAL_PATH, Portal { code });
        let client = zbus::connection::Builder::unix_stream(ours).p2p();
        let (_server, client) = tokio::try_join!(server.build(), client.build()).unwrap();
        let options = HashMap::from([("current_name", Variant::from("a%20b"))]);
        choose_over(&client, "SaveFile", "Save it", options).await.unwrap()
    }

    #[tokio::test]
    async fn the_dialog_of_the_desktop_gives_a_path() {
        assert_eq!(saved(0).await, Some("/tmp/a b".into()));
        assert_eq!(saved(1).await, None);
    }

    #[tokio::test]
    async fn only_texts_of_rules_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yml");
        std::fs::write(&path, "title: x").unwrap();
        let expected = Answer::Text { name: "a.yml".to_owned(), text: "title: x".to_owned() };
        assert_eq!(read(&path).await, Ok(expected));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read(&path).await.unwrap_err().message.contains("UTF-8"));
        std::fs::File::create(&path).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(read(&path).await.unwrap_err().message.contains("larger"));
        assert!(read(directory.path()).await.unwrap_err().message.contains("not a file"));
        let absent = read(&directory.path().join("absent")).await.unwrap_err();
        assert_eq!(absent.kind, TroubleKind::NotFound);
    }
}
