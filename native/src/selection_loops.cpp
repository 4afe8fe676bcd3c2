#include "selection_loops.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "learner_sums.h"

namespace harken {
namespace {

template <typename To, typename From> HARKEN_INLINE To bits_of(From value) {
    static_assert(sizeof(To) == sizeof(From));
    To bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

// A number so large that what is added to it is rounded to an integer, in its last bits.
constexpr double ROUNDER = 0x1.8p52;
constexpr float ROUNDER_OF_FLOATS = 0x1.8p23F;
constexpr double LOG2_E = 0x1.71547652b82fep0, LN2_HIGH = 0x1.62e42fee00000p-1, LN2_LOW = 0x1.a39ef35793c76p-33;

// exp of what is not positive, within two units in the last place; 0 below what a normal number says.
HARKEN_INLINE double exp_down(double x) {
    const double bounded = x > -708.0 ? x : -708.0;
    const double shifted = bounded * LOG2_E + ROUNDER;
    const double twos = shifted - ROUNDER;
    const double r = (bounded - twos * LN2_HIGH) - twos * LN2_LOW;
    double sum = 1.0 / 6227020800.0;
    sum = sum * r + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    const auto power = bits_of<std::uint64_t>(shifted) << 52;
    const double found = bits_of<double>(bits_of<std::uint64_t>(sum) + power);
    return x > -708.0 ? found : 0.0;
}

// log of 2^-64 at least, to about its last digit.
HARKEN_INLINE double log_of(double x) {
    // x = m 2^e, m from the root of one half to that of two; e is kept 64 larger, above 0.
    constexpr std::uint64_t HALF_ROOT = 0x3fe6a09e667f3bcd, FRACTION = 0x000fffffffffffff;
    constexpr double INTEGERS = 0x1p52; // plus a small integer it has that in its last bits
    const std::uint64_t above = bits_of<std::uint64_t>(x) - HALF_ROOT + (std::uint64_t{64} << 52);
    const double e = bits_of<double>(bits_of<std::uint64_t>(INTEGERS) | above >> 52) - (INTEGERS + 64.0);
    const std::uint64_t mantissa = (above & FRACTION) + HALF_ROOT;
    const double m = bits_of<double>(mantissa);
    const double s = (m - 1.0) / (m + 1.0), q = s * s;
    double sum = 1.0 / 23.0;
    sum = sum * q + 1.0 / 21.0;
    sum = sum * q + 1.0 / 19.0;
    sum = sum * q + 1.0 / 17.0;
    sum = sum * q + 1.0 / 15.0;
    sum = sum * q + 1.0 / 13.0;
    sum = sum * q + 1.0 / 11.0;
    sum = sum * q + 1.0 / 9.0;
    sum = sum * q + 1.0 / 7.0;
    sum = sum * q + 1.0 / 5.0;
    sum = sum * q + 1.0 / 3.0;
    return e * LN2_HIGH + (2.0 * s + (2.0 * s * q * sum + e * LN2_LOW));
}

HARKEN_INLINE std::uint8_t level_of(double share) {
    const double rounded = (share * LEVELS + ROUNDER) - ROUNDER;
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(rounded));
}

} // namespace

HARKEN_WIDE void round_rows(const float *table, const float *norms, const std::int64_t *rows,
                            std::size_t count, std::size_t size, std::size_t stride,
                            std::int16_t *into) noexcept {
    constexpr std::size_t AHEAD = 6, LINE = 64 / sizeof(float);
    for (std::size_t at = 0; at < count; ++at, into += stride) {
        if (at + AHEAD < count) {
            const float *later = table + static_cast<std::size_t>(rows[at + AHEAD]) * size;
            for (std::size_t k = 0; k < size; k += LINE) __builtin_prefetch(later + k);
            __builtin_prefetch(norms + rows[at + AHEAD]);
        }
        const float *row = table + static_cast<std::size_t>(rows[at]) * size;
        float scale = UNITY / norms[rows[at]];
        if (!std::isfinite(scale)) scale = 0.0F;
        for (std::size_t k = 0; k < size; ++k)
            into[k] = static_cast<std::int16_t>(bits_of<std::int32_t>(row[k] * scale + ROUNDER_OF_FLOATS));
        for (std::size_t k = size; k < stride; ++k) into[k] = 0;
    }
}

HARKEN_WIDE void products(const std::int16_t *rows, const std::int16_t *one, std::size_t count,
                          std::size_t stride, std::int32_t *into) noexcept {
    for (std::size_t at = 0; at < count; ++at, rows += stride) {
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < stride; ++k)
            sum += static_cast<std::int32_t>(rows[k]) * static_cast<std::int32_t>(one[k]);
        into[at] = sum;
    }
}

HARKEN_WIDE void scaled(const std::int32_t *products, double times, double offset,
                        std::size_t count, double *row) noexcept {
    for (std::size_t at = 0; at < count; ++at)
        row[at] = static_cast<double>(products[at]) * times + offset;
}

HARKEN_WIDE void less(const double *above, double times, std::size_t count, double *row) noexcept {
    for (std::size_t at = 0; at < count; ++at) row[at] -= times * above[at];
}

HARKEN_WIDE void cover(double times, std::size_t count, double *row, double *left) noexcept {
    for (std::size_t at = 0; at < count; ++at) {
        row[at] *= times;
        left[at] -= row[at] * row[at];
    }
}

HARKEN_WIDE void keep_nearest(const std::int32_t *products, double times, std::size_t count,
                              double *nearest) noexcept {
    for (std::size_t at = 0; at < count; ++at) {
        const double cosine = static_cast<double>(products[at]) * times;
        nearest[at] = cosine > nearest[at] ? cosine : nearest[at];
    }
}

HARKEN_WIDE void levels_of_left(const double *left, std::size_t count,
                                std::uint8_t *levels) noexcept {
    const double times = 1.0 / std::log(OWN);
    for (std::size_t at = 0; at < count; ++at) {
        const double here = left[at] > OWN ? left[at] : OWN;
        levels[at] = level_of(log_of(here) * times);
    }
}

HARKEN_WIDE void levels_of_nearest(const double *nearest, std::size_t count,
                                   std::uint8_t *levels) noexcept {
    for (std::size_t at = 0; at < count; ++at) {
        const double here = (nearest[at] + 1.0) * 0.5;
        levels[at] = level_of(here < 1.0 ? here : 1.0);
    }
}

HARKEN_WIDE void lowered(const double *utilities, const std::uint8_t *levels, double unit,
                         std::size_t count, double *worth) noexcept {
    for (std::size_t at = 0; at < count; ++at)
        worth[at] = utilities[at] - static_cast<double>(levels[at]) * unit;
}

HARKEN_WIDE bool without(const std::uint8_t *which, const std::uint8_t *barred, std::size_t count,
                         std::uint8_t *into) noexcept {
    std::uint8_t any = 0;
    for (std::size_t at = 0; at < count; ++at) {
        into[at] = which[at] & (barred[at] ^ 1);
        any |= into[at];
    }
    return any != 0;
}

HARKEN_WIDE void join(const std::uint8_t *more, std::size_t count, std::uint8_t *into) noexcept {
    for (std::size_t at = 0; at < count; ++at) into[at] |= more[at];
}

HARKEN_WIDE void join_equal(const std::int32_t *codes, std::int32_t code, std::size_t count,
                            std::uint8_t *into) noexcept {
    for (std::size_t at = 0; at < count; ++at) into[at] |= codes[at] == code;
}

HARKEN_WIDE std::int64_t both(const std::uint8_t *one, const std::uint8_t *other,
                              std::size_t count, std::uint8_t *into) noexcept {
    std::int32_t found = 0;
    for (std::size_t at = 0; at < count; ++at) {
        into[at] = one[at] & other[at];
        found += into[at];
    }
    return found;
}

HARKEN_WIDE std::int64_t count_better(const std::uint8_t *one, const std::uint8_t *other,
                                      const double *worth, double least,
                                      std::size_t count) noexcept {
    std::int64_t found = 0;
    for (std::size_t at = 0; at < count; ++at)
        found += (one[at] & other[at]) & static_cast<std::uint8_t>(worth[at] > least);
    return found;
}

HARKEN_WIDE double of_allowed(const double *worth, const std::uint8_t *allowed, std::size_t count,
                              double *of) noexcept {
    constexpr double NOTHING = -std::numeric_limits<double>::infinity();
    double best[LANES];
    for (std::size_t lane = 0; lane < LANES; ++lane) best[lane] = NOTHING;
    std::size_t at = 0;
    for (; at + LANES <= count; at += LANES)
        for (std::size_t lane = 0; lane < LANES; ++lane) {
            const double here = allowed[at + lane] ? worth[at + lane] : NOTHING;
            of[at + lane] = here;
            best[lane] = here > best[lane] ? here : best[lane];
        }
    for (; at < count; ++at) {
        of[at] = allowed[at] ? worth[at] : NOTHING;
        best[0] = of[at] > best[0] ? of[at] : best[0];
    }
    for (std::size_t lane = 1; lane < LANES; ++lane)
        best[0] = best[lane] > best[0] ? best[lane] : best[0];
    return best[0];
}

HARKEN_WIDE void log_odds(const double *scores, double taken, double most, std::size_t count,
                          double *into) noexcept {
    constexpr double CLOSEST = 1e-9, NO_NUMBER = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t at = 0; at < count; ++at) {
        const double share = (scores[at] + taken) / most;
        double within = share > CLOSEST ? share : CLOSEST;
        within = within < 1.0 - CLOSEST ? within : 1.0 - CLOSEST;
        // Of what is neither, the logarithm of 1.
        const double below = share < CLOSEST ? 2.0 - share / CLOSEST : 1.0;
        const double above = share > 1.0 - CLOSEST ? 2.0 - (1.0 - share) / CLOSEST : 1.0;
        const double odds = log_of(within / (1.0 - within)) - log_of(below) + log_of(above);
        into[at] = share == share ? odds : NO_NUMBER;
    }
}

HARKEN_WIDE void softmax(const double *of, double best, double times, std::size_t count,
                         double *weights) noexcept {
    for (std::size_t at = 0; at < count; ++at) weights[at] = exp_down((of[at] - best) * times);
}

} // namespace harken
