//! The edge to the running kernel: its types, the programs in it, and what comes out of them.
//!
//! Everything leaves as inputs of the core; nothing here judges.

mod btf;
mod charges;
mod decode;
mod load;
mod losses;
mod plan;
mod types;

pub(crate) use charges::Charges;
pub(crate) use decode::decode;
pub(crate) use load::Tracer;
pub(crate) use losses::Losses;
pub(crate) use plan::{hooks, refusals};
pub(crate) use types::{KERNEL_BTF, KernelTypes};
