//! The methods on small tensors in memory.
