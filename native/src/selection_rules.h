// Rules of a slate while it grows, as limits.py, minimums.py and reserve.py of
// services/ranker/domain/selection say. Masks are bytes [n], 0 or 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace harken {

using Mask = std::vector<std::uint8_t>;

// At most so many of some items, or of those with one value.
class Limit {
public:
    // At most `count` of `items` [n].
    Limit(const std::uint8_t *items, std::size_t size, std::int64_t count);
    // At most `most` with one value of `codes`, which are 0.. or -1: [n], or those of item i at
    // starts[i]..starts[i + 1]. used: how many there are already, by code.
    Limit(std::vector<std::int32_t> codes, const std::int64_t *starts, std::size_t size,
          std::int64_t most, std::vector<std::int64_t> used);

    bool bars_any() const { return any_; }
    const std::uint8_t *closed() const { return closed_.data(); }
    // One value of each item at most: then `code` says it, -1: none.
    bool is_single() const { return starts_ == nullptr; }
    std::int32_t code(std::size_t item) const { return codes_[item]; }
    std::size_t code_count() const { return used_.size(); }
    std::int64_t room(std::int32_t code) const;
    // Count an item; return whether more are barred now.
    bool take(std::size_t item);

private:
    bool count_one(std::int32_t code);
    void close(std::int32_t code);

    std::size_t size_;
    std::int64_t most_;
    std::vector<std::int32_t> codes_;
    const std::int64_t *starts_ = nullptr;
    std::vector<std::int64_t> used_;
    Mask closed_;
    bool any_ = false;
};

enum Why { BY_PIN = 1, BY_NEED = 2 };

struct LostLimit {
    std::size_t limit;
    Why why;
};

class Limits {
public:
    explicit Limits(std::size_t size) : closed_(size, 0) {}
    void add(Limit limit);
    void take(std::size_t item, Why why);
    // Write which of the free candidates may be taken; return whether they are not just all of them.
    bool allowed(const Mask &free, Mask &into);

    std::vector<Limit> all;
    std::vector<LostLimit> lost; // each limit once, as it was lost

private:
    Mask closed_, tried_;
    std::vector<char> is_lost_;
    bool any_ = false;
};

// At least so many of some items.
struct Minimum {
    const std::uint8_t *items;
    std::int64_t missing;
};

class Minimums {
public:
    void add(const std::uint8_t *items, std::int64_t wanted);
    void take(std::size_t item);
    // Narrow what may be taken, so that the rest still has its places: `places` of them, this one
    // included; return whether it did.
    bool narrow(Mask &allowed, std::int64_t places);

    std::vector<Minimum> all;

private:
    bool narrow_by(const std::vector<std::size_t> &rules, Mask &allowed, std::int64_t places);

    std::int64_t total_ = 0;
    Mask narrowed_;
};

// What limits still allow is kept for the items of minimums that need it.
class Reserve {
public:
    Reserve(const Limits &limits, const Minimums &minimums);
    // Narrow what may be taken, once for each place that is decided; return whether it did.
    bool narrow(Mask &within);

private:
    struct Pair {
        std::size_t minimum, limit;
        std::int64_t spare;
    };
    // Write which candidates would take what is needed, and count anew what is spare; return
    // whether there are any.
    bool taking(Pair &pair, const Mask &within, std::int64_t missing);

    const Limits &limits_;
    const Minimums &minimums_;
    std::vector<Pair> pairs_;
    std::vector<std::int64_t> counts_;
    std::vector<std::int32_t> named_;
    Mask taking_, narrowed_;
};

} // namespace harken
