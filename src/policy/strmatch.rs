//! stub
pub fn strcasecmp_match(_t: &[u8], _p: &[u8]) -> bool {
    true
}
