// Random numbers that depend on counters alone: the twin of counter_random.py, to the bit.
#pragma once

#include <cstdint>

namespace harken {

// splitmix64 step and finaliser (Steele et al. 2014); wraps modulo 2^64.
inline std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

// Uniform ordinal in 0..items - 1 from (mixed seed, log sequence, column).
inline std::int64_t uniform_ordinal(std::uint64_t mixed_seed, std::int64_t sequence,
                                    std::uint64_t column, std::int64_t items) {
    const std::uint64_t x = mix(mixed_seed ^ (static_cast<std::uint64_t>(sequence) * 64 + column));
    return static_cast<std::int64_t>(static_cast<double>(x >> 11) * 0x1p-53 *
                                     static_cast<double>(items));
}

}  // namespace harken
