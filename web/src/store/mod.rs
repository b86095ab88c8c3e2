//! The only place with SQL: one module a table.

pub(crate) mod logins;
pub(crate) mod sessions;
