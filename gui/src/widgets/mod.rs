//! Parts that views are made of. They know the window's settings and colours, and no recorder.

pub mod field;
pub mod filter_box;
pub mod histogram;
pub mod saved;
pub mod table;
pub mod text;
