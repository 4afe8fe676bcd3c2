// How well vectors rank the true item of events among drawn ones: the twin of contest and gains in
// progressive_validation.py.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_random.h"
#include "learner_sums.h"

#include <algorithm>
#include <cmath>

namespace harken {
namespace {

// Scores of drawn items against that of the true one; ties count half.
HARKEN_WIDE double rank_of(const float* user, std::size_t dimension, const float* vectors,
                           const float* biases, std::size_t item,
                           const std::vector<std::size_t>& others) noexcept {
    const float own = dot(user, vectors + item * dimension, dimension) + biases[item];
    double rank = 1;
    for (const std::size_t other : others) {
        const float score = dot(user, vectors + other * dimension, dimension) + biases[other];
        rank += score > own ? 1 : score == own ? .5 : 0;
    }
    return rank;
}

nb::object contest_gains(Vector<const std::int64_t> sequences, Vector<const std::int64_t> items,
                         Vector<const bool> exists, Matrix<const float> users,
                         Matrix<const float> vectors, Vector<const float> biases,
                         std::size_t negatives, std::uint64_t seed) {
    const std::size_t n = items.shape(0), rows = vectors.shape(0), dimension = vectors.shape(1);
    expect(exists.shape(0) == rows && biases.shape(0) == rows, "exists or biases of other rows");
    expect(sequences.shape(0) == n && users.shape(0) == n && users.shape(1) == dimension,
           "users, sequences and items differ in shape");
    std::vector<double> gains(n);
    {
        OthersRun others_run(n);
        const std::uint64_t mixed = mix(seed);
        std::size_t last = rows;
        while (last > 0 && !exists.data()[last - 1]) last--;
        // Without any item all ordinals are drawn, and none counts.
        const auto count = static_cast<std::int64_t>(last ? last : rows);
        std::vector<std::size_t> others;
        for (std::size_t event = 0; event < n; event++) {
            const std::size_t item = row_of(items.data()[event], rows);
            others.clear();
            for (std::size_t column = 0; column < negatives; column++) {
                const auto other = static_cast<std::size_t>(
                    uniform_ordinal(mixed, sequences.data()[event], column, count));
                if (!exists.data()[other] || other == item) continue;
                for (std::size_t k = 0; k < dimension; k += LANES)
                    __builtin_prefetch(vectors.data() + other * dimension + k);
                others.push_back(other);
            }
            gains[event] = 1 / std::log2(1 + rank_of(users.data() + event * dimension, dimension,
                                                     vectors.data(), biases.data(), item, others));
        }
    }
    return as_array(std::move(gains));
}

}  // namespace

void register_validation(nb::module_& m) {
    m.def("contest_gains", &contest_gains, nb::arg("sequences").noconvert(),
          nb::arg("items").noconvert(), nb::arg("exists").noconvert(),
          nb::arg("users").noconvert(), nb::arg("vectors").noconvert(),
          nb::arg("biases").noconvert(), nb::arg("negatives"), nb::arg("seed"));
}

}  // namespace harken
