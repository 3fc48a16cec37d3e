//! The terminal, taken and given back: also on panic, error and a lost window.
//!
//! Every way of giving it back ignores errors: the terminal may be gone.

use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use ratatui::Frame;
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::crossterm::clipboard::CopyToClipboard;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Size;

use super::editor;
use super::update::Drawn;

/// The terminal in raw mode, on its alternate screen; given back on drop.
pub(super) struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Stdout>>,
    keys_from_stdin: bool,
}

/// Longest text that is given to the clipboard, in bytes: xterm takes 75 000 characters of base64.
const CLIPBOARD: usize = 50_000;

/// The terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The thread that draws.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);

/// What other threads said when they panicked, and how much of it was shown.
static NOTES: Mutex<(Vec<String>, usize)> = Mutex::new((Vec::new(), 0));

/// How often a thread of its own looks whether there is a terminal still.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the loop has to end by itself once there is none.
const LAST_CHANCE: Duration = Duration::from_secs(2);

fn is_there(keys_from_stdin: bool) -> bool {
    if keys_from_stdin {
        io::stdin().is_terminal()
    } else {
        io::stdout().is_terminal()
    }
}

/// Ends the process as a hang-up does.
#[expect(
    clippy::exit,
    reason = "the thread that could end it is caught in a read"
)]
fn exit() {
    std::process::exit(129);
}

impl Terminal {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        hook();
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        TAKEN.store(true, Ordering::SeqCst);
        if let Err(error) = take() {
            give_back();
            return Err(error);
        }
        match ratatui::Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(inner) => Ok(Self {
                inner,
                keys_from_stdin: io::stdin().is_terminal(),
            }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Tells whether there is a terminal still; without one, reading keys would spin.
    ///
    /// Where something else is piped in, keys come from the controlling terminal: then the output tells.
    pub(super) fn is_there(&self) -> bool {
        is_there(self.keys_from_stdin)
    }

    /// Watches the terminal until the returned sender is dropped.
    ///
    /// A terminal that vanishes while keys are awaited keeps crossterm reading for ever, so that the loop
    /// never sees it; then only the process can end. What was recorded is on disk.
    pub(super) fn watch(&self) -> io::Result<SyncSender<()>> {
        let (alive, ended) = sync_channel(1);
        let keys_from_stdin = self.keys_from_stdin;
        thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                let over = |limit| ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
                while !over(LOOK_EVERY) {
                    if !is_there(keys_from_stdin) && !over(LAST_CHANCE) {
                        exit();
                    }
                }
            })?;
        Ok(alive)
    }

    pub(super) fn size(&self) -> io::Result<Size> {
        self.inner.backend().size()
    }

    /// Draws one frame.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>) -> Drawn) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        self.inner.draw(|frame| drawn = draw(frame))?;
        Ok(drawn)
    }

    /// Forgets what is on screen, so that the next frame draws everything.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        // ratatui's own way asks where the cursor is, and fails where a terminal does not answer.
        execute!(self.inner.backend_mut(), Clear(ClearType::All))?;
        self.inner = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }

    /// Gives a text to the terminal's clipboard (OSC 52) and to a file, whose name is returned: no
    /// terminal says whether it took it. A text that is too long for terminals goes to the file alone.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<String> {
        let mut file = tempfile::Builder::new()
            .prefix("bitstap-copy-")
            .suffix(".txt")
            .tempfile()?;
        file.write_all(text.as_bytes())?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        if text.len() <= CLIPBOARD {
            let command = CopyToClipboard::to_clipboard_from(text);
            execute!(self.inner.backend_mut(), command)?;
        }
        Ok(path.display().to_string())
    }

    /// Lends the terminal to the user's editor with `text` in a file that only he may read; returns what he
    /// left there. `Err` outside: the terminal cannot be taken back.
    pub(super) fn edit(&mut self, text: &[u8], mouse: bool) -> io::Result<Result<Vec<u8>, String>> {
        give_back();
        let edited = editor::edit(text);
        TAKEN.store(true, Ordering::SeqCst);
        take()?;
        if mouse {
            self.mouse(true)?;
        }
        self.clear()?;
        Ok(edited)
    }

    /// Switches the terminal's reports of clicks and wheel.
    pub(super) fn mouse(&mut self, on: bool) -> io::Result<()> {
        let out = self.inner.backend_mut();
        if on {
            execute!(out, EnableMouseCapture)
        } else {
            execute!(out, DisableMouseCapture)
        }
    }

    /// Gives the terminal back and stops the process until the shell continues it.
    #[cfg(unix)]
    pub(super) fn suspend(&mut self, mouse: bool) -> io::Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        TAKEN.store(true, Ordering::SeqCst);
        take()?;
        if mouse {
            self.mouse(true)?;
        }
        self.clear()
    }

    #[cfg(not(unix))]
    pub(super) fn suspend(&mut self, _mouse: bool) -> io::Result<()> {
        self.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Returns what was noted since the last call.
pub(super) fn new_notes() -> Vec<String> {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    let new = notes.0.get(notes.1..).unwrap_or_default().to_vec();
    notes.1 = notes.0.len();
    new
}

/// Returns all that was noted, and forgets it.
pub(super) fn take_notes() -> Vec<String> {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.1 = 0;
    std::mem::take(&mut notes.0)
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen)?;
    // On Windows pasted text arrives as keys, and asking for it disturbs Enter in some terminals.
    if cfg!(not(windows)) {
        execute!(io::stdout(), EnableBracketedPaste)?;
    }
    Ok(())
}

/// Gives the terminal back once, however often it is called.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, DisableMouseCapture);
    if cfg!(not(windows)) {
        let _ = execute!(out, DisableBracketedPaste);
    }
    let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// Puts a hook before the panic hook that is there: a panic of the screen gives the terminal back
/// before it is printed; one of another thread waits, as it would be printed across the screen.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if TAKEN.load(Ordering::SeqCst) && !is_owner() {
                note(info);
                return;
            }
            give_back();
            before(info);
        }));
    });
}

/// Tells whether this thread is the one that draws.
fn is_owner() -> bool {
    // Never waits: the lock is held for a moment at the start only.
    OWNER
        .try_lock()
        .is_ok_and(|owner| *owner == Some(thread::current().id()))
}

fn note(info: &PanicHookInfo<'_>) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    // A task that panics again and again is told a few times.
    if notes.0.len() < 20 {
        notes.0.push(info.to_string());
    }
}
