// Only the dependency of this crate's manifest is used.
