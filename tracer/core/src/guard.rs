//! Which cgroups are guarded, told by their paths. It knows no tree and no task.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

/// The subtrees that tasks should not leave.
///
/// A pattern is a sequence of components with `/` between them; `*` stands for any bytes within
/// one component. With a leading `/` it begins at the hierarchy's root, without it at any depth.
/// The cgroups that match are roots; they and all below them are guarded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guard {
    /// Empty for any kubepods root.
    patterns: Vec<Pattern>,
}

/// Why a pattern is no pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatternError {
    /// It names no component, so it would guard everything or nothing.
    Empty,
    /// Two slashes with nothing between them.
    EmptyComponent,
    /// `.` or `..`, which are no cgroup's name.
    Dots,
    /// A NUL or a newline, which no cgroup's name can have.
    Control,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Pattern {
    anchored: bool,
    components: Vec<Box<[u8]>>,
}

impl Guard {
    /// The guard of a single pattern. A slash at the end changes nothing.
    ///
    /// # Errors
    ///
    /// A pattern that can match no cgroup.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        Ok(Self { patterns: Vec::from([Pattern::parse(pattern)?]) })
    }

    /// The guard of several patterns, and how many of them were none. No pattern at all makes
    /// the default, any kubepods root; only bad patterns make a guard that guards nothing.
    pub fn of(patterns: &[String]) -> (Self, usize) {
        let good: Vec<_> = patterns.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        let bad = patterns.len() - good.len();
        if good.is_empty() && bad > 0 {
            return (Self { patterns: Vec::from([Pattern::NOTHING]) }, bad);
        }
        (Self { patterns: good }, bad)
    }

    /// The length of the shortest beginning of `path` that is a guarded root; none if `path` is
    /// outside.
    pub fn root(&self, path: &[u8]) -> Option<usize> {
        let mut components = Vec::new();
        let mut end = 0;
        for component in path.split(|byte| *byte == b'/') {
            end += component.len();
            // Most guards are the default one, which asks for nothing but the name.
            if self.is_default() {
                if is_kubepods(component) {
                    return Some(end);
                }
            } else if !component.is_empty() {
                components.push(component);
                if self.patterns.iter().any(|pattern| pattern.ends(&components)) {
                    return Some(end);
                }
            }
            end += 1;
        }
        None
    }

    /// Whether it guards any kubepods root.
    pub(crate) fn is_default(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether `path` is a guarded root itself.
    pub fn is_root(&self, path: &[u8]) -> bool {
        self.root(path) == Some(path.len())
    }
}

impl Pattern {
    /// Ends no path, as no path has no components.
    const NOTHING: Self = Self { anchored: true, components: Vec::new() };

    fn parse(text: &str) -> Result<Self, PatternError> {
        let (anchored, rest) = match text.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Err(PatternError::Empty);
        }
        let components = rest.split('/').map(component).collect::<Result<_, _>>()?;
        Ok(Self { anchored, components })
    }

    fn ends(&self, path: &[&[u8]]) -> bool {
        let Some(start) = path.len().checked_sub(self.components.len()) else { return false };
        (start == 0 || !self.anchored)
            && self.components.iter().zip(&path[start..]).all(|(glob, name)| matches(glob, name))
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the pattern names no cgroup",
            Self::EmptyComponent => "the pattern has two slashes in a row",
            Self::Dots => "the pattern has `.` or `..`, which is no cgroup's name",
            Self::Control => "the pattern has a NUL or a newline, which no cgroup's name has",
        })
    }
}

impl core::error::Error for PatternError {}

fn component(text: &str) -> Result<Box<[u8]>, PatternError> {
    match text {
        "" => Err(PatternError::EmptyComponent),
        "." | ".." => Err(PatternError::Dots),
        _ if text.contains(['\0', '\n']) => Err(PatternError::Control),
        _ => Ok(text.as_bytes().into()),
    }
}

/// `kubepods` of the cgroupfs driver, `kubepods.slice` of the systemd driver, and the latter
/// below a slice of the kubelet's own (`kubelet-kubepods.slice`).
pub(crate) fn is_kubepods(name: &[u8]) -> bool {
    name == b"kubepods" || name == b"kubepods.slice" || name.ends_with(b"-kubepods.slice")
}

/// Matches `name` against `glob`, going back to the last star only: linear in practice, and at
/// most the product of both lengths.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, n));
            g += 1;
        } else if glob.get(g) == Some(&name[n]) {
            g += 1;
            n += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            g = at + 1;
            n = from + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}
