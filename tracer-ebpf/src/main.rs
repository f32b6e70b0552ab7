//! truant's eBPF programs: they count and report, and decide nothing.
//!
//! Owns the list of modules, the licence and the panic handler.
#![no_std]
#![no_main]
#![expect(unstable_features, reason = "inline assembly for this target is not stable yet")]
#![feature(asm_experimental_arch)]
#![expect(unsafe_code, reason = "maps, globals and helpers of the kernel are raw pointers")]
#![expect(clippy::inline_always, reason = "the verifier knows less behind a call")]
#![expect(clippy::needless_pass_by_value, reason = "aya hands a context over by value")]

mod emit;
mod globals;
mod kernel;
mod maps;
mod probes;
mod sums;
mod words;

/// The licence that the kernel demands of programs that read its memory.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 4] = *b"GPL\0";

/// Loops, so that the verifier rejects a program that could get here.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
