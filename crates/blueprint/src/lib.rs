//! Pure: what a person wrote becomes what each node shall be.
