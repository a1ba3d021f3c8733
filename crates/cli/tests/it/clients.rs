//! What the tests of real clients (`tests/clients`) rest on.

use crate::common::echo_kernel;

#[test]
fn their_kernel_is_the_echo_kernel() {
    assert_eq!(include_str!("../../../../tests/clients/echo.hex").trim(), echo_kernel());
}
