//! Numbers of APR's and Apache's own that stand in the error log where a system error may stand.

/// An input filter has dealt with the error already (AP_FILTER_ERROR).
pub const FILTER_ERROR: i32 = -102;
/// APR_TIMEUP.
pub const TIMEUP: i32 = 70_007;
/// APR_INCOMPLETE.
pub const INCOMPLETE: i32 = 70_008;
