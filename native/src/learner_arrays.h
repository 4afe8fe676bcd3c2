// Arrays of NumPy as the loops of the learner take and return them.
//
// nanobind checks dtype, number of axes and contiguity of every argument (all are bound with
// noconvert, so nothing is copied behind the caller's back); what is checked here is what it cannot
// know: lengths that belong together, and ordinals that have a row.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace harken {

namespace nb = nanobind;

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr std::int64_t NO_ITEM = -1;

inline void expect(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

// Returns the ordinal as an index of `rows` rows.
inline std::size_t row_of(std::int64_t ordinal, std::size_t rows) {
    if (ordinal < 0 || static_cast<std::uint64_t>(ordinal) >= rows)
        throw std::out_of_range("ordinal " + std::to_string(ordinal) + " has no row of " +
                                std::to_string(rows));
    return static_cast<std::size_t>(ordinal);
}

// Room of its own for one column of an answer, handed to NumPy without a copy.
template <class T>
nb::object as_array(std::vector<T>&& values) {
    auto* own = new std::vector<T>(std::move(values));
    nb::capsule owner(own, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(own->data(), {own->size()}, owner));
}

template <class T>
nb::object as_matrix(std::vector<T>&& values, std::size_t rows, std::size_t columns) {
    auto* own = new std::vector<T>(std::move(values));
    nb::capsule owner(own, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<2>>(own->data(), {rows, columns}, owner));
}

// Lets other threads of Python run while a long call works. Short ones keep the lock: they run on
// the event loop, and getting it back can take longer than they do.
class OthersRun {
public:
    explicit OthersRun(std::size_t events) {
        if (events > FEW) released_.emplace();
    }

private:
    static constexpr std::size_t FEW = 32;
    std::optional<nb::gil_scoped_release> released_;
};

}  // namespace harken
