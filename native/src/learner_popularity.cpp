// Popularity by time and by place, and plain counts: the twins of popularity.py and
// context_popularity.py. The state is left as it is; what a batch makes of it is returned.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_order.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace harken {
namespace {

constexpr std::size_t PLACES = 7;
// Columns of a row of popularity, as in services/common/ranking/popularity.py: levels by place in the
// history, by place in the session, of all; the count; the level that fades fast.
constexpr std::size_t LEVEL = 2 * PLACES, COUNT = LEVEL + 1, TREND = COUNT + 1, COLUMNS = TREND + 1;
constexpr std::int64_t SESSION_GAP_US = 30LL * 60 * 1'000'000;

struct Levels {
    std::vector<std::int64_t> cells;
    std::vector<double> levels, events;
};

// New levels of the cells whose events have these exponents, log2 of what each adds, and how many
// events they are; of cells without events the level is minus infinity.
Levels raised(std::vector<Keyed<double>>& exponents, const double* held) {
    sort_by_key(exponents);
    Levels found;
    for (std::size_t first = 0, end = 0; first < exponents.size(); first = end) {
        const std::uint64_t cell = exponents[first].key;
        double peak = held[cell];
        for (; end < exponents.size() && exponents[end].key == cell; end++)
            peak = std::max(peak, exponents[end].value);
        double added = 0;
        for (std::size_t i = first; i < end; i++) added += std::exp2(exponents[i].value - peak);
        found.cells.push_back(static_cast<std::int64_t>(cell));
        found.levels.push_back(peak + std::log2(std::exp2(held[cell] - peak) + added));
        found.events.push_back(static_cast<double>(end - first));
    }
    return found;
}

// The place of what comes after so many items: 0, 1..2, 3..6, 7..14, ..., 63 and more.
std::size_t place_after(std::size_t items) {
    std::size_t place = 0;
    while (place < PLACES - 1 && items + 1 >= (std::size_t{2} << place)) place++;
    return place;
}

// Of a history, latest first: how many items it holds.
std::size_t held_items(const std::int64_t* items, std::size_t length) {
    return length - static_cast<std::size_t>(std::count(items, items + length, NO_ITEM));
}

// How many of them belong to the session of now.
std::size_t session_items(const std::int64_t* items, const std::int64_t* times_us,
                          std::size_t length, std::int64_t now_us) {
    std::size_t count = 0;
    for (std::int64_t later = now_us; count < length; later = times_us[count++])
        // Unsigned, for what wraps around in NumPy must be defined here.
        if (items[count] == NO_ITEM ||
            static_cast<std::int64_t>(static_cast<std::uint64_t>(later) -
                                      static_cast<std::uint64_t>(times_us[count])) > SESSION_GAP_US)
            break;
    return count;
}

nb::tuple count_events(Matrix<const double> table, double events_before,
                       Vector<const std::int64_t> items, Vector<const float> weights,
                       Vector<const std::int64_t> times_us, Matrix<const std::int64_t> before_items,
                       Matrix<const std::int64_t> before_times_us, double half_life_s,
                       double half_life_events, double trend_events) {
    const std::size_t n = items.shape(0), rows = table.shape(0), length = before_items.shape(1);
    expect(table.shape(1) == COLUMNS, "the table has other columns");
    expect(weights.shape(0) == n && times_us.shape(0) == n && before_items.shape(0) == n &&
               before_times_us.shape(0) == n && before_times_us.shape(1) == length,
           "columns of events differ in length");
    Levels by_time, by_place, by_trend;
    {
        OthersRun others(n);
        std::vector<Keyed<double>> in_time, in_place, in_trend;
        in_time.reserve(n);
        in_trend.reserve(n);
        in_place.reserve(2 * n);
        double clock = events_before;
        for (std::size_t event = 0; event < n; event++) {
            const double weight = weights.data()[event];
            if (!(weight > 0)) continue;
            const std::uint64_t row = row_of(items.data()[event], rows) * COLUMNS;
            const std::int64_t* recent = before_items.data() + event * length;
            const std::int64_t now_us = times_us.data()[event];
            const std::size_t session = session_items(
                recent, before_times_us.data() + event * length, length, now_us);
            const double weight_exponent = std::log2(weight);
            in_time.push_back(
                {row + LEVEL, static_cast<double>(now_us) / 1e6 / half_life_s + weight_exponent});
            clock += 1;
            const double exponent = clock / half_life_events + weight_exponent;
            in_place.push_back({row + place_after(held_items(recent, length)), exponent});
            in_place.push_back({row + PLACES + place_after(session), exponent});
            in_trend.push_back({row + TREND, clock / trend_events + weight_exponent});
        }
        by_time = raised(in_time, table.data());
        for (std::size_t i = 0; i < by_time.cells.size(); i++) {
            std::int64_t& cell = by_time.cells[i];
            by_time.events[i] += table.data()[cell - LEVEL + COUNT];
            cell /= COLUMNS;
        }
        by_place = raised(in_place, table.data());
        by_trend = raised(in_trend, table.data());
    }
    return nb::make_tuple(as_array(std::move(by_time.cells)), as_array(std::move(by_time.levels)),
                          as_array(std::move(by_time.events)), as_array(std::move(by_trend.levels)),
                          as_array(std::move(by_place.cells)), as_array(std::move(by_place.levels)));
}

}  // namespace

void register_popularity(nb::module_& m) {
    m.def("count_events", &count_events, nb::arg("table").noconvert(), nb::arg("events_before"),
          nb::arg("items").noconvert(), nb::arg("weights").noconvert(),
          nb::arg("times_us").noconvert(), nb::arg("before_items").noconvert(),
          nb::arg("before_times_us").noconvert(), nb::arg("half_life_s"),
          nb::arg("half_life_events"), nb::arg("trend_events"));
}

}  // namespace harken
