//! The library's patterns.

use std::fmt;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use pcre2_sys::*;

use super::{Found, GaveUp, NoPattern};

/// So many steps a search may take; some 10 ms.
const MATCH_LIMIT: u32 = 1_000_000;
/// So deep it may nest.
const DEPTH_LIMIT: u32 = 100_000;
/// So many KiB it may need.
const HEAP_LIMIT: u32 = 8192;

/// The names of the options that can be given.
const FLAGS: [(&str, u32); 24] = [
    ("allow_empty_class", PCRE2_ALLOW_EMPTY_CLASS),
    ("alt_bsux", PCRE2_ALT_BSUX),
    ("auto_callout", PCRE2_AUTO_CALLOUT),
    ("caseless", PCRE2_CASELESS),
    ("dollar_endonly", PCRE2_DOLLAR_ENDONLY),
    ("dotall", PCRE2_DOTALL),
    ("dupnames", PCRE2_DUPNAMES),
    ("extended", PCRE2_EXTENDED),
    ("firstline", PCRE2_FIRSTLINE),
    ("match_unset_backref", PCRE2_MATCH_UNSET_BACKREF),
    ("multiline", PCRE2_MULTILINE),
    ("never_ucp", PCRE2_NEVER_UCP),
    ("never_utf", PCRE2_NEVER_UTF),
    ("no_auto_capture", PCRE2_NO_AUTO_CAPTURE),
    ("no_auto_possess", PCRE2_NO_AUTO_POSSESS),
    ("no_dotstar_anchor", PCRE2_NO_DOTSTAR_ANCHOR),
    ("no_start_optimize", PCRE2_NO_START_OPTIMIZE),
    ("ucp", PCRE2_UCP),
    ("ungreedy", PCRE2_UNGREEDY),
    ("utf", PCRE2_UTF),
    ("never_backslash_c", PCRE2_NEVER_BACKSLASH_C),
    ("alt_circumflex", PCRE2_ALT_CIRCUMFLEX),
    ("alt_verbnames", PCRE2_ALT_VERBNAMES),
    ("use_offset_limit", PCRE2_USE_OFFSET_LIMIT),
];

/// The flag for [`Pattern::compile`] with this name.
pub fn flag(name: &str) -> Option<u32> {
    FLAGS.iter().find(|(known, _)| *known == name).map(|&(_, flag)| flag)
}

/// A pattern, and the room that matching it takes.
pub struct Pattern {
    code: Code,
    data: NonNull<pcre2_match_data_8>,
    context: NonNull<pcre2_match_context_8>,
    look_behind: usize,
    utf: bool,
    /// What the context refers to.
    stack: Option<Rc<Stack>>,
}

/// A stack for the machine code of patterns, instead of the 32 KiB of the process's own that it takes otherwise.
pub struct Stack(NonNull<pcre2_jit_stack_8>);

/// A compiled pattern.
struct Code(NonNull<pcre2_code_8>);

impl Pattern {
    /// Compiles a pattern with some of the [flags](flag).
    pub fn compile(pattern: &[u8], flags: u32) -> Result<Self, NoPattern> {
        let mut code = Code::compile(pattern, flags)?;
        let utf = code.options() & PCRE2_UTF != 0;
        if utf {
            // What arrives may be anything; without this the library would refuse it, or trust it.
            code = Code::compile(pattern, flags | PCRE2_MATCH_INVALID_UTF)?;
        }
        // SAFETY: the code is valid. Without machine code, which a hardened system may forbid, patterns are interpreted.
        unsafe {
            pcre2_jit_compile_8(code.0.as_ptr(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD)
        };
        let look_behind =
            usize::try_from(code.info(PCRE2_INFO_MAXLOOKBEHIND)).unwrap_or(usize::MAX);
        let no_memory = NoPattern::Invalid { offset: 0, text: "no memory".to_owned() };
        // SAFETY: room for one pair of places; null asks for the usual allocator.
        let data = NonNull::new(unsafe { pcre2_match_data_create_8(1, ptr::null_mut()) });
        // SAFETY: null asks for the usual allocator.
        let context = NonNull::new(unsafe { pcre2_match_context_create_8(ptr::null_mut()) });
        let (Some(data), Some(context)) = (data, context) else {
            // SAFETY: both functions take what was made just now, or null.
            unsafe {
                pcre2_match_data_free_8(data.map_or(ptr::null_mut(), NonNull::as_ptr));
                pcre2_match_context_free_8(context.map_or(ptr::null_mut(), NonNull::as_ptr));
            }
            return Err(no_memory);
        };
        // SAFETY: the context is valid; these only store numbers in it.
        unsafe {
            pcre2_set_match_limit_8(context.as_ptr(), MATCH_LIMIT);
            pcre2_set_depth_limit_8(context.as_ptr(), DEPTH_LIMIT);
            pcre2_set_heap_limit_8(context.as_ptr(), HEAP_LIMIT);
        }
        Ok(Self { code, data, context, look_behind, utf, stack: None })
    }

    /// Has it use a stack, which others may use too: only one of them is matched at a time.
    pub fn use_stack(&mut self, stack: &Rc<Stack>) {
        // SAFETY: context and stack are valid, and the stack is kept as long as the context refers to it. It cannot go to
        // another thread, so that nobody else uses it during a match.
        unsafe {
            pcre2_jit_stack_assign_8(self.context.as_ptr(), None, stack.0.as_ptr().cast());
        }
        self.stack = Some(Rc::clone(stack));
    }

    /// Looks for it in `subject` from `start` on. With `partial` more may follow, and what it depends on is never decided.
    pub fn find(&mut self, subject: &[u8], start: usize, partial: bool) -> Result<Found, GaveUp> {
        let options = if partial { PCRE2_PARTIAL_HARD } else { 0 };
        let result = match self.search(subject, start, options) {
            // Machine code has a stack of its own; the interpreter has the heap, up to its limit.
            PCRE2_ERROR_JIT_STACKLIMIT => self.search(subject, start, options | PCRE2_NO_JIT),
            result => result,
        };
        match result {
            PCRE2_ERROR_NOMATCH => Ok(Found::No),
            PCRE2_ERROR_PARTIAL => Ok(Found::Partly(self.begin())),
            error @ ..=-1 => Err(GaveUp(error)),
            _ => Ok(Found::At(self.begin())),
        }
    }

    fn search(&mut self, subject: &[u8], start: usize, options: u32) -> i32 {
        // SAFETY: the subject has the length that is given and lives through the call; a start behind its end is refused
        // by the library. Code, data and context are valid, and `&mut` says that nobody else uses the data now.
        unsafe {
            pcre2_match_8(
                self.code.0.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                start,
                options,
                self.data.as_ptr(),
                self.context.as_ptr(),
            )
        }
    }

    /// Where the last match begins.
    fn begin(&mut self) -> usize {
        // SAFETY: the data has room for one pair of numbers, which the match that was just made has set.
        unsafe { *pcre2_get_ovector_pointer_8(self.data.as_ptr()) }
    }

    /// So many characters in front of a place may decide whether it matches there.
    pub fn look_behind(&self) -> usize {
        self.look_behind
    }

    /// Whether its characters are those of UTF-8, and not bytes.
    pub fn is_utf(&self) -> bool {
        self.utf
    }
}

impl Code {
    fn compile(pattern: &[u8], flags: u32) -> Result<Self, NoPattern> {
        let (mut error, mut offset) = (0, 0);
        // SAFETY: the pattern has the length that is given, the numbers are written before the call returns, and null
        // asks for the usual settings.
        let code = unsafe {
            pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                flags,
                &raw mut error,
                &raw mut offset,
                ptr::null_mut(),
            )
        };
        match NonNull::new(code) {
            Some(code) => Ok(Self(code)),
            None => Err(NoPattern::Invalid { offset, text: message(error) }),
        }
    }

    /// The options in force, with those that the pattern itself sets.
    fn options(&self) -> u32 {
        self.info(PCRE2_INFO_ALLOPTIONS)
    }

    fn info(&self, what: u32) -> u32 {
        let mut value: u32 = 0;
        // SAFETY: the code is valid, and what is asked for are numbers of 32 bits.
        unsafe { pcre2_pattern_info_8(self.0.as_ptr(), what, (&raw mut value).cast()) };
        value
    }
}

/// What the library says about an error.
fn message(error: i32) -> String {
    let mut text = [0; 256];
    // SAFETY: the buffer has the length that is given.
    let length = unsafe { pcre2_get_error_message_8(error, text.as_mut_ptr(), text.len()) };
    let text = usize::try_from(length).ok().and_then(|length| text.get(..length));
    text.map_or_else(|| format!("error {error}"), |text| String::from_utf8_lossy(text).into_owned())
}

impl Stack {
    /// A stack of `first` bytes that grows to at most `most`. `None` if the library cannot use it.
    pub fn new(first: usize, most: usize) -> Option<Self> {
        // SAFETY: numbers go in; null asks for the usual allocator.
        NonNull::new(unsafe { pcre2_jit_stack_create_8(first, most, ptr::null_mut()) }).map(Self)
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // SAFETY: both were made with the pattern, and nobody else has them.
        unsafe {
            pcre2_match_data_free_8(self.data.as_ptr());
            pcre2_match_context_free_8(self.context.as_ptr());
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { pcre2_code_free_8(self.0.as_ptr()) };
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it is ours, and patterns that use it keep it.
        unsafe { pcre2_jit_stack_free_8(self.0.as_ptr()) };
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("stack", &self.stack).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stack")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, flags: &[&str]) -> Pattern {
        let flags = flags.iter().map(|name| flag(name).unwrap()).fold(0, |all, one| all | one);
        Pattern::compile(text.as_bytes(), flags).unwrap()
    }

    #[test]
    fn a_match_has_a_place() {
        let mut pattern = pattern("wor(ld)?", &[]);
        assert_eq!(pattern.find(b"hello world!", 0, true), Ok(Found::At(6)));
        assert_eq!(pattern.find(b"hello wor", 0, true), Ok(Found::Partly(6)));
        assert_eq!(pattern.find(b"hello wor", 0, false), Ok(Found::At(6)));
        assert_eq!(pattern.find(b"hello", 0, true), Ok(Found::No));
        assert!(pattern.find(b"hello", 9, true).is_err());
    }

    #[test]
    fn options_act() {
        assert_eq!(pattern("WORLD", &["caseless"]).find(b"world", 0, false), Ok(Found::At(0)));
        assert_eq!(pattern("^b", &["multiline"]).find(b"a\nb", 0, false), Ok(Found::At(2)));
        assert_eq!(pattern("a.b", &["dotall"]).find(b"a\nb", 0, false), Ok(Found::At(0)));
        assert_eq!(flag("nonsense"), None);
    }

    #[test]
    fn what_is_wrong_has_a_place_and_a_text() {
        let error = Pattern::compile(b"a(b", 0).unwrap_err();
        let text = "missing closing parenthesis".to_owned();
        assert_eq!(error, NoPattern::Invalid { offset: 3, text });
    }

    #[test]
    fn a_search_that_explodes_is_given_up() {
        let subject = [&b"a".repeat(5000)[..], b"b"].concat();
        assert!(pattern("^(a+)+$", &[]).find(&subject, 0, false).is_err());
        assert!(pattern("(*NO_JIT)^(a|aa)+$", &[]).find(&subject, 0, false).is_err());
    }

    #[test]
    fn broken_utf_is_survived() {
        let mut pattern = pattern("(*UTF)\\x{e9}", &[]);
        assert!(pattern.is_utf());
        assert_eq!(pattern.find(b"\xff\xc3\xc3\xa9", 0, true), Ok(Found::At(2)));
        assert_eq!(pattern.find(b"\x80\x80", 1, true), Ok(Found::No));
    }
}
