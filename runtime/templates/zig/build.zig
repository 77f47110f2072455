//! `zig build` builds zig-out/bin/guest.wasm, and `zig build test` tests the tasks natively. `zig build bindings` makes
//! bindings/ anew after a change of wit/.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.resolveTargetQuery(.{ .cpu_arch = .wasm32, .os_tag = .wasi });
    const header = b.addTranslateC(.{
        .root_source_file = b.path("bindings/guest.h"),
        .target = target,
        .optimize = .ReleaseSmall,
    });
    const module = b.createModule(.{
        .root_source_file = b.path("src/guest.zig"),
        .target = target,
        .optimize = .ReleaseSmall,
        .strip = true,
        .link_libc = true,
    });
    module.addImport("bindings", header.createModule());
    module.addIncludePath(b.path("bindings"));
    module.addCSourceFile(.{ .file = b.path("bindings/guest.c") });
    module.addObjectFile(b.path("bindings/guest_component_type.o"));

    const guest = b.addExecutable(.{ .name = "guest", .root_module = module });
    // A component has no `main`; its stack counts against the memory of an item.
    guest.wasi_exec_model = .reactor;
    guest.stack_size = 1 << 20;
    b.installArtifact(guest);

    const tests = b.addTest(.{ .root_module = b.createModule(.{
        .root_source_file = b.path("src/tasks.zig"),
        .target = b.graph.host,
    }) });
    b.step("test", "Test the tasks").dependOn(&b.addRunArtifact(tests).step);

    // With `cargo install wit-bindgen-cli@0.63.0`.
    const bindings = b.addSystemCommand(&.{ "wit-bindgen", "c", "wit", "--out-dir", "bindings" });
    bindings.setCwd(b.path("."));
    b.step("bindings", "Make bindings/ from wit/").dependOn(&bindings.step);
}
