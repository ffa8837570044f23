//! Shared ground of the rings.
