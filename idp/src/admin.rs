//! What operators do, for the command line: the same statements and rules as everything else.

pub mod clients;
pub mod users;
