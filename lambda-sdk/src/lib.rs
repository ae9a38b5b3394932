//! Write stateful functions.
