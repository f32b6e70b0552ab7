//! The rules of the core, tested from outside: inputs in, reports out.

mod audit;
mod books;
mod episodes;
mod exposures;
mod findings;
mod guard;
mod kills;
mod ledger;
mod nonsense;
mod nothing;
mod paths;
mod recount;
mod scale;
mod scenario;
