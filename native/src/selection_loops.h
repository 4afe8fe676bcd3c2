// Loops over all candidates of a slate, in registers as wide as the processor has. Masks are bytes,
// 0 or 1. Nothing here knows of rules: see selection.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harken {

constexpr double OWN = 0.01; // share of an item that no other has, as in dpp.py
constexpr int LEVELS = 255;  // most units of what diversity takes, as in journal.py
constexpr float UNITY = 16384.0F; // length of rounded vectors, as in likeness.py
constexpr std::size_t ROUNDED_STEP = 32; // their rows are padded with zeros to a multiple of it

// Round vectors [size], made UNITY long, into integers [count, stride]; zeros where one has no
// length. rows: which of `table` and of their lengths.
void round_rows(const float *table, const float *norms, const std::int64_t *rows, std::size_t count,
                std::size_t size, std::size_t stride, std::int16_t *into) noexcept;

// into[i] = rows[i] . one, for rows of `stride` integers.
void products(const std::int16_t *rows, const std::int16_t *one, std::size_t count,
              std::size_t stride, std::int32_t *into) noexcept;

// row = products * times + offset.
void scaled(const std::int32_t *products, double times, double offset, std::size_t count,
            double *row) noexcept;
// row -= times * above.
void less(const double *above, double times, std::size_t count, double *row) noexcept;
// row *= times; left -= row^2.
void cover(double times, std::size_t count, double *row, double *left) noexcept;
// nearest = max(nearest, products * times).
void keep_nearest(const std::int32_t *products, double times, std::size_t count,
                  double *nearest) noexcept;

// Levels 0..LEVELS of what is left of items, between 1 and OWN by its logarithm.
void levels_of_left(const double *left, std::size_t count, std::uint8_t *levels) noexcept;
// Levels 0..LEVELS of the cosine with the nearest, between -1 and 1.
void levels_of_nearest(const double *nearest, std::size_t count, std::uint8_t *levels) noexcept;
// worth = utilities - levels * unit.
void lowered(const double *utilities, const std::uint8_t *levels, double unit, std::size_t count,
             double *worth) noexcept;

// into = which & ~barred; return whether there is any.
bool without(const std::uint8_t *which, const std::uint8_t *barred, std::size_t count,
             std::uint8_t *into) noexcept;
// into |= more.
void join(const std::uint8_t *more, std::size_t count, std::uint8_t *into) noexcept;
// into |= codes == code.
void join_equal(const std::int32_t *codes, std::int32_t code, std::size_t count,
                std::uint8_t *into) noexcept;
// into = one & other; return how many there are.
std::int64_t both(const std::uint8_t *one, const std::uint8_t *other, std::size_t count,
                  std::uint8_t *into) noexcept;
// Return how many of one & other are worth more than `least`.
std::int64_t count_better(const std::uint8_t *one, const std::uint8_t *other, const double *worth,
                          double least, std::size_t count) noexcept;

// of = worth where allowed, -infinity elsewhere; return the largest.
double of_allowed(const double *worth, const std::uint8_t *allowed, std::size_t count,
                  double *of) noexcept;
// Log odds of which share of the most, > 0, scores are once `taken` is given back, as
// weighing.log_odds.
void log_odds(const double *scores, double taken, double most, std::size_t count,
              double *into) noexcept;
// weights = exp((of - best) * times).
void softmax(const double *of, double best, double times, std::size_t count,
             double *weights) noexcept;

} // namespace harken
