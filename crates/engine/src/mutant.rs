//! The one word by which a line of production code can be broken on purpose.
//!
//! Without the feature `mutants` it is the right line and nothing else.

/// `mutant!(Name => broken, right)` is `right`; `mutant!(Name => broken)` is nothing. With the
/// feature `mutants`, and where that mutant was chosen for this thread, it is `broken`.
#[cfg(feature = "mutants")]
#[macro_export]
macro_rules! mutant {
    ($name:ident => $broken:expr, $right:expr) => {
        if $crate::mutants::is_chosen($crate::mutants::Mutant::$name) {
            $broken
        } else {
            $right
        }
    };
    ($name:ident => $broken:expr) => {
        if $crate::mutants::is_chosen($crate::mutants::Mutant::$name) {
            $broken
        }
    };
}

/// `mutant!(Name => broken, right)` is `right`; `mutant!(Name => broken)` is nothing. With the
/// feature `mutants`, and where that mutant was chosen for this thread, it is `broken`.
#[cfg(not(feature = "mutants"))]
#[macro_export]
macro_rules! mutant {
    ($name:ident => $broken:expr, $right:expr) => {
        $right
    };
    ($name:ident => $broken:expr) => {};
}
