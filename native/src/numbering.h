// A small hash table that numbers what it is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace harken {

// Ordinals (not negative) numbered in the order in which they come.
class Numbering {
public:
    // Make room for `most` different ordinals.
    void reset(std::size_t most) {
        bits_ = 4;
        while ((std::size_t{1} << bits_) < 2 * most) ++bits_;
        cells_.assign(std::size_t{1} << bits_, Cell{-1, -1});
        members.clear();
    }
    std::int32_t number(std::int32_t ordinal) {
        Cell &cell = look(ordinal);
        if (cell.ordinal < 0) {
            cell = {ordinal, static_cast<std::int32_t>(members.size())};
            members.push_back(ordinal);
        }
        return cell.number;
    }
    // -1: none.
    std::int32_t find(std::int64_t ordinal) { return look(static_cast<std::int32_t>(ordinal)).number; }

    std::vector<std::int32_t> members;

private:
    struct Cell {
        std::int32_t ordinal, number;
    };
    Cell &look(std::int32_t ordinal) {
        std::size_t mask = cells_.size() - 1;
        std::size_t at = static_cast<std::uint32_t>(ordinal) * std::uint32_t{2654435769} >> (32 - bits_);
        while (cells_[at].ordinal >= 0 && cells_[at].ordinal != ordinal) at = (at + 1) & mask;
        return cells_[at];
    }
    int bits_ = 4;
    std::vector<Cell> cells_;
};

} // namespace harken
