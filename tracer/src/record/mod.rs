//! Recordings: the stream of inputs, kept.
