// The two dot products that scans are made of, as fast as the processor at hand allows.
//
// All variants give the same bits: sums of floats are taken in sixteen lanes and then halved,
// whatever the width of a register, without fused multiply-add; sums of integers are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harken {

constexpr size_t CODE_STEP = 32;
// Codes and queries of integers are padded with zeros to a multiple of so many.

struct Kernels {
    // a . b over d floats.
    float (*dot)(const float *a, const float *b, size_t d);
    // out[r] = query . codes[r], for rows of `stride` bytes; stride is a multiple of CODE_STEP.
    void (*code_dots)(const int16_t *query, const int8_t *codes, size_t rows, size_t stride,
                      int32_t *out);
};

// The variant for this processor; `plain`: the one for every processor.
const Kernels &kernels(bool plain = false);

}  // namespace harken
