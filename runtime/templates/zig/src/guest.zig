//! What the module exports, as wit/guest.wit has it: `bindings` is made from it by wit-bindgen and `zig translate-c`. What
//! a task returns comes from `malloc`; what it is given, it frees.

const std = @import("std");
const c = @import("bindings");
const tasks = @import("tasks.zig");

export fn exports_guest_square(x: i32, squared: *i32, why: *c.guest_string_t) bool {
    squared.* = tasks.square(x) catch {
        var line: [64]u8 = undefined;
        const message = print(&line, "the square of {d} does not fit 32 bits", .{x});
        c.guest_string_dup_n(why, message.ptr, message.len);
        return false;
    };
    return true;
}

export fn exports_guest_count_words(text: *c.guest_list_u8_t) u32 {
    defer c.guest_list_u8_free(text);
    const bytes = if (text.len == 0) "" else text.ptr[0..text.len];
    var line: [64]u8 = undefined;
    const said = print(&line, "a text of {d} bytes", .{bytes.len});
    var message = c.guest_string_t{ .ptr = said.ptr, .len = said.len };
    c.wasmpool_task_log_log(c.WASMPOOL_TASK_LOG_LEVEL_INFO, &message);
    return tasks.countWords(bytes);
}

/// A text of at most 64 bytes.
fn print(line: *[64]u8, comptime format: []const u8, args: anytype) []u8 {
    return std.fmt.bufPrint(line, format, args) catch line;
}
