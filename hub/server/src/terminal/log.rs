//! The log, on standard error. Lines that strangers can cause are bounded where they are written (`hub_core::lines`); here is
//! the net below: whatever any place in the code writes, ours or a library's, is bounded in rate and length, and is one line.

use hub_core::lines::{Lines, WINDOW, acts};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Layer};

/// Lines a second of one place in our own code. A hub that starts or stops tells of many calls or models at once.
const OURS_MAX: u64 = 100;
/// Bytes of a line of ours: an error with its causes, and the end of what a program said.
const OURS_BYTES_MAX: usize = 8 << 10;
/// Bytes of a line of a library, which shows what strangers sent as it was sent.
const THEIRS_BYTES_MAX: usize = 1 << 10;

/// Logs to standard error, by `RUST_LOG` or at `default`.
pub fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into());
    let net = Arc::new(Net::default());
    let log = subscriber(filter, Arc::clone(&net), io::stderr().is_terminal(), io::stderr);
    // A second call (tests) leaves the first one's logging in place.
    if log.try_init().is_ok() {
        tell_always(net);
    }
}

fn subscriber<M>(filter: EnvFilter, net: Arc<Net>, coloured: bool, out: M) -> impl Subscriber + Send + Sync + 'static
where
    M: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(coloured)
        .with_writer(Short { coloured, out });
    // Not a filter of the layer of lines alone: one that refuses an event there would refuse the next ones of its thread too.
    tracing_subscriber::registry()
        .with(filter)
        .with(Bounded(net))
        .with(lines)
}

/// On a thread of its own, since commands log too, and a hub whose tasks are stuck.
fn tell_always(net: Arc<Net>) {
    let telling = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(WINDOW);
            net.tell(Instant::now());
        }
    });
    if let Err(error) = telling {
        tracing::warn!(%error, "each place in the code logs a few lines and no more: the log has no thread");
    }
}

/// Where in the code a line is written: target and line.
type Place = (&'static str, Option<u32>);

struct Net {
    ours: Lines<Place>,
    theirs: Lines<Place>,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            ours: Lines::showing(OURS_MAX),
            theirs: Lines::default(),
        }
    }
}

impl Net {
    fn shows(&self, metadata: &'static Metadata<'static>, now: Instant) -> bool {
        // Below that nothing is logged unless somebody asks for it, who then wants all of it.
        if *metadata.level() > Level::INFO {
            return true;
        }
        let lines = if is_ours(metadata) { &self.ours } else { &self.theirs };
        lines.shows((metadata.target(), metadata.line()), now)
    }

    /// Tells about what was not logged in windows that are over.
    fn tell(&self, now: Instant) {
        let hidden = self.ours.over(now).into_iter().chain(self.theirs.over(now));
        for ((of, line), more) in hidden {
            tracing::warn!(of, line, more, "more lines of one place in the code, not written");
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("hub_")
}

/// The SIP library writes whole messages below warnings: telephone numbers and digests, whatever `RUST_LOG` asks for.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("rsipstack") || *metadata.level() <= Level::WARN
}

struct Bounded(Arc<Net>);

impl<S: Subscriber> Layer<S> for Bounded {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        may_be_logged(metadata)
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        !is_known_to_be_nothing(event) && self.0.shows(event.metadata(), Instant::now())
    }
}

/// The broker's router is told twice of a client that says goodbye and is gone, and takes the second time for an error
/// (rumqttd 0.20, `handle_disconnection`). Nobody has to look.
fn is_known_to_be_nothing(event: &Event<'_>) -> bool {
    struct GoneTwice(bool);
    impl Visit for GoneTwice {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0 |= field.name() == "message" && format!("{value:?}").ends_with("is already gone");
        }
    }
    if event.metadata().target() != "rumqttd::router::routing" {
        return false;
    }
    let mut seen = GoneTwice(false);
    event.record(&mut seen);
    seen.0
}

/// Makes writers that cut lines.
struct Short<M> {
    coloured: bool,
    out: M,
}

impl<'w, M: MakeWriter<'w>> MakeWriter<'w> for Short<M> {
    type Writer = ShortWriter<M::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        ShortWriter {
            coloured: self.coloured,
            bytes_max: OURS_BYTES_MAX,
            out: self.out.make_writer(),
        }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Self::Writer {
        ShortWriter {
            coloured: self.coloured,
            bytes_max: if is_ours(metadata) {
                OURS_BYTES_MAX
            } else {
                THEIRS_BYTES_MAX
            },
            out: self.out.make_writer_for(metadata),
        }
    }
}

struct ShortWriter<W> {
    coloured: bool,
    bytes_max: usize,
    out: W,
}

impl<W: Write> Write for ShortWriter<W> {
    /// Is given an event as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(&String::from_utf8_lossy(event), self.bytes_max, self.coloured);
        self.out.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The text of an event cut at `bytes_max`, without anything that ends a line or moves a cursor; of colours those of the log
/// itself stay, since what is in the event's values was escaped before.
fn one_line(event: &str, bytes_max: usize, coloured: bool) -> String {
    let event = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(event.len().min(bytes_max) + 40);
    for character in event.chars() {
        if line.len() >= bytes_max {
            let end = if coloured { "\u{1b}[0m" } else { "" };
            let _ = write!(line, "… ({} bytes){end}", event.len());
            break;
        }
        if acts(character) && !(coloured && character == '\u{1b}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` logs at every level.
    fn written(work: impl FnOnce(&Net)) -> String {
        let out = Written::default();
        let writer = out.clone();
        let net = Arc::new(Net::default());
        let all = subscriber(EnvFilter::new("trace"), net.clone(), false, move || writer.clone());
        tracing::subscriber::with_default(all, || work(&net));
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_log_level_lets_whole_sip_messages_out() {
        let text = written(|_| {
            tracing::info!(target: "rsipstack::transport::udp", "INVITE sip:+8613800005678@trunk");
            tracing::warn!(target: "rsipstack::transport::udp", "a warning");
            tracing::info!(target: "hub_voice", "ours");
        });
        assert!(
            !text.contains("13800005678") && text.contains("a warning") && text.contains("ours"),
            "{text}"
        );
    }

    #[test]
    fn a_client_that_is_gone_twice_is_no_error() {
        let text = written(|_| {
            tracing::error!(target: "rumqttd::router::routing", "no-connection id {} is already gone", 1);
            tracing::error!(target: "rumqttd::router::routing", "another error");
            tracing::error!(target: "hub_broker", "a device is already gone");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("another error") && text.contains("a device is already gone"),
            "{text}"
        );
    }

    #[test]
    fn ten_thousand_lines_of_a_library_are_ten_short_ones_and_a_number() {
        let long = "A".repeat(64_000);
        let text = written(|net| {
            for _ in 0..10_000 {
                tracing::warn!(target: "rsipstack::transaction::endpoint", error = %long, "on_received_message error");
            }
            tracing::warn!(target: "rsipstack::transaction::endpoint", "another place");
            net.tell(Instant::now());
            net.tell(Instant::now() + WINDOW);
            tracing::warn!(target: "rsipstack::transaction::endpoint", "and later");
        });
        let count = |words: &str| text.lines().filter(|line| line.contains(words)).count();
        assert_eq!((count("AAAA"), count("another place"), count("and later")), (10, 1, 1));
        assert_eq!(count("not written"), 1, "said once, when the second is over");
        assert!(text.contains(r#"of="rsipstack::transaction::endpoint" line="#) && text.contains("more=9990"));
        assert!(text.lines().all(|line| line.len() < THEIRS_BYTES_MAX + 40));
        assert_eq!(text.lines().count(), 13);
    }

    #[test]
    fn ten_thousand_lines_of_ours_are_a_hundred_and_what_was_asked_for_is_whole() {
        let text = written(|net| {
            for _ in 0..10_000 {
                tracing::info!(target: "hub_server", "ours");
            }
            for _ in 0..200 {
                tracing::debug!(target: "hub_server", "asked for");
            }
            net.tell(Instant::now() + WINDOW);
        });
        let count = |words: &str| text.lines().filter(|line| line.contains(words)).count();
        assert_eq!((count(" ours"), count("asked for"), count("more=9900")), (100, 200, 1));
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let said = "a\n2026-11-24T00:00:00Z ERROR forged\r\u{1b}[2J\u{202e}b";
        let text = written(|_| {
            tracing::warn!(target: "rsipstack", "{said}");
            tracing::warn!(target: "hub_api", reason = %said, "refused");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.ends_with('\n') && !text.contains(['\r', '\u{1b}', '\u{202e}']),
            "{text}"
        );
        assert!(text.contains(r"a\n2026-11-24T00:00:00Z ERROR forged\r"), "{text}");
        let cut = one_line(&"门\n".repeat(10_000), 100, true);
        assert!(cut.len() < 150 && cut.ends_with("… (39999 bytes)\u{1b}[0m\n"), "{cut}");
        assert_eq!(
            one_line("\u{1b}[2mdim\u{1b}[0m\n", 100, true),
            "\u{1b}[2mdim\u{1b}[0m\n"
        );
        assert_eq!(one_line("\u{1b}[2mdim\n", 100, false), "\\u{1b}[2mdim\n");
    }
}
