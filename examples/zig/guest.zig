//! The tasks of the world `languages` in Zig. The module `languages` is made from WIT: wit-bindgen makes a C header of
//! it, and Zig translates that. What a task returns comes from `malloc`; what it is given, it frees.

const std = @import("std");
const c = @import("languages");

const Text = c.languages_string_t;
const Bytes = c.languages_list_u8_t;
const Count = c.languages_tuple2_string_u32_t;
const Counts = c.languages_list_tuple2_string_u32_t;

/// `malloc` itself: what it gives, the bindings free.
const allocator = std.heap.raw_c_allocator;
const block_size = 64 * 1024;
const data_start = 8;

fn slice(list: anytype) []u8 {
    return if (list.len == 0) &.{} else list.ptr[0..list.len];
}

fn asText(bytes: []const u8) Text {
    return .{ .ptr = @constCast(bytes.ptr), .len = bytes.len };
}

fn asBytes(bytes: []const u8) Bytes {
    return .{ .ptr = @constCast(bytes.ptr), .len = bytes.len };
}

/// Says what went wrong, and with which object.
fn failed(why: *Text, what: []const u8, name: []const u8) bool {
    why.* = asText(std.mem.concat(allocator, u8, &.{ what, " ", name }) catch @panic("out of memory"));
    return false;
}

fn words(text: []const u8) std.mem.TokenIterator(u8, .any) {
    return std.mem.tokenizeAny(u8, text, " \t\n\r");
}

/// Counts words in the order in which they first come.
const Counter = struct {
    counts: std.StringArrayHashMapUnmanaged(u32) = .empty,

    fn add(self: *Counter, word: []const u8) !void {
        const entry = try self.counts.getOrPut(allocator, word);
        if (entry.found_existing) {
            entry.value_ptr.* += 1;
        } else {
            entry.key_ptr.* = try allocator.dupe(u8, word);
            entry.value_ptr.* = 1;
        }
    }

    /// The words now belong to the list.
    fn finish(self: *Counter) !Counts {
        defer self.counts.deinit(allocator);
        const list = try allocator.alloc(Count, self.counts.count());
        for (list, self.counts.keys(), self.counts.values()) |*count, word, n| {
            count.* = .{ .f0 = asText(word), .f1 = n };
        }
        // The address of nothing is none: WIT wants one that lies in memory.
        return .{ .ptr = if (list.len == 0) null else list.ptr, .len = list.len };
    }
};

export fn exports_languages_square(x: i64) i64 {
    return x *% x;
}

export fn exports_languages_word_count(text: *Text, counts: *Counts) void {
    defer c.languages_string_free(text);
    counts.* = wordCount(slice(text)) catch @panic("out of memory");
}

fn wordCount(text: []const u8) !Counts {
    var counter: Counter = .{};
    var all = words(text);
    var n: usize = 0;
    while (all.next()) |word| : (n += 1) try counter.add(word);
    var line: [32]u8 = undefined;
    var message = asText(try std.fmt.bufPrint(&line, "{d} words", .{n}));
    c.wasmpool_task_log_log(c.WASMPOOL_TASK_LOG_LEVEL_INFO, &message);
    return counter.finish();
}

export fn exports_languages_reverse(bytes: *Bytes, reversed: *Bytes) void {
    std.mem.reverse(u8, slice(bytes));
    reversed.* = bytes.*;
}

export fn exports_languages_count_to(n: u32) u32 {
    var emitted: u32 = 0;
    while (emitted < n) : (emitted += 1) {
        var json: [16]u8 = undefined;
        var value = asBytes(std.fmt.bufPrint(&json, "{d}", .{emitted + 1}) catch unreachable);
        var refused: c.wasmpool_task_results_emit_error_t = undefined;
        if (!c.wasmpool_task_results_emit(&value, &refused)) break;
    }
    return emitted;
}

export fn exports_languages_add_up(name: *Text, sum: *u64, why: *Text) bool {
    defer c.languages_string_free(name);
    var own: c.wasmpool_task_buffers_own_buffer_t = undefined;
    var closed: c.wasmpool_task_buffers_open_error_t = undefined;
    if (!c.wasmpool_task_buffers_static_buffer_open(name, &own, &closed)) {
        return failed(why, "cannot open the buffer", slice(name));
    }
    defer c.wasmpool_task_buffers_buffer_drop_own(own);

    const buffer = c.wasmpool_task_buffers_borrow_buffer(own);
    const length = c.wasmpool_task_buffers_method_buffer_length(buffer);
    var refused: c.wasmpool_task_buffers_access_error_t = undefined;
    sum.* = 0;
    var at: u64 = data_start;
    while (at < length) : (at += block_size) {
        var block: Bytes = undefined;
        const part: u32 = @intCast(@min(block_size, length - at));
        if (!c.wasmpool_task_buffers_method_buffer_read(buffer, at, part, &block, &refused)) {
            return failed(why, "cannot read the buffer", slice(name));
        }
        defer c.languages_list_u8_free(&block);
        for (slice(block)) |byte| sum.* += byte;
    }
    var old: u64 = undefined;
    const add = c.WASMPOOL_TASK_BUFFERS_OPERATION_ADD;
    if (!c.wasmpool_task_buffers_method_buffer_update_u64(buffer, 0, add, sum.*, &old, &refused)) {
        return failed(why, "cannot change the buffer", slice(name));
    }
    return true;
}

export fn exports_languages_split(text: *Text, name: *Text, n: *u32, why: *Text) bool {
    defer c.languages_string_free(text);
    defer c.languages_string_free(name);
    var own: c.wasmpool_task_queues_own_queue_t = undefined;
    var closed: c.wasmpool_task_queues_open_error_t = undefined;
    if (!c.wasmpool_task_queues_static_queue_open(name, &own, &closed)) {
        return failed(why, "cannot open the queue", slice(name));
    }
    defer c.wasmpool_task_queues_queue_drop_own(own);

    const queue = c.wasmpool_task_queues_borrow_queue(own);
    var all = words(slice(text));
    n.* = 0;
    while (all.next()) |word| : (n.* += 1) {
        var message = asBytes(word);
        var refused: c.wasmpool_task_queues_put_error_t = undefined;
        if (!c.wasmpool_task_queues_method_queue_put(queue, &message, null, &refused)) {
            return failed(why, "cannot put into the queue", slice(name));
        }
    }
    return true;
}

export fn exports_languages_tally(name: *Text, counts: *Counts, why: *Text) bool {
    defer c.languages_string_free(name);
    var own: c.wasmpool_task_queues_own_queue_t = undefined;
    var closed: c.wasmpool_task_queues_open_error_t = undefined;
    if (!c.wasmpool_task_queues_static_queue_open(name, &own, &closed)) {
        return failed(why, "cannot open the queue", slice(name));
    }
    defer c.wasmpool_task_queues_queue_drop_own(own);

    const queue = c.wasmpool_task_queues_borrow_queue(own);
    var counter: Counter = .{};
    var word: Bytes = undefined;
    var none: c.wasmpool_task_queues_get_error_t = undefined;
    while (c.wasmpool_task_queues_method_queue_get(queue, null, &word, &none)) {
        defer c.languages_list_u8_free(&word);
        counter.add(slice(word)) catch @panic("out of memory");
    }
    counts.* = counter.finish() catch @panic("out of memory");
    if (none.tag == c.WASMPOOL_TASK_QUEUES_GET_ERROR_CLOSED) return true;
    c.languages_list_tuple2_string_u32_free(counts);
    return failed(why, "cannot get from the queue", slice(name));
}
