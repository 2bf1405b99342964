//! What the window knows and where it stands, without drawing and without asking: pure logic.

pub mod alert_list;
pub mod alert_row;
pub mod binary_row;
pub mod columns;
pub mod copy;
pub mod found;
pub mod history;
pub mod marks;
pub mod narrow;
pub mod outline;
pub mod row;
pub mod rule_list;
pub mod saved;
pub mod scope;
pub mod sessions;
pub mod settings;
pub mod strip;
pub mod tree;
