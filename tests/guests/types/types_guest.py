"""Every kind of type, given back as it came."""

from componentize_py_types import Err
from wit_world import exports


class Echo(exports.Echo):
    def echo_bool(self, v):
        return v

    def echo_s8(self, v):
        return v

    def echo_u8(self, v):
        return v

    def echo_s16(self, v):
        return v

    def echo_u16(self, v):
        return v

    def echo_s32(self, v):
        return v

    def echo_u32(self, v):
        return v

    def echo_s64(self, v):
        return v

    def echo_u64(self, v):
        return v

    def echo_f32(self, v):
        return v

    def echo_f64(self, v):
        return v

    def echo_char(self, v):
        return v

    def echo_string(self, v):
        return v

    def echo_bytes(self, v):
        return v

    def echo_strings(self, v):
        return v

    def echo_numbers(self, v):
        return v

    def echo_tuple(self, v):
        return v

    def echo_record(self, v):
        return v

    def echo_variant(self, v):
        return v

    def echo_enum(self, v):
        return v

    def echo_flags(self, v):
        return v

    def echo_option(self, v):
        return v

    def echo_option_option(self, v):
        return v

    def echo_results(self, v):
        return v

    def echo_outcome(self, v):
        # The result of a function itself is returned, or raised.
        if isinstance(v, Err):
            raise v
        return v.value

    def echo_nested(self, v):
        return v
