// Sequential rules of a batch of events: the twin of RuleTable.update_batch in sequential_rules.py,
// to the bit. The table changes where it is; what changed is returned.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_order.h"
#include "learner_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace harken {
namespace {

constexpr std::int32_t BLOCK = 32;
constexpr std::int32_t EMPTY = -1;
constexpr std::size_t AHEAD = 4;  // pairs

// A pair of (row, column) that gains, and the slot that it goes to.
struct Pair {
    std::int32_t column;
    float gain;
    std::int32_t slot;
};

struct Cells {
    std::vector<std::int32_t> rows, slots, columns;
    std::vector<float> values;
};

// Returns the first of `count` slots that holds `column`, or `count`.
HARKEN_WIDE std::int32_t slot_of(const std::int32_t* columns, std::int32_t count,
                                 std::int32_t column) noexcept {
    std::int32_t slot = 0;
    for (; slot + BLOCK <= count; slot += BLOCK) {
        std::int32_t any = 0;
        for (std::int32_t k = 0; k < BLOCK; k++) any |= columns[slot + k] == column;
        if (any) break;
    }
    while (slot < count && columns[slot] != column) slot++;
    return slot;
}

// Returns the first slot of the least value; count > 0.
HARKEN_WIDE std::int32_t weakest(const float* values, std::int32_t count) noexcept {
    float least[BLOCK];
    for (float& one : least) one = values[0];
    std::int32_t slot = 0;
    for (; slot + BLOCK <= count; slot += BLOCK)
        for (std::int32_t k = 0; k < BLOCK; k++)
            least[k] = values[slot + k] < least[k] ? values[slot + k] : least[k];
    for (; slot < count; slot++) least[0] = values[slot] < least[0] ? values[slot] : least[0];
    float all = least[0];
    for (const float one : least) all = one < all ? one : all;
    slot = 0;
    while (slot < count - 1 && values[slot] != all) slot++;
    return slot;
}

// One row. Slots fill from the first on and are never freed: those from `used` on are free, with
// value 0, and nobody needs to look at them.
class Row {
public:
    Row(std::int32_t* columns, float* values, std::int32_t cap)
        : columns_(columns), values_(values), cap_(cap), used_(slot_of(columns, cap, EMPTY)) {}

    // Adds gains of distinct pairs; new ones contest the weakest slots. Sets their slots; those
    // that found none come last, and the number of the others is returned. `left` is room.
    std::size_t add(Pair* pairs, std::size_t count, std::vector<float>& left) {
        for (std::size_t i = 0; i < count; i++) {
            pairs[i].slot = slot_of(columns_, used_, pairs[i].column);
            if (pairs[i].slot < used_) values_[pairs[i].slot] += pairs[i].gain;
        }
        Pair* fresh = std::stable_partition(pairs, pairs + count,
                                            [this](const Pair& p) { return p.slot < used_; });
        const auto fits = std::min<std::size_t>(pairs + count - fresh, cap_);
        place(fresh, pairs + count, left);
        for (Pair* pair = fresh; pair < fresh + fits; pair++) contest(*pair);
        return fresh - pairs + fits;
    }

private:
    // The strongest new pair takes the weakest slot, and so on.
    void place(Pair* fresh, Pair* end, std::vector<float>& left) const {
        const auto slots = static_cast<std::int32_t>(
            std::min<std::int64_t>(cap_, used_ + (end - fresh)));
        if (end - fresh == 1) fresh->slot = weakest(values_, slots);
        if (end - fresh <= 1) return;
        std::stable_sort(fresh, end, [](const Pair& a, const Pair& b) { return a.gain > b.gain; });
        left.assign(values_, values_ + slots);
        const auto fits = std::min<std::size_t>(end - fresh, cap_);
        for (std::size_t i = 0; i < fits; i++) {
            fresh[i].slot = weakest(left.data(), slots);
            left[fresh[i].slot] = std::numeric_limits<float>::infinity();
        }
    }

    void contest(const Pair& pair) {
        float& held = values_[pair.slot];
        if (pair.gain >= held) {
            columns_[pair.slot] = pair.column;
            held = pair.gain;
        } else {
            held -= pair.gain;
        }
    }

    std::int32_t* columns_;
    float* values_;
    std::int32_t cap_, used_;
};

// Asks for the beginning of a row before it is needed: most rows of a batch are not in the cache.
void prefetch(const std::int32_t* columns, const float* values, std::size_t row, std::size_t cap) {
    for (std::size_t slot = 0; slot < std::min(cap, 4 * LANES); slot += LANES) {
        __builtin_prefetch(columns + row * cap + slot, 1);
        __builtin_prefetch(values + row * cap + slot, 1);
    }
}

// Returns gains by pair, row * rows + column: forward w / sqrt(k), the rest in reverse, in the order
// in which they are summed. An item that comes again: again * w, with what came since.
std::vector<Keyed<double>> gains_of(const std::int64_t* items, const std::int64_t* histories,
                                    const float* weights, std::size_t n, std::size_t columns,
                                    std::size_t window, std::size_t rows, double reverse,
                                    double again) {
    std::vector<double> distance(window);
    for (std::size_t k = 0; k < window; k++) distance[k] = std::sqrt(static_cast<double>(k + 1));
    std::vector<Keyed<double>> gains;
    gains.reserve(2 * n * window);
    for (const bool forward : {true, false})
        for (std::size_t event = 0; event < n; event++) {
            if (!(weights[event] > 0)) continue;
            const std::uint64_t after = row_of(items[event], rows);
            const std::int64_t* own = histories + event * columns;
            const auto since = static_cast<std::size_t>(std::find(own, own + columns, items[event]) - own);
            const double weight = weights[event] * (since < columns ? again : 1.0);
            for (std::size_t k = 0; k < std::min(window, since); k++) {
                const std::int64_t recent = own[k];
                if (recent == NO_ITEM) continue;
                const std::uint64_t before = row_of(recent, rows);
                const double gain = weight / distance[k];
                if (!(gain > 0)) continue;
                if (forward)
                    gains.push_back({before * rows + after, gain});
                else
                    gains.push_back({after * rows + before, reverse * gain});
            }
        }
    return gains;
}

// Sums the gains of each pair, and leaves out what gains nothing. `gains` are sorted.
std::vector<Keyed<Pair>> pairs_of(const std::vector<Keyed<double>>& gains, std::size_t rows) {
    std::vector<Keyed<Pair>> pairs;
    pairs.reserve(gains.size());
    for (std::size_t first = 0, end = 0; first < gains.size(); first = end) {
        double sum = 0;
        for (; end < gains.size() && gains[end].key == gains[first].key; end++)
            sum += gains[end].value;
        if (sum > 0)
            pairs.push_back({gains[first].key / rows,
                             {static_cast<std::int32_t>(gains[first].key % rows),
                              static_cast<float>(sum), 0}});
    }
    return pairs;
}

nb::tuple update_rules(Matrix<std::int32_t> columns, Matrix<float> values,
                       Vector<const std::int64_t> items, Matrix<const std::int64_t> histories,
                       Vector<const float> weights, std::size_t window, double reverse,
                       double again) {
    const std::size_t n = items.shape(0), rows = columns.shape(0), cap = columns.shape(1);
    expect(values.shape(0) == rows && values.shape(1) == cap, "columns and values differ in shape");
    expect(weights.shape(0) == n && histories.shape(0) == n, "columns of events differ in length");
    expect(rows < (std::size_t{1} << 31) && cap < (std::size_t{1} << 31), "table is too large");
    expect(cap > 0, "rows have no slots");
    window = std::min(window, histories.shape(1));
    Cells cells;
    {
        OthersRun others(n);
        auto gains = gains_of(items.data(), histories.data(), weights.data(), n, histories.shape(1),
                              window, rows, reverse, again);
        sort_by_key(gains);
        const auto keyed = pairs_of(gains, rows);
        std::vector<Pair> pairs;
        std::vector<float> left;
        for (std::size_t first = 0, end = 0; first < keyed.size(); first = end) {
            const std::size_t row = keyed[first].key;
            std::int32_t* own = columns.data() + row * cap;
            float* gained = values.data() + row * cap;
            pairs.clear();
            for (; end < keyed.size() && keyed[end].key == row; end++)
                pairs.push_back(keyed[end].value);
            if (end + AHEAD < keyed.size())
                prefetch(columns.data(), values.data(), keyed[end + AHEAD].key, cap);
            pairs.resize(Row(own, gained, static_cast<std::int32_t>(cap))
                             .add(pairs.data(), pairs.size(), left));
            std::sort(pairs.begin(), pairs.end(),
                      [](const Pair& a, const Pair& b) { return a.slot < b.slot; });
            for (std::size_t i = 0; i < pairs.size(); i++) {
                const std::int32_t slot = pairs[i].slot;
                if (i > 0 && slot == pairs[i - 1].slot) continue;
                cells.rows.push_back(static_cast<std::int32_t>(row));
                cells.slots.push_back(slot);
                cells.columns.push_back(own[slot]);
                cells.values.push_back(gained[slot]);
            }
        }
    }
    return nb::make_tuple(as_array(std::move(cells.rows)), as_array(std::move(cells.slots)),
                          as_array(std::move(cells.columns)), as_array(std::move(cells.values)));
}

}  // namespace

void register_rules(nb::module_& m) {
    m.def("update_rules", &update_rules, nb::arg("columns").noconvert(),
          nb::arg("values").noconvert(), nb::arg("items").noconvert(),
          nb::arg("histories").noconvert(), nb::arg("weights").noconvert(), nb::arg("window"),
          nb::arg("reverse"), nb::arg("again"));
}

}  // namespace harken
