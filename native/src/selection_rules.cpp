#include "selection_rules.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "selection_loops.h"

namespace harken {
namespace {

constexpr std::size_t MANY = 6; // as in minimums.py
constexpr int KINDS = 1 << MANY;
constexpr std::int64_t TOO_FEW = std::numeric_limits<std::int64_t>::max();

// Items by which of some rules they count for, and how many of each rule are missing.
using Stock = std::array<std::int64_t, KINDS>;
using Missing = std::array<std::int64_t, MANY>;

// Return how many items it takes to have what is missing; TOO_FEW: there are too few.
std::int64_t places_for(Missing missing, Stock stock, int rules) {
    std::int64_t taken = 0;
    for (;;) {
        int wanted = 0;
        for (int rule = 0; rule < rules; ++rule) wanted |= (missing[rule] > 0) << rule;
        if (wanted == 0) return taken;
        int best = 0, most = 0;
        for (int kind = 1; kind < 1 << rules; ++kind) {
            int counts_for = __builtin_popcount(kind & wanted);
            if (stock[kind] > 0 && counts_for > most) {
                best = kind;
                most = counts_for;
            }
        }
        if (most == 0) return TOO_FEW;
        std::int64_t times = stock[best];
        for (int rule = 0; rule < rules; ++rule)
            if (best & wanted & 1 << rule) times = std::min(times, missing[rule]);
        stock[best] -= times;
        taken += times;
        for (int rule = 0; rule < rules; ++rule)
            if (best & wanted & 1 << rule) missing[rule] -= times;
    }
}

// Return how many of each rule fit into the places, those of rules named first first.
Missing affordable(const Missing &wanted, const Stock &stock, int rules, std::int64_t places) {
    if (places_for(wanted, stock, rules) <= places) return wanted;
    Missing missing{};
    for (int rule = 0; rule < rules; ++rule) {
        std::int64_t fits = 0, does_not = std::min(wanted[rule], places) + 1;
        while (does_not - fits > 1) {
            missing[rule] = (fits + does_not) / 2;
            (places_for(missing, stock, rules) <= places ? fits : does_not) = missing[rule];
        }
        missing[rule] = fits;
    }
    return missing;
}

bool helps(int kind, Missing missing, Stock stock, int rules, std::int64_t places) {
    for (int rule = 0; rule < rules; ++rule) missing[rule] -= kind >> rule & 1;
    --stock[kind];
    return places_for(missing, stock, rules) < places;
}

} // namespace

Limit::Limit(const std::uint8_t *items, std::size_t size, std::int64_t count)
    : size_(size), most_(count), codes_(size), used_(1, 0), closed_(size, 0) {
    for (std::size_t item = 0; item < size; ++item) codes_[item] = items[item] - 1;
    if (count <= 0) close(0);
}

Limit::Limit(std::vector<std::int32_t> codes, const std::int64_t *starts, std::size_t size,
             std::int64_t most, std::vector<std::int64_t> used)
    : size_(size), most_(most), codes_(std::move(codes)), starts_(starts), used_(std::move(used)),
      closed_(size, 0) {
    for (std::size_t code = 0; code < used_.size(); ++code)
        if (used_[code] >= most_) close(static_cast<std::int32_t>(code));
}

std::int64_t Limit::room(std::int32_t code) const {
    return std::max<std::int64_t>(most_ - used_[code], 0);
}

bool Limit::take(std::size_t item) {
    if (starts_ == nullptr) return count_one(codes_[item]);
    bool more = false;
    for (std::int64_t at = starts_[item]; at < starts_[item + 1]; ++at) more |= count_one(codes_[at]);
    return more;
}

bool Limit::count_one(std::int32_t code) {
    if (code < 0 || ++used_[code] != most_) return false;
    close(code);
    return true;
}

void Limit::close(std::int32_t code) {
    any_ = true;
    if (starts_ == nullptr) return join_equal(codes_.data(), code, size_, closed_.data());
    for (std::size_t item = 0; item < size_; ++item)
        for (std::int64_t at = starts_[item]; at < starts_[item + 1]; ++at)
            closed_[item] |= codes_[at] == code;
}

void Limits::add(Limit limit) {
    if (limit.bars_any()) {
        any_ = true;
        join(limit.closed(), closed_.size(), closed_.data());
    }
    all.push_back(std::move(limit));
    is_lost_.push_back(0);
}

void Limits::take(std::size_t item, Why why) {
    for (std::size_t number = 0; number < all.size(); ++number) {
        Limit &limit = all[number];
        if (limit.bars_any() && limit.closed()[item] && !is_lost_[number]) {
            is_lost_[number] = 1;
            lost.push_back({number, why});
        }
        if (limit.take(item)) {
            any_ = true;
            // What a limit bars it goes on barring.
            join(limit.closed(), closed_.size(), closed_.data());
        }
    }
}

bool Limits::allowed(const Mask &free, Mask &into) {
    into = free;
    if (!any_) return false;
    if (without(free.data(), closed_.data(), free.size(), into.data())) return true;
    // Each is kept in its turn as far as it leaves some.
    into = free;
    tried_.resize(free.size());
    bool narrowed = false;
    for (const Limit &limit : all)
        if (limit.bars_any() && without(into.data(), limit.closed(), into.size(), tried_.data())) {
            into.swap(tried_);
            narrowed = true;
        }
    return narrowed;
}

void Minimums::add(const std::uint8_t *items, std::int64_t wanted) {
    all.push_back({items, wanted});
    total_ += wanted;
}

void Minimums::take(std::size_t item) {
    if (total_ == 0) return;
    for (Minimum &minimum : all)
        if (minimum.items[item] && minimum.missing > 0) {
            --minimum.missing;
            --total_;
        }
}

bool Minimums::narrow(Mask &allowed, std::int64_t places) {
    if (total_ < places) return false;
    std::vector<std::size_t> rules;
    for (std::size_t number = 0; number < all.size(); ++number)
        if (all[number].missing > 0) rules.push_back(number);
    if (1 < rules.size() && rules.size() <= MANY) return narrow_by(rules, allowed, places);
    narrowed_.assign(allowed.size(), 0);
    for (std::size_t number : rules) join(all[number].items, allowed.size(), narrowed_.data());
    // Less than the places left: what there is of them fits in below, too.
    if (both(allowed.data(), narrowed_.data(), allowed.size(), narrowed_.data()) < places) return false;
    allowed.swap(narrowed_);
    return true;
}

bool Minimums::narrow_by(const std::vector<std::size_t> &rules, Mask &allowed, std::int64_t places) {
    const auto count = static_cast<int>(rules.size());
    // Items of one kind do the same for all the rules: one bit for each that it counts for.
    Mask kinds(allowed.size(), 0);
    for (int bit = 0; bit < count; ++bit)
        for (std::size_t item = 0; item < kinds.size(); ++item)
            kinds[item] |= all[rules[bit]].items[item] << bit;
    Stock stock{};
    for (std::size_t item = 0; item < kinds.size(); ++item) stock[kinds[item]] += allowed[item];
    stock[0] = 0;
    Missing wanted{};
    for (int bit = 0; bit < count; ++bit) wanted[bit] = all[rules[bit]].missing;
    const Missing missing = affordable(wanted, stock, count, places);
    if (places_for(missing, stock, count) < places) return false;
    std::array<std::uint8_t, KINDS> helpful{};
    bool any = false;
    for (int kind = 1; kind < 1 << count; ++kind)
        if (stock[kind] > 0 && helps(kind, missing, stock, count, places)) helpful[kind] = any = true;
    if (!any) return false;
    for (std::size_t item = 0; item < kinds.size(); ++item) allowed[item] &= helpful[kinds[item]];
    return true;
}

Reserve::Reserve(const Limits &limits, const Minimums &minimums)
    : limits_(limits), minimums_(minimums) {
    for (std::size_t minimum = 0; minimum < minimums.all.size(); ++minimum)
        for (std::size_t limit = 0; limit < limits.all.size(); ++limit)
            if (limits.all[limit].is_single()) pairs_.push_back({minimum, limit, 0});
}

bool Reserve::narrow(Mask &within) {
    bool narrowed = false;
    for (Pair &pair : pairs_) {
        const std::int64_t missing = minimums_.all[pair.minimum].missing;
        // What is taken makes it one less at most.
        --pair.spare;
        if (missing <= 0 || pair.spare > 0 || !taking(pair, within, missing)) continue;
        narrowed_.resize(within.size());
        if (without(within.data(), taking_.data(), within.size(), narrowed_.data())) {
            within.swap(narrowed_);
            narrowed = true;
        }
    }
    return narrowed;
}

bool Reserve::taking(Pair &pair, const Mask &within, std::int64_t missing) {
    const Limit &limit = limits_.all[pair.limit];
    const std::uint8_t *items = minimums_.all[pair.minimum].items;
    counts_.assign(limit.code_count(), 0);
    named_.clear();
    std::int64_t without_code = 0;
    for (std::size_t item = 0; item < within.size(); ++item) {
        if (!(within[item] & items[item])) continue;
        const std::int32_t code = limit.code(item);
        if (code < 0) {
            ++without_code;
        } else if (counts_[code]++ == 0) {
            named_.push_back(code);
        }
    }
    // Of each value there may be one at least: it is not barred.
    pair.spare = without_code + static_cast<std::int64_t>(named_.size()) - missing;
    if (pair.spare > 0) return false;
    pair.spare = without_code - missing;
    bool tight = false;
    for (std::int32_t code : named_) {
        const std::int64_t room = limit.room(code);
        pair.spare += std::min(counts_[code], room);
        // From here on: whether it is tight.
        counts_[code] = counts_[code] >= room;
        tight |= counts_[code] != 0;
    }
    if (pair.spare > 0 || !tight) return false;
    taking_.resize(within.size());
    for (std::size_t item = 0; item < within.size(); ++item) {
        const std::int32_t code = limit.code(item);
        taking_[item] = code >= 0 && counts_[code] && !items[item];
    }
    return true;
}

} // namespace harken
