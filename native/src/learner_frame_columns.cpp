// What a step does with its columns at the end: ordinals become places in the dictionary of a frame
// (the twin of item_dictionary.py), and a change is added to a Gramian (of vector_table.py). To the
// bit, both.
#include "learner.h"
#include "learner_arrays.h"
#include "learner_sums.h"

#include <nanobind/stl/vector.h>

#include <algorithm>

namespace harken {
namespace {

using Column = Vector<const std::int64_t>;

// A set of ordinals below `size` as bits, and how many of it are below each word.
class Ordinals {
public:
    explicit Ordinals(std::size_t size) : bits_((size + 63) / 64), below_(bits_.size()) {}

    void add(std::uint64_t ordinal) { bits_[ordinal / 64] |= std::uint64_t{1} << ordinal % 64; }

    std::vector<std::int64_t> ascending() {
        std::vector<std::int64_t> all;
        for (std::size_t word = 0; word < bits_.size(); word++) {
            below_[word] = all.size();
            for (std::uint64_t left = bits_[word]; left; left &= left - 1)
                all.push_back(static_cast<std::int64_t>(word * 64 + __builtin_ctzll(left)));
        }
        return all;
    }

    std::int64_t place(std::uint64_t ordinal) const {
        const std::uint64_t lower = bits_[ordinal / 64] & ((std::uint64_t{1} << ordinal % 64) - 1);
        return static_cast<std::int64_t>(below_[ordinal / 64]) + __builtin_popcountll(lower);
    }

private:
    std::vector<std::uint64_t> bits_;
    std::vector<std::size_t> below_;
};

// Returns all ordinals of the columns, ascending, and each column as places in them.
nb::tuple index_ordinals(const std::vector<Column>& columns, std::size_t rows) {
    // Few ordinals of very many items are better sorted than looked up in a set of them all.
    std::size_t count = 0;
    for (const Column& column : columns) count += column.shape(0);
    std::vector<std::int64_t> ordinals;
    std::vector<std::vector<std::int64_t>> places;
    {
        OthersRun others(count / 32);
        for (const Column& column : columns)
            for (std::size_t i = 0; i < column.shape(0); i++) row_of(column.data()[i], rows);
        for (const Column& column : columns) places.emplace_back(column.shape(0));
        if (count < rows / 64) {
            for (const Column& column : columns)
                ordinals.insert(ordinals.end(), column.data(), column.data() + column.shape(0));
            std::sort(ordinals.begin(), ordinals.end());
            ordinals.erase(std::unique(ordinals.begin(), ordinals.end()), ordinals.end());
            for (std::size_t c = 0; c < columns.size(); c++)
                for (std::size_t i = 0; i < places[c].size(); i++)
                    places[c][i] = std::lower_bound(ordinals.begin(), ordinals.end(),
                                                    columns[c].data()[i]) -
                                   ordinals.begin();
        } else {
            Ordinals all(rows);
            for (const Column& column : columns)
                for (std::size_t i = 0; i < column.shape(0); i++)
                    all.add(static_cast<std::uint64_t>(column.data()[i]));
            ordinals = all.ascending();
            for (std::size_t c = 0; c < columns.size(); c++)
                for (std::size_t i = 0; i < places[c].size(); i++)
                    places[c][i] = all.place(static_cast<std::uint64_t>(columns[c].data()[i]));
        }
    }
    nb::list indexed;
    for (auto& column : places) indexed.append(as_array(std::move(column)));
    return nb::make_tuple(as_array(std::move(ordinals)), indexed);
}

HARKEN_WIDE void add_row(double* sums, const float* change, const float* across,
                         std::size_t size) noexcept {
    for (std::size_t k = 0; k < size; k++) sums[k] += (change[k] + across[k * size]) * 0.5f;
}

// Adds the symmetric part of `change` [dimension, dimension] to `gramian`.
void add_symmetric(Matrix<double> gramian, Matrix<const float> change) {
    const std::size_t size = gramian.shape(0);
    expect(gramian.shape(1) == size && change.shape(0) == size && change.shape(1) == size,
           "gramian and change are not of one dimension");
    for (std::size_t row = 0; row < size; row++)
        add_row(gramian.data() + row * size, change.data() + row * size, change.data() + row, size);
}

}  // namespace

void register_frame_columns(nb::module_& m) {
    m.def("index_ordinals", &index_ordinals, nb::arg("columns").noconvert(), nb::arg("rows"));
    m.def("add_symmetric", &add_symmetric, nb::arg("gramian").noconvert(),
          nb::arg("change").noconvert());
}

}  // namespace harken
