// One bounded BPR step of item vectors: the twin of draw_negatives and bpr_step in item_step.py,
// for those events of a step that teach.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_order.h"
#include "learner_random.h"
#include "learner_sums.h"

#include <algorithm>
#include <cmath>

namespace harken {
namespace {

constexpr float LEAST_LENGTH = 1e-6f;
constexpr std::uint64_t POOLS = 0x706F6F6C;
constexpr int STEPS = 32'767;

struct StepConfig {
    float eta, temperature;
    std::size_t negatives;
    std::uint64_t seed;
    double pull, max_norm, max_drift;
    float max_weight;
    std::int64_t pool;
};

// An event moves an item by share * the unit vector of its user.
struct Touch {
    std::uint32_t user;
    float share;
};

// Item vectors [rows, dimension] as they are at the start of the step, and where they started.
struct Items {
    const float *table, *base;
    std::size_t rows, dimension;

    const float* vector(std::int64_t ordinal) const {
        return table + static_cast<std::size_t>(ordinal) * dimension;
    }
};

class Negatives {
public:
    Negatives(const StepConfig& config, std::int64_t items)
        : pool_(config.pool), items_(items), drawn_(mix(config.seed)),
          pools_(mix(config.seed ^ POOLS)) {}

    std::int64_t draw(std::int64_t sequence, std::size_t column) const {
        const std::int64_t behind = sequence % pool_;
        const std::int64_t first = sequence - (behind < 0 ? behind + pool_ : behind);
        return uniform_ordinal(pools_, first + uniform_ordinal(drawn_, sequence, column, pool_), 0,
                               items_);
    }

private:
    std::int64_t pool_, items_;
    std::uint64_t drawn_, pools_;
};

// Adds what one event does to its item and its negatives; all have rows, and `touches` has room.
// Negatives that equal the item are left out.
HARKEN_WIDE void touch(const float* user, std::uint32_t index, std::int64_t positive, float weight,
                       const std::vector<std::int64_t>& negatives, const Items& items,
                       const StepConfig& config, std::vector<Keyed<Touch>>& touches) noexcept {
    const std::size_t dimension = items.dimension;
    const float own = dot(user, items.vector(positive), dimension);
    const float step = config.eta / static_cast<float>(negatives.size());
    float pulled = 0;
    for (const std::int64_t negative : negatives) {
        if (negative == positive) continue;
        const float margin = own - dot(user, items.vector(negative), dimension);
        const float slope = weight / (1 + std::exp(config.temperature * margin)) * step;
        if (slope == 0) continue;
        touches.push_back({static_cast<std::uint64_t>(negative), {index, -slope}});
        pulled += slope;
    }
    if (pulled != 0) touches.push_back({static_cast<std::uint64_t>(positive), {index, pulled}});
}

// Moves one vector by its touches, pulls it towards its base (once per touch), bounds the drift and
// then the norm, and takes the nearest values that are multiples of the unit.
HARKEN_WIDE void move(const float* vector, const float* base, const Keyed<Touch>* first,
                      std::size_t count, const float* users, std::size_t dimension,
                      const StepConfig& config, std::vector<double>& drift, float* out) noexcept {
    std::fill_n(out, dimension, 0.0f);
    for (std::size_t i = 0; i < count; i++) {
        const float* user = users + first[i].value.user * dimension;
        for (std::size_t k = 0; k < dimension; k++) out[k] += first[i].value.share * user[k];
    }
    const double keep = std::pow(1 - config.pull, static_cast<double>(count));
    for (std::size_t k = 0; k < dimension; k++) {
        const float moved = vector[k] + out[k];
        drift[k] = static_cast<double>(moved - base[k]) * keep;
    }
    const double size = std::sqrt(dot(drift.data(), drift.data(), dimension));
    const double within = std::min(1.0, config.max_drift / std::max(size, 1e-12));
    for (std::size_t k = 0; k < dimension; k++)
        drift[k] = static_cast<double>(base[k]) + drift[k] * within;
    const double norm = std::sqrt(dot(drift.data(), drift.data(), dimension));
    const double shrink = std::min(1.0, config.max_norm / std::max(norm, 1e-12));
    const auto unit = static_cast<float>(config.max_norm / STEPS);
    for (std::size_t k = 0; k < dimension; k++) {
        const auto value = static_cast<float>(drift[k] * shrink);
        drift[k] = value;
        // Multiples have one zero, floats have two.
        out[k] = std::nearbyint(value / unit) * unit + 0.0f;
    }
    if (std::sqrt(dot(out, out, dimension)) > static_cast<float>(config.max_norm))
        for (std::size_t k = 0; k < dimension; k++)
            out[k] = std::trunc(static_cast<float>(drift[k]) / unit) * unit + 0.0f;
}

HARKEN_WIDE bool make_unit(const float* user, std::size_t dimension, float* out) noexcept {
    const float length = std::sqrt(dot(user, user, dimension));
    if (!(length > LEAST_LENGTH)) return false;
    for (std::size_t k = 0; k < dimension; k++) out[k] = user[k] / length;
    return true;
}

nb::tuple learn_items(Matrix<const float> users, Vector<const std::int64_t> positives,
                      Vector<const float> weights, Vector<const std::int64_t> sequences,
                      Vector<const bool> exists, std::int64_t item_count, Matrix<const float> table,
                      Matrix<const float> base, float eta, float temperature,
                      std::size_t negatives, std::uint64_t seed, double pull, double max_norm,
                      double max_drift, float max_weight, std::int64_t pool) {
    const std::size_t n = users.shape(0), dimension = table.shape(1);
    const Items items{table.data(), base.data(), table.shape(0), dimension};
    expect(users.shape(1) == dimension && base.shape(1) == dimension,
           "users, table and base differ in dimension");
    expect(base.shape(0) == items.rows && exists.shape(0) == items.rows,
           "base and exists are not of all rows");
    expect(positives.shape(0) == n && weights.shape(0) == n && sequences.shape(0) == n,
           "columns of events differ in length");
    expect(item_count > 0 && static_cast<std::size_t>(item_count) <= items.rows,
           "item_count is not in 1..rows");
    expect(negatives > 0 && negatives <= 64 && pool > 0, "negatives or pool out of range");
    const StepConfig config{eta, temperature, negatives, seed, pull, max_norm, max_drift,
                            max_weight, pool};
    std::vector<std::int64_t> rows;
    std::vector<float> vectors;
    {
        OthersRun others(n);
        const Negatives draws(config, item_count);
        std::vector<float> units(n * dimension);
        std::vector<Keyed<Touch>> touches;
        touches.reserve(n * (negatives + 1));
        std::vector<std::int64_t> drawn(negatives);
        for (std::size_t event = 0; event < n; event++) {
            const std::int64_t positive = positives.data()[event];
            const float weight = std::min(weights.data()[event], max_weight);
            float* unit = units.data() + event * dimension;
            if (positive == NO_ITEM || !(weight > 0) ||
                !make_unit(users.data() + event * dimension, dimension, unit))
                continue;
            row_of(positive, items.rows);
            for (std::size_t column = 0; column < negatives; column++) {
                const std::int64_t negative = draws.draw(sequences.data()[event], column);
                drawn[column] = exists.data()[negative] ? negative : positive;
            }
            touch(unit, static_cast<std::uint32_t>(event), positive, weight, drawn, items, config,
                  touches);
        }
        sort_by_key(touches);
        std::vector<double> drift(dimension);
        for (std::size_t first = 0, end = 0; first < touches.size(); first = end) {
            while (end < touches.size() && touches[end].key == touches[first].key) end++;
            rows.push_back(static_cast<std::int64_t>(touches[first].key));
            vectors.resize(vectors.size() + dimension);
            const std::size_t row = static_cast<std::size_t>(rows.back()) * dimension;
            move(items.table + row, items.base + row, touches.data() + first, end - first,
                 units.data(), dimension, config, drift, &vectors[vectors.size() - dimension]);
        }
    }
    const std::size_t count = rows.size();
    return nb::make_tuple(as_array(std::move(rows)),
                          as_matrix(std::move(vectors), count, dimension));
}

}  // namespace

void register_item_step(nb::module_& m) {
    m.def("learn_items", &learn_items, nb::arg("users").noconvert(),
          nb::arg("positives").noconvert(), nb::arg("weights").noconvert(),
          nb::arg("sequences").noconvert(), nb::arg("exists").noconvert(), nb::arg("item_count"),
          nb::arg("table").noconvert(), nb::arg("base").noconvert(), nb::arg("eta"),
          nb::arg("temperature"), nb::arg("negatives"), nb::arg("seed"), nb::arg("pull"),
          nb::arg("max_norm"), nb::arg("max_drift"), nb::arg("max_weight"), nb::arg("pool"));
}

}  // namespace harken
