// What scans are made of, as fast as the processor at hand allows.
//
// All variants give the same bits: sums of floats are taken in sixteen lanes and then halved,
// whatever the width of a register, without fused multiply-add; sums of integers are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harken {

constexpr size_t CODE_STEP = 32;
// Codes and queries of integers are padded with zeros to a multiple of so many.

constexpr size_t SIGN_ROWS = 64;
// Signs are kept, and looked at, of so many rows together.

// Signs of rows against a query: see VectorLists. What a row may reach is
// weights[r] * (scale * (sums[r] - offset) + margin) + biases[r], where sums[r] is the sum of what
// the tables say of the row's signs.
struct SignQuery {
    const uint8_t *tables;  // [2 * bytes][16], entries of at most 127: by four signs of a row
    size_t bytes;           // of signs of a row, at most 256
    float scale, offset, margin;
};

struct Kernels {
    // a . b over d floats.
    float (*dot)(const float *a, const float *b, size_t d);
    // out[r] = query . codes[r], for rows of `stride` bytes; stride is a multiple of CODE_STEP.
    void (*code_dots)(const int16_t *query, const int8_t *codes, size_t rows, size_t stride,
                      int32_t *out);
    // pass[r]: whether a row may reach `least`, for SIGN_ROWS rows. signs [bytes][SIGN_ROWS]: of
    // eight dimensions of a row each, the first four low.
    void (*sign_passes)(const SignQuery &query, const uint8_t *signs, const float *weights,
                        const float *biases, float least, bool *pass);
};

// The variant for this processor; `plain`: the one for every processor.
const Kernels &kernels(bool plain = false);

}  // namespace harken
