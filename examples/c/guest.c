// The tasks of the world `languages` in C. `languages.h` is made from WIT by wit-bindgen. What a task returns must come
// from `malloc`; what it is given, it frees.

#include "languages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef languages_string_t text_t;
typedef languages_list_u8_t bytes_t;
typedef languages_list_tuple2_string_u32_t counts_t;

enum { BLOCK = 64 * 1024, DATA = 8 };

static void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (memory == NULL) abort();
    return memory;
}

// A message that names what it is about.
static text_t message(const char *what, text_t *name) {
    size_t room = strlen(what) + name->len + 3;
    text_t text = {allocate(room), 0};
    text.len = (size_t)snprintf((char *)text.ptr, room, "%s %.*s", what, (int)name->len, (const char *)name->ptr);
    return text;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

// The word that begins at `*at` or behind it; empty at the end of the text.
static text_t next_word(const text_t *text, size_t *at) {
    while (*at < text->len && is_blank(text->ptr[*at])) ++*at;
    size_t start = *at;
    while (*at < text->len && !is_blank(text->ptr[*at])) ++*at;
    return (text_t){text->ptr + start, *at - start};
}

static void count(counts_t *counts, size_t *room, text_t word) {
    for (size_t i = 0; i < counts->len; i++) {
        text_t *known = &counts->ptr[i].f0;
        if (known->len == word.len && memcmp(known->ptr, word.ptr, word.len) == 0) {
            counts->ptr[i].f1++;
            return;
        }
    }
    if (counts->len == *room) {
        *room = *room ? 2 * *room : 16;
        counts->ptr = realloc(counts->ptr, *room * sizeof *counts->ptr);
        if (counts->ptr == NULL) abort();
    }
    text_t copy = {allocate(word.len), word.len};
    memcpy(copy.ptr, word.ptr, word.len);
    counts->ptr[counts->len++] = (languages_tuple2_string_u32_t){copy, 1};
}

int64_t exports_languages_square(int64_t x) {
    return (int64_t)((uint64_t)x * (uint64_t)x);
}

void exports_languages_word_count(text_t *text, counts_t *counts) {
    *counts = (counts_t){NULL, 0};
    size_t room = 0, words = 0, at = 0;
    for (text_t word; (word = next_word(text, &at)).len > 0; words++) count(counts, &room, word);
    char line[32];
    int length = snprintf(line, sizeof line, "%zu words", words);
    text_t log = {(uint8_t *)line, (size_t)length};
    wasmpool_task_log_log(WASMPOOL_TASK_LOG_LEVEL_INFO, &log);
    languages_string_free(text);
}

void exports_languages_reverse(bytes_t *bytes, bytes_t *reversed) {
    for (size_t i = 0, j = bytes->len; i + 1 < j; i++) {
        uint8_t byte = bytes->ptr[i];
        bytes->ptr[i] = bytes->ptr[--j];
        bytes->ptr[j] = byte;
    }
    *reversed = *bytes;
}

uint32_t exports_languages_count_to(uint32_t n) {
    for (uint32_t i = 1; i <= n; i++) {
        char json[16];
        int length = snprintf(json, sizeof json, "%u", (unsigned)i);
        bytes_t value = {(uint8_t *)json, (size_t)length};
        wasmpool_task_results_emit_error_t error;
        if (!wasmpool_task_results_emit(&value, &error)) return i - 1;
        if (i == UINT32_MAX) break;
    }
    return n;
}

bool exports_languages_add_up(text_t *name, uint64_t *sum, text_t *why) {
    wasmpool_task_buffers_own_buffer_t own;
    wasmpool_task_buffers_open_error_t closed;
    wasmpool_task_buffers_access_error_t error;
    if (!wasmpool_task_buffers_static_buffer_open(name, &own, &closed)) {
        *why = message("cannot open the buffer", name);
        languages_string_free(name);
        return false;
    }
    wasmpool_task_buffers_borrow_buffer_t buffer = wasmpool_task_buffers_borrow_buffer(own);
    uint64_t length = wasmpool_task_buffers_method_buffer_length(buffer), old;
    bool done = true;
    *sum = 0;
    for (uint64_t at = DATA; done && at < length; at += BLOCK) {
        uint32_t part = length - at < BLOCK ? (uint32_t)(length - at) : BLOCK;
        bytes_t block;
        done = wasmpool_task_buffers_method_buffer_read(buffer, at, part, &block, &error);
        if (!done) {
            *why = message("cannot read the buffer", name);
            break;
        }
        for (size_t i = 0; i < block.len; i++) *sum += block.ptr[i];
        languages_list_u8_free(&block);
    }
    uint8_t add = WASMPOOL_TASK_BUFFERS_OPERATION_ADD;
    if (done) {
        done = wasmpool_task_buffers_method_buffer_update_u64(buffer, 0, add, *sum, &old, &error);
        if (!done) *why = message("cannot change the buffer", name);
    }
    wasmpool_task_buffers_buffer_drop_own(own);
    languages_string_free(name);
    return done;
}

bool exports_languages_split(text_t *text, text_t *name, uint32_t *words, text_t *why) {
    wasmpool_task_queues_own_queue_t own;
    wasmpool_task_queues_open_error_t closed;
    bool done = wasmpool_task_queues_static_queue_open(name, &own, &closed);
    if (!done) *why = message("cannot open the queue", name);
    *words = 0;
    if (done) {
        wasmpool_task_queues_borrow_queue_t queue = wasmpool_task_queues_borrow_queue(own);
        size_t at = 0;
        for (text_t word; done && (word = next_word(text, &at)).len > 0; ++*words) {
            bytes_t bytes = {word.ptr, word.len};
            wasmpool_task_queues_put_error_t error;
            done = wasmpool_task_queues_method_queue_put(queue, &bytes, NULL, &error);
        }
        if (!done) *why = message("cannot put into the queue", name);
        wasmpool_task_queues_queue_drop_own(own);
    }
    languages_string_free(text);
    languages_string_free(name);
    return done;
}

bool exports_languages_tally(text_t *name, counts_t *counts, text_t *why) {
    wasmpool_task_queues_own_queue_t own;
    wasmpool_task_queues_open_error_t closed;
    bool done = wasmpool_task_queues_static_queue_open(name, &own, &closed);
    if (!done) *why = message("cannot open the queue", name);
    if (done) {
        wasmpool_task_queues_borrow_queue_t queue = wasmpool_task_queues_borrow_queue(own);
        wasmpool_task_queues_get_error_t error;
        *counts = (counts_t){NULL, 0};
        size_t room = 0;
        for (bytes_t word; wasmpool_task_queues_method_queue_get(queue, NULL, &word, &error);) {
            count(counts, &room, (text_t){word.ptr, word.len});
            languages_list_u8_free(&word);
        }
        done = error.tag == WASMPOOL_TASK_QUEUES_GET_ERROR_CLOSED;
        if (!done) {
            languages_list_tuple2_string_u32_free(counts);
            *why = message("cannot get from the queue", name);
        }
        wasmpool_task_queues_queue_drop_own(own);
    }
    languages_string_free(name);
    return done;
}
