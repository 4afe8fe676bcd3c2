// Sums in a fixed order, whatever the processor: replicas of one build agree to the bit.
//
// A product of two vectors adds into LANES partial sums, element k into lane k % LANES, and then
// the lanes by halves. So a compiler may use registers of any width for them without changing a
// bit, and need not be told to reorder anything.
#pragma once

#include <cstddef>

// Compiled once for each of these instruction sets; the loader takes the best that is there. All of
// them round alike: fused multiply-adds are off (see CMakeLists.txt). What is marked so has to be
// noexcept: no exception gets out of it (GCC 12), so ordinals are checked and room is made before.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define HARKEN_WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define HARKEN_WIDE
#endif
#define HARKEN_INLINE inline __attribute__((always_inline))

namespace harken {

constexpr std::size_t LANES = 16;

template <class T>
HARKEN_INLINE T sum_of_lanes(T* lanes) {
    for (std::size_t half = LANES / 2; half > 0; half /= 2)
        for (std::size_t lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

template <class T>
HARKEN_INLINE T dot(const T* one, const T* other, std::size_t size) {
    T lanes[LANES] = {};
    std::size_t k = 0;
    for (; k + LANES <= size; k += LANES)
        for (std::size_t lane = 0; lane < LANES; lane++)
            lanes[lane] += one[k + lane] * other[k + lane];
    for (std::size_t lane = 0; k + lane < size; lane++)
        lanes[lane] += one[k + lane] * other[k + lane];
    return sum_of_lanes(lanes);
}

}  // namespace harken
