//! What a rule is, and the macro its tables are written with.

/// Whether a finding stops the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No model is made, exit 4.
    Error,
    /// Said, and the work goes on.
    Warning,
}

impl Severity {
    /// The word in reports and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something a profile must hold to. `docs/rules.md` is generated from these.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable code, `RS201`.
    pub code: &'static str,
    /// The code's readable twin, `duplicate-name`.
    pub slug: &'static str,
    /// Whether it stops the work.
    pub severity: Severity,
    /// What it asks, in one line.
    pub title: &'static str,
    /// What happens to people who do not hold to it.
    pub why: &'static str,
    /// What it finds, as someone would write it.
    pub bad: &'static str,
    /// What to write instead.
    pub fix: &'static str,
    /// Where the fact comes from: FIELD or PEERS IDs, a document, a standard.
    pub source: &'static str,
}

impl Rule {
    /// Sorts codes as numbers: RS1001 comes after RS907.
    #[must_use]
    pub const fn order(&self) -> (usize, &'static str) {
        (self.code.len(), self.code)
    }
}

/// Declares rules and the slice that lists them in order.
macro_rules! rules {
    ($($name:ident $severity:ident $code:literal $slug:literal {
        title: $title:literal, why: $why:literal, bad: $bad:literal, fix: $fix:literal, source: $source:literal $(,)?
    })*) => {
        $(
            #[doc = $title]
            pub static $name: $crate::finding::Rule = $crate::finding::Rule {
                code: $code,
                slug: $slug,
                severity: $crate::finding::Severity::$severity,
                title: $title,
                why: $why,
                bad: $bad,
                fix: $fix,
                source: $source,
            };
        )*
        /// The rules of this group, by code.
        pub static GROUP: &[&$crate::finding::Rule] = &[$(&$name),*];
    };
}
pub(crate) use rules;
