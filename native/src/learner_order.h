// Sorting by key, stably: by least significant digits first where there is much to sort.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace harken {

// Something with a key and what is to be carried along with it.
template <class T>
struct Keyed {
    std::uint64_t key;
    T value;
};

template <class T>
void sort_by_key(std::vector<Keyed<T>>& all) {
    constexpr std::size_t FEW = 512, BITS = 11, DIGITS = std::size_t{1} << BITS;
    if (all.size() <= FEW) {
        std::stable_sort(all.begin(), all.end(),
                         [](const auto& a, const auto& b) { return a.key < b.key; });
        return;
    }
    std::uint64_t largest = 0;
    for (const auto& one : all) largest = std::max(largest, one.key);
    std::vector<Keyed<T>> other(all.size());
    for (std::size_t shift = 0; shift < 64 && largest >> shift; shift += BITS) {
        std::array<std::size_t, DIGITS> place{};
        for (const auto& one : all) place[(one.key >> shift) & (DIGITS - 1)]++;
        std::size_t before = 0;
        for (std::size_t& count : place) before += std::exchange(count, before);
        for (const auto& one : all) other[place[(one.key >> shift) & (DIGITS - 1)]++] = one;
        all.swap(other);
    }
}

}  // namespace harken
