//! What the window knows and where it stands, without drawing and without asking: pure logic.

pub mod copy;
pub mod history;
pub mod narrow;
pub mod outline;
pub mod row;
pub mod scope;
pub mod sessions;
pub mod settings;
pub mod strip;
pub mod tree;
