// Recent items of users, and how much of what is shared one user may move in a day: the twins of
// UserTable.record and DailyCap.admit, to the bit, for what hardly ever happens excepted: late
// events, hidden ones and stretches beyond the cap are told, and kept in Python.
#include "learner.h"
#include "learner_arrays.h"

#include <algorithm>

namespace harken {
namespace {

constexpr std::int64_t DAY_US = 86'400'000'000;

// One column of the recent items of all users, [users, length], latest first.
template <class T>
struct Column {
    T* values;
    std::size_t length;

    T* of(std::size_t row) const { return values + row * length; }

    // What is at `place`, or falls out of the end, gives way to `value` in front.
    void put(std::size_t row, std::size_t place, T value) const {
        T* own = of(row);
        const std::size_t moved = std::min(place, length - 1);
        std::copy_backward(own, own + moved, own + moved + 1);
        own[0] = value;
    }

    void take_out(std::size_t row, std::size_t place, T empty) const {
        T* own = of(row);
        std::copy(own + place + 1, own + length, own + place);
        own[length - 1] = empty;
    }
};

struct Hidden {
    std::vector<std::int64_t> rows, sequences, items, times_us;
    std::vector<float> weights;
};

struct Users {
    Column<std::int64_t> items;
    Column<float> weights;
    Column<std::int64_t> times_us, sequences;

    void hide(std::size_t row, std::size_t place, Hidden& hidden) const {
        hidden.rows.push_back(static_cast<std::int64_t>(row));
        hidden.sequences.push_back(sequences.of(row)[place]);
        hidden.items.push_back(items.of(row)[place]);
        hidden.times_us.push_back(times_us.of(row)[place]);
        hidden.weights.push_back(weights.of(row)[place]);
    }
};

nb::tuple record_events(Matrix<std::int64_t> table_items, Matrix<float> table_weights,
                        Matrix<std::int64_t> table_times_us, Matrix<std::int64_t> table_sequences,
                        Vector<std::int64_t> latest_us, Vector<const std::int64_t> rows,
                        Vector<const std::int64_t> items, Vector<const float> weights,
                        Vector<const std::int64_t> times_us, Vector<const std::int64_t> sequences,
                        Matrix<std::int64_t> before_items, Matrix<float> before_weights,
                        Matrix<std::int64_t> before_times_us, std::size_t start) {
    const std::size_t n = rows.shape(0), users = table_items.shape(0),
                      length = table_items.shape(1);
    const auto fits = [](const auto& matrix, std::size_t count, std::size_t columns) {
        return matrix.shape(0) == count && matrix.shape(1) == columns;
    };
    expect(length > 0 && fits(table_weights, users, length) &&
               fits(table_times_us, users, length) && fits(table_sequences, users, length) &&
               latest_us.shape(0) == users,
           "tables of users differ in shape");
    expect(fits(before_items, n, length) && fits(before_weights, n, length) &&
               fits(before_times_us, n, length),
           "room for histories is not [events, length]");
    expect(items.shape(0) == n && weights.shape(0) == n && times_us.shape(0) == n &&
               sequences.shape(0) == n && start <= n,
           "columns of events differ in length");
    const Users table{{table_items.data(), length},
                      {table_weights.data(), length},
                      {table_times_us.data(), length},
                      {table_sequences.data(), length}};
    Hidden hidden;
    std::size_t event = start;
    {
        OthersRun others(n - start);
        for (std::size_t i = start; i < n; i++) row_of(rows.data()[i], users);
        for (; event < n; event++) {
            const auto row = static_cast<std::size_t>(rows.data()[event]);
            std::copy_n(table.items.of(row), length, before_items.data() + event * length);
            std::copy_n(table.weights.of(row), length, before_weights.data() + event * length);
            std::copy_n(table.times_us.of(row), length, before_times_us.data() + event * length);
            const std::int64_t item = items.data()[event], time_us = times_us.data()[event];
            const float weight = weights.data()[event];
            if (item == NO_ITEM || weight == 0) continue;
            if (time_us < latest_us.data()[row]) break;
            latest_us.data()[row] = time_us;
            const std::int64_t* own = table.items.of(row);
            const auto place = static_cast<std::size_t>(std::find(own, own + length, item) - own);
            if (place < length) table.hide(row, place, hidden);
            if (weight < 0) {
                hidden.rows.push_back(static_cast<std::int64_t>(row));
                hidden.sequences.push_back(sequences.data()[event]);
                hidden.items.push_back(item);
                hidden.times_us.push_back(time_us);
                hidden.weights.push_back(weight);
                if (place == length) continue;
                table.items.take_out(row, place, NO_ITEM);
                table.weights.take_out(row, place, 0);
                table.times_us.take_out(row, place, 0);
                table.sequences.take_out(row, place, 0);
            } else {
                table.items.put(row, place, item);
                table.weights.put(row, place, weight);
                table.times_us.put(row, place, time_us);
                table.sequences.put(row, place, sequences.data()[event]);
            }
        }
    }
    return nb::make_tuple(event, as_array(std::move(hidden.rows)),
                          as_array(std::move(hidden.sequences)), as_array(std::move(hidden.items)),
                          as_array(std::move(hidden.weights)),
                          as_array(std::move(hidden.times_us)));
}

// Counts events by user and day, and says which are beyond the cap.
nb::tuple admit_events(Vector<std::int32_t> days, Vector<std::int32_t> counts, std::int32_t cap,
                       Vector<const std::int64_t> rows, Vector<const std::int64_t> times_us,
                       Vector<const bool> teach, Vector<bool> admitted) {
    const std::size_t n = rows.shape(0), users = days.shape(0);
    expect(counts.shape(0) == users, "days and counts differ in length");
    expect(times_us.shape(0) == n && teach.shape(0) == n && admitted.shape(0) == n,
           "columns of events differ in length");
    std::vector<std::int64_t> beyond;
    std::vector<std::int8_t> goes_on;
    for (std::size_t i = 0; i < n; i++) row_of(rows.data()[i], users);
    for (std::size_t event = 0; event < n; event++) {
        admitted.data()[event] = teach.data()[event];
        if (!teach.data()[event]) continue;
        const auto row = static_cast<std::size_t>(rows.data()[event]);
        const std::int64_t time_us = times_us.data()[event];
        const auto day =
            static_cast<std::int32_t>(time_us / DAY_US - (time_us % DAY_US < 0));
        if (day > days.data()[row]) {
            days.data()[row] = day;
            counts.data()[row] = 0;
        }
        std::int32_t& count = counts.data()[row];
        if (count < cap) {
            count++;
            continue;
        }
        admitted.data()[event] = false;
        beyond.push_back(static_cast<std::int64_t>(event));
        goes_on.push_back(count == cap + 1);
        count = cap + 1;
    }
    return nb::make_tuple(as_array(std::move(beyond)), as_array(std::move(goes_on)));
}

}  // namespace

void register_recent_items(nb::module_& m) {
    m.def("record_events", &record_events, nb::arg("table_items").noconvert(),
          nb::arg("table_weights").noconvert(), nb::arg("table_times_us").noconvert(),
          nb::arg("table_sequences").noconvert(), nb::arg("latest_us").noconvert(),
          nb::arg("rows").noconvert(), nb::arg("items").noconvert(),
          nb::arg("weights").noconvert(), nb::arg("times_us").noconvert(),
          nb::arg("sequences").noconvert(), nb::arg("before_items").noconvert(),
          nb::arg("before_weights").noconvert(), nb::arg("before_times_us").noconvert(),
          nb::arg("start"));
    m.def("admit_events", &admit_events, nb::arg("days").noconvert(),
          nb::arg("counts").noconvert(), nb::arg("cap"), nb::arg("rows").noconvert(),
          nb::arg("times_us").noconvert(), nb::arg("teach").noconvert(),
          nb::arg("admitted").noconvert());
}

}  // namespace harken
