//! The tasks: plain functions, which guest.zig exports to wasmpool.

const std = @import("std");

/// The square of a number, if it fits.
pub fn square(x: i32) error{Overflow}!i32 {
    return std.math.mul(i32, x, x);
}

/// How many words a text has.
pub fn countWords(text: []const u8) u32 {
    var words = std.mem.tokenizeAny(u8, text, &std.ascii.whitespace);
    var count: u32 = 0;
    while (words.next()) |_| count += 1;
    return count;
}

test "squares fit or say so" {
    try std.testing.expectEqual(144, square(-12));
    try std.testing.expectError(error.Overflow, square(50_000));
}

test "words are counted" {
    try std.testing.expectEqual(6, countWords("to be, or\n\tnot  to be"));
    try std.testing.expectEqual(0, countWords(" \n"));
}
