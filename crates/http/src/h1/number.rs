//! Numbers to text, without an allocation or the formatting machinery.

use crate::write_buffer::Tail;

pub(super) fn write_number(number: u64, out: &mut Tail<'_>) {
    write(number, 10, out);
}

/// In lower case, without leading zeros.
pub(super) fn write_hex(number: u64, out: &mut Tail<'_>) {
    write(number, 16, out);
}

fn write(mut number: u64, base: u64, out: &mut Tail<'_>) {
    // 64 bits have at most 20 digits.
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        // Below 16, so it fits.
        let digit = (number % base) as u8;
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        used += 1;
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}
