// User vectors from histories: the twin of FoldInEncoder.encode in services/common/fold_in.py.
//
// Conjugate gradients on (P + A'WA) u = A'W1, preconditioned by P^-1, as explained there. A few
// users take their steps together, because P^-1 is what does not fit into registers: it is read
// once for four of them. Each user's sums are the same whoever is beside him.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_sums.h"

#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cmath>

namespace harken {
namespace {

constexpr std::size_t TOGETHER = 8;
constexpr std::size_t TILE = 32;

// Histories [n, columns], latest first, of which `length` are used, and the rows they look up.
struct Histories {
    const float* table;
    std::size_t rows, dimension;
    const std::int64_t* items;
    const float* weights;
    const std::int64_t* times_us;
    std::size_t columns, length;
    const bool* exists;  // of all rows; null: all do
};

// The items of one user that count, and how much.
struct Recent {
    std::vector<const float*> items;
    std::vector<float> weights;
};

std::int64_t second_of(std::int64_t time_us) {
    std::int64_t second = time_us / 1'000'000;
    return second - (time_us % 1'000'000 < 0);
}

// Fills `recent` with what the history of `user` holds, faded by rank; items of one second share
// their mean rank. faded[r]: weight of rank 1 + r / 2.
void collect(const Histories& from, std::size_t user, const std::vector<float>& faded,
             Recent& recent) {
    const std::int64_t* items = from.items + user * from.columns;
    const float* weights = from.weights + user * from.columns;
    const std::int64_t* times_us = from.times_us + user * from.columns;
    recent.items.clear();
    recent.weights.clear();
    std::size_t end = 0;
    for (std::size_t first = 0; first < from.length; first = end) {
        const std::int64_t second = second_of(times_us[first]);
        end = first + 1;
        while (end < from.length && second_of(times_us[end]) == second) end++;
        // Twice the mean of the ranks first + 1 .. end, less two.
        const float fade = faded[first + end - 1];
        for (std::size_t place = first; place < end; place++) {
            if (items[place] == NO_ITEM) continue;
            const std::size_t row = row_of(items[place], from.rows);
            const float weight = fade * weights[place];
            if (weight == 0 || (from.exists && !from.exists[row])) continue;
            const float* vector = from.table + row * from.dimension;
            for (std::size_t k = 0; k < from.dimension; k += LANES) __builtin_prefetch(vector + k);
            recent.items.push_back(vector);
            recent.weights.push_back(weight);
        }
    }
}

// out[k] = sum_i weights[i] rows[i][k], in order of i. SIZE: the columns of one tile.
template <std::size_t SIZE>
HARKEN_INLINE void add_rows(const float* const* rows, const float* weights, std::size_t count,
                            std::size_t k, float* out) {
    float sums[SIZE] = {};
    for (std::size_t i = 0; i < count; i++)
        for (std::size_t column = 0; column < SIZE; column++)
            sums[column] += weights[i] * rows[i][k + column];
    for (std::size_t column = 0; column < SIZE; column++) out[k + column] = sums[column];
}

HARKEN_INLINE void weighted_sum(const float* const* rows, const float* weights, std::size_t count,
                                std::size_t dimension, float* out) {
    std::size_t k = 0;
    for (; k + TILE <= dimension; k += TILE) add_rows<TILE>(rows, weights, count, k, out);
    for (; k < dimension; k++) add_rows<1>(rows, weights, count, k, out);
}

// out[u] = in[u] * inverse for COUNT users, in order of the rows of `inverse`.
template <std::size_t COUNT, std::size_t SIZE>
HARKEN_INLINE void turn_tile(const float* const* in, const float* inverse, std::size_t dimension,
                             std::size_t k, float* const* out) {
    float sums[COUNT][SIZE] = {};
    for (std::size_t j = 0; j < dimension; j++) {
        const float* row = inverse + j * dimension + k;
        for (std::size_t user = 0; user < COUNT; user++)
            for (std::size_t column = 0; column < SIZE; column++)
                sums[user][column] += in[user][j] * row[column];
    }
    for (std::size_t user = 0; user < COUNT; user++)
        for (std::size_t column = 0; column < SIZE; column++)
            out[user][k + column] = sums[user][column];
}

template <std::size_t COUNT>
HARKEN_INLINE void turn(const float* const* in, const float* inverse, std::size_t dimension,
                        float* const* out) {
    std::size_t k = 0;
    for (; k + TILE <= dimension; k += TILE)
        turn_tile<COUNT, TILE>(in, inverse, dimension, k, out);
    for (; k < dimension; k++) turn_tile<COUNT, 1>(in, inverse, dimension, k, out);
}

// Where one user's solution stands. All of `dimension` floats.
struct Search {
    float *residual, *preconditioned, *direction, *image_in_base, *image, *solution;
    float size, enough;
};

HARKEN_INLINE void precondition(const std::vector<Search*>& going, const float* inverse,
                                std::size_t dimension) {
    const float* in[4];
    float* out[4];
    std::size_t first = 0;
    for (; first + 4 <= going.size(); first += 4) {
        for (std::size_t user = 0; user < 4; user++) {
            in[user] = going[first + user]->residual;
            out[user] = going[first + user]->preconditioned;
        }
        turn<4>(in, inverse, dimension, out);
    }
    for (; first < going.size(); first++) {
        in[0] = going[first]->residual;
        out[0] = going[first]->preconditioned;
        turn<1>(in, inverse, dimension, out);
    }
}

// One step of one user along his direction, as far as his residual.
HARKEN_INLINE void step_along(Search& user, const Recent& recent, std::size_t dimension,
                              float* scores) {
    const std::size_t count = recent.items.size();
    for (std::size_t i = 0; i < count; i++)
        scores[i] = dot(recent.items[i], user.direction, dimension) * recent.weights[i];
    weighted_sum(recent.items.data(), scores, count, dimension, user.image);
    for (std::size_t k = 0; k < dimension; k++) user.image[k] += user.image_in_base[k];
    const float step = user.size / dot(user.direction, user.image, dimension);
    for (std::size_t k = 0; k < dimension; k++) {
        user.solution[k] += step * user.direction[k];
        user.residual[k] -= step * user.image[k];
    }
}

HARKEN_INLINE void turn_direction(Search& user, std::size_t dimension) {
    const float left = dot(user.residual, user.preconditioned, dimension);
    const float ratio = left / user.size;
    for (std::size_t k = 0; k < dimension; k++) {
        user.direction[k] = user.direction[k] * ratio + user.preconditioned[k];
        user.image_in_base[k] = user.image_in_base[k] * ratio + user.residual[k];
    }
    user.size = left;
}

// Solves for up to TOGETHER users, until what is left of a residual is at most `least` of what it
// was, in the square of its norm; the solutions are left in `users`. `going` and `scores` are room.
HARKEN_WIDE void solve(std::vector<Search>& users, const std::vector<Recent>& recent,
                       std::size_t count, const float* inverse, std::size_t dimension,
                       float least, std::size_t most_steps, std::vector<Search*>& going,
                       std::vector<float>& scores) noexcept {
    going.clear();
    for (std::size_t u = 0; u < count; u++) {
        Search& user = users[u];
        std::fill_n(user.solution, dimension, 0.0f);
        if (recent[u].items.empty()) continue;
        weighted_sum(recent[u].items.data(), recent[u].weights.data(), recent[u].items.size(),
                     dimension, user.residual);
        going.push_back(&user);
    }
    precondition(going, inverse, dimension);
    for (Search* user : going) {
        std::copy_n(user->preconditioned, dimension, user->direction);
        std::copy_n(user->residual, dimension, user->image_in_base);
        user->size = dot(user->residual, user->preconditioned, dimension);
        user->enough = least * user->size;
    }
    for (std::size_t step = 0; step < most_steps; step++) {
        going.erase(std::remove_if(going.begin(), going.end(),
                                   [](const Search* user) { return !(user->size > user->enough); }),
                    going.end());
        if (going.empty()) return;
        for (Search* user : going)
            step_along(*user, recent[static_cast<std::size_t>(user - users.data())], dimension,
                       scores.data());
        precondition(going, inverse, dimension);
        for (Search* user : going) turn_direction(*user, dimension);
    }
}

HARKEN_WIDE void bound(const float* vector, std::size_t dimension, float max_norm,
                       float* out) noexcept {
    const float norm = std::sqrt(dot(vector, vector, dimension));
    const float shrink = std::min(1.0f, max_norm / std::max(norm, 1e-12f));
    for (std::size_t k = 0; k < dimension; k++) out[k] = vector[k] * shrink;
}

std::vector<float> fades(std::size_t length, double decay) {
    // Half ranks come from ties of an even number of items.
    std::vector<float> faded(2 * length);
    const double half = std::sqrt(decay);
    double fade = 1;
    for (float& one : faded) {
        one = static_cast<float>(fade);
        fade *= half;
    }
    return faded;
}

nb::object encode_users(Matrix<const float> table, Matrix<const std::int64_t> items,
                        Matrix<const float> weights, Matrix<const std::int64_t> times_us,
                        std::optional<Vector<const bool>> exists, Matrix<const float> factor,
                        std::size_t length, double decay, float max_norm, double tolerance,
                        std::size_t slack) {
    const std::size_t n = items.shape(0), dimension = table.shape(1);
    expect(weights.shape(0) == n && times_us.shape(0) == n &&
               weights.shape(1) == items.shape(1) && times_us.shape(1) == items.shape(1),
           "items, weights and times differ in shape");
    expect(factor.shape(0) == dimension && factor.shape(1) == dimension,
           "factor is not [dimension, dimension]");
    expect(!exists || exists->shape(0) == table.shape(0), "exists is not of all rows");
    expect(decay > 0 && decay <= 1, "decay is not in (0, 1]");
    const Histories from{table.data(), table.shape(0), dimension, items.data(), weights.data(),
                         times_us.data(), items.shape(1), std::min(length, items.shape(1)),
                         exists ? exists->data() : nullptr};
    std::vector<float> vectors(n * dimension);
    {
        OthersRun others(n);
        const std::vector<float> faded = fades(from.length, decay);
        const auto least = static_cast<float>(tolerance * tolerance);
        const std::size_t together = std::min(n, TOGETHER);
        std::vector<float> room(together * 6 * dimension), scores(from.length);
        std::vector<Search> users(together);
        std::vector<Recent> recent(together);
        std::vector<Search*> going;
        going.reserve(together);
        for (std::size_t u = 0; u < together; u++) {
            float* own = room.data() + u * 6 * dimension;
            users[u] = Search{own, own + dimension, own + 2 * dimension, own + 3 * dimension,
                              own + 4 * dimension, own + 5 * dimension, 0, 0};
        }
        for (std::size_t first = 0; first < n; first += together) {
            const std::size_t count = std::min(together, n - first);
            for (std::size_t u = 0; u < count; u++) collect(from, first + u, faded, recent[u]);
            solve(users, recent, count, factor.data(), dimension, least, from.length + slack,
                  going, scores);
            for (std::size_t u = 0; u < count; u++)
                bound(users[u].solution, dimension, max_norm,
                      vectors.data() + (first + u) * dimension);
        }
    }
    return as_matrix(std::move(vectors), n, dimension);
}

}  // namespace

void register_fold_in(nb::module_& m) {
    m.def("encode_users", &encode_users, nb::arg("table").noconvert(), nb::arg("items").noconvert(),
          nb::arg("weights").noconvert(), nb::arg("times_us").noconvert(),
          nb::arg("exists").noconvert().none(), nb::arg("factor").noconvert(), nb::arg("length"),
          nb::arg("decay"), nb::arg("max_norm"), nb::arg("tolerance"), nb::arg("slack"));
}

}  // namespace harken
