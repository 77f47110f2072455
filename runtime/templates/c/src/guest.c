// The tasks, as wit/guest.wit has them: `bindings/guest.h` is made from it by wit-bindgen. What a task returns comes from
// `malloc`; what it is given, it frees.

#include "guest.h"

#include <stdio.h>

bool exports_guest_square(int32_t x, int32_t *squared, guest_string_t *why) {
    if (!__builtin_mul_overflow(x, x, squared)) return true;
    char line[64];
    snprintf(line, sizeof line, "the square of %d does not fit 32 bits", (int)x);
    guest_string_dup(why, line);
    return false;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

uint32_t exports_guest_count_words(guest_list_u8_t *text) {
    char line[64];
    snprintf(line, sizeof line, "a text of %zu bytes", text->len);
    guest_string_t message;
    guest_string_set(&message, line);
    wasmpool_task_log_log(WASMPOOL_TASK_LOG_LEVEL_INFO, &message);

    uint32_t words = 0;
    for (size_t i = 0; i < text->len; i++) {
        words += !is_blank(text->ptr[i]) && (i == 0 || is_blank(text->ptr[i - 1]));
    }
    guest_list_u8_free(text);
    return words;
}
