// What select in services/ranker/domain/selection/select.py decides, place by place: pins, limits,
// minimums, diversity and chance. What that is called in words stays there.
#include "selection.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "numbering.h"
#include "selection_loops.h"
#include "selection_rules.h"
#include "views.h"

namespace harken {
namespace {

enum Method { NO_DIVERSITY, DPP, MMR };
enum Policy { GREEDY, EPSILON, PLACKETT_LUCE };
enum PinLoss { BEHIND = 1, TAKEN, NONE_SHOWN, ALL_PINNED }; // as in pins.py

constexpr double LOWEST = -1e6, HIGHEST = 1e3; // as in pool.py
constexpr double NOTHING = -std::numeric_limits<double>::infinity();

using Flags = View<const bool>;
static_assert(sizeof(bool) == 1);

const std::uint8_t *bytes_of(const Flags &flags) {
    return reinterpret_cast<const std::uint8_t *>(flags.data());
}

// Tuples of `size` elements in a list.
std::vector<nb::tuple> tuples_of(nb::handle list, const char *name, std::size_t size) {
    if (!PyList_CheckExact(list.ptr())) throw nb::type_error((std::string(name) + ": must be a list").c_str());
    std::vector<nb::tuple> found;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(list.ptr()); ++at) {
        nb::handle one = PyList_GET_ITEM(list.ptr(), at);
        if (!PyTuple_CheckExact(one.ptr()) || PyTuple_GET_SIZE(one.ptr()) != static_cast<Py_ssize_t>(size))
            throw nb::type_error((std::string(name) + ": must hold tuples of " + std::to_string(size)).c_str());
        found.push_back(nb::borrow<nb::tuple>(one));
    }
    return found;
}

// splitmix64, as uniforms.py begins it.
std::uint64_t finalised(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
}
constexpr std::uint64_t GAMMA = 0x9E3779B97F4A7C15;

// Memory that is used again for the next slate, unless it was large: the system takes its time to
// give what was given back.
struct Memory {
    std::vector<std::int16_t> rounded;
    std::vector<double> rows;

    void forget_large() {
        constexpr std::size_t MOST_BYTES = std::size_t{4} << 20;
        if (rounded.capacity() * sizeof(std::int16_t) > MOST_BYTES) std::vector<std::int16_t>().swap(rounded);
        if (rows.capacity() * sizeof(double) > MOST_BYTES) std::vector<double>().swap(rows);
    }
};

// How much less an item is worth for what stands already: dpp.py and mmr.py.
class Spread {
public:
    Spread(Memory &memory, Method method, double power, const View<const float> &vectors, const View<const float> &norms,
           const View<const std::int64_t> &rows, std::size_t places)
        : memory_(memory), method_(method), count_(rows.length()), places_(places),
          most_(method == DPP ? power * -std::log(OWN) : 2.0 * power) {
        const std::size_t size = vectors.length(1);
        stride_ = (size + ROUNDED_STEP - 1) / ROUNDED_STEP * ROUNDED_STEP;
        if (memory_.rounded.size() < count_ * stride_) memory_.rounded.resize(count_ * stride_);
        for (std::size_t at = 0; at < count_; ++at)
            if (rows[at] < 0 || rows[at] >= vectors.length())
                throw nb::index_error("rows: there is no such vector");
        round_rows(vectors.data(), norms.data(), rows.data(), count_, size, stride_, memory_.rounded.data());
        products_.resize(count_);
        if (method == DPP) {
            // Rows of the transposed Cholesky factor: one for each item that stands.
            if (memory_.rows.size() < places_ * count_) memory_.rows.resize(places_ * count_);
            left_.assign(count_, 1.0);
        } else {
            left_.assign(count_, -1.0);
        }
    }

    double unit() const { return most_ / LEVELS; }

    void take(std::size_t item) {
        const std::int16_t *rounded = memory_.rounded.data();
        products(rounded, rounded + item * stride_, count_, stride_, products_.data());
        constexpr double ONE = double{UNITY} * UNITY, HALF = (1.0 - OWN) / 2.0;
        if (method_ == MMR) return keep_nearest(products_.data(), 1.0 / ONE, count_, left_.data());
        double *row = memory_.rows.data() + taken_ * count_;
        scaled(products_.data(), HALF / ONE, HALF, count_, row);
        row[item] = 1.0;
        for (std::size_t above = 0; above < taken_; ++above) {
            const double *other = memory_.rows.data() + above * count_;
            less(other, other[item], count_, row);
        }
        cover(1.0 / std::sqrt(left_[item]), count_, row, left_.data());
        ++taken_;
    }

    void levels(std::uint8_t *into) const {
        (method_ == DPP ? levels_of_left : levels_of_nearest)(left_.data(), count_, into);
    }

private:
    Memory &memory_;
    Method method_;
    std::size_t count_, places_, stride_ = 0, taken_ = 0;
    double most_;
    std::vector<std::int32_t> products_;
    std::vector<double> left_; // of MMR: the cosine with the nearest
};

// How places leave what is best: policies.py and exploring.py.
class Chance {
public:
    Chance(Policy policy, double number, const std::uint8_t *fresh, double share, std::uint64_t seed)
        : policy_(policy), number_(number), fresh_(fresh), share_(share), state_(finalised(seed + GAMMA)) {}

    bool is_none() const { return policy_ == GREEDY && fresh_ == nullptr; }

    // Return an item of those above -infinity, and write how likely it was.
    std::size_t draw(std::size_t place, const std::vector<double> &of, double best, std::size_t first,
                     double &propensity) {
        weigh(of, best, first);
        if (fresh_ != nullptr) mix_in(of);
        double sum = 0.0;
        upto_.resize(of.size());
        for (std::size_t at = 0; at < of.size(); ++at) upto_[at] = sum += weights_[at];
        const double wanted = uniform(place) * sum;
        auto found = std::upper_bound(upto_.begin(), upto_.end(), wanted) - upto_.begin();
        auto item = std::min<std::size_t>(found, of.size() - 1);
        propensity = weights_[item] / sum;
        return item;
    }

private:
    double uniform(std::size_t place) const {
        return static_cast<double>(finalised(state_ + (place + 1) * GAMMA) >> 12) * 0x1p-52;
    }
    void weigh(const std::vector<double> &of, double best, std::size_t first) {
        weights_.assign(of.size(), 0.0);
        switch (policy_) {
        case PLACKETT_LUCE:
            return softmax(of.data(), best, 1.0 / number_, of.size(), weights_.data());
        case EPSILON: {
            double count = 0.0;
            for (double one : of) count += one != NOTHING;
            for (std::size_t at = 0; at < of.size(); ++at)
                weights_[at] = of[at] != NOTHING ? number_ / count : 0.0;
            weights_[first] += 1.0 - number_;
            return;
        }
        case GREEDY:
            weights_[first] = 1.0;
        }
    }
    void mix_in(const std::vector<double> &of) {
        double count = 0.0, sum = 0.0;
        for (std::size_t at = 0; at < of.size(); ++at) {
            count += fresh_[at] && of[at] != NOTHING;
            sum += weights_[at];
        }
        if (count == 0.0) return;
        const double times = (1.0 - share_) / sum, more = share_ / count;
        for (std::size_t at = 0; at < of.size(); ++at) {
            weights_[at] *= times;
            if (fresh_[at] && of[at] != NOTHING) weights_[at] += more;
        }
    }

    Policy policy_;
    double number_;
    const std::uint8_t *fresh_;
    double share_;
    std::uint64_t state_;
    std::vector<double> weights_, upto_;
};

struct Pin {
    const std::uint8_t *items;
    std::int64_t place;
};

// Which pin has each place and its item, in the order in which they took them: pins.py.
struct Pinned {
    std::size_t place, pin, item;
};

std::vector<Pinned> pinned_items(const std::vector<Pin> &pins, const std::vector<double> &utilities,
                                 std::size_t places, nb::list &lost) {
    std::vector<Pinned> found;
    Mask left(utilities.size(), 1);
    for (std::size_t number = 0; number < pins.size(); ++number) {
        const Pin &pin = pins[number];
        if (pin.place >= static_cast<std::int64_t>(places)) {
            lost.append(nb::make_tuple(number, int{BEHIND}, 0));
            continue;
        }
        const auto place = static_cast<std::size_t>(pin.place);
        auto other = std::find_if(found.begin(), found.end(),
                                  [&](const Pinned &one) { return one.place == place; });
        if (other != found.end()) {
            if (!pin.items[other->item]) lost.append(nb::make_tuple(number, int{TAKEN}, other->pin));
            continue;
        }
        bool any = false;
        std::optional<std::size_t> best;
        for (std::size_t item = 0; item < utilities.size(); ++item) {
            if (!pin.items[item]) continue;
            any = true;
            if (left[item] && (!best || utilities[item] > utilities[*best])) best = item;
        }
        if (!best) {
            lost.append(nb::make_tuple(number, int{any ? ALL_PINNED : NONE_SHOWN}, 0));
            continue;
        }
        left[*best] = 0;
        found.push_back({place, number, *best});
    }
    return found;
}

// A bit for each byte that is 0, the first the lowest.
void write_barred(const Mask &allowed, std::uint8_t *into) {
    for (std::size_t at = 0; at < allowed.size(); at += 8) {
        const std::size_t here = std::min<std::size_t>(8, allowed.size() - at);
        std::uint64_t eight = 0x0101010101010101;
        std::memcpy(&eight, allowed.data() + at, here);
        // Of eight bytes of 0 or 1, first one lowest, the bits.
        into[at / 8] = static_cast<std::uint8_t>((eight ^ 0x0101010101010101) * 0x0102040810204080 >> 56);
    }
}

// Arrays of Python that rules look at, for as long as they do.
struct Given {
    std::deque<Flags> flags;
    std::deque<View<const std::int64_t>> starts;

    const std::uint8_t *mask(nb::handle array, const char *name, std::int64_t size) {
        return bytes_of(flags.emplace_back(array, name, std::initializer_list<std::int64_t>{size}));
    }
};

// A cap: codes, starts or None, most, {code: how many there are already}.
Limit cap_of(Given &given, const nb::tuple &cap, std::int64_t size) {
    View<const std::int32_t> codes(cap[0], "codes", {ANY});
    const std::int64_t *starts = nullptr;
    if (!cap[1].is_none()) {
        const auto &held = given.starts.emplace_back(
            cap[1], "starts", std::initializer_list<std::int64_t>{size + 1});
        starts = held.data();
        if (starts[0] != 0 || starts[size] != codes.length() || !std::is_sorted(starts, starts + size + 1))
            refuse("starts", "must ascend from 0 to the number of codes");
    } else if (codes.length() != size) {
        refuse("codes", "must be one of each candidate");
    }
    if (!PyDict_CheckExact(cap[3].ptr())) throw nb::type_error("used: must be a dict");
    auto before = nb::borrow<nb::dict>(cap[3]);
    Numbering numbers;
    numbers.reset(codes.length() + before.size());
    std::vector<std::int32_t> dense(codes.length());
    for (std::int64_t at = 0; at < codes.length(); ++at)
        dense[at] = codes[at] < 0 ? -1 : numbers.number(codes[at]);
    std::vector<std::int64_t> used(numbers.members.size(), 0);
    for (auto [code, count] : before) {
        const auto value = nb::cast<std::int64_t>(code);
        // What no candidate has bars none.
        if (value < 0 || value > std::numeric_limits<std::int32_t>::max()) continue;
        const std::int32_t number = numbers.find(value);
        if (number >= 0) used[number] = nb::cast<std::int64_t>(count);
    }
    return Limit(std::move(dense), starts, size, nb::cast<std::int64_t>(cap[2]), std::move(used));
}

class PlaceSelector {
public:
    nb::tuple select(nb::handle utilities, nb::handle boosts, nb::handle pins, nb::handle at_most,
                     nb::handle caps, nb::handle at_least, int method, double power,
                     nb::handle vectors, nb::handle norms, nb::handle rows, int policy,
                     double number, nb::handle fresh, double fresh_share, std::uint64_t seed,
                     nb::handle places, nb::handle propensities, nb::handle logged,
                     nb::handle levels, nb::handle barred);

private:
    Memory memory_;
};

nb::tuple PlaceSelector::select(nb::handle utilities, nb::handle boosts, nb::handle pins, nb::handle at_most,
                        nb::handle caps, nb::handle at_least, int method, double power,
                        nb::handle vectors, nb::handle norms, nb::handle rows, int policy, double number,
                        nb::handle fresh, double fresh_share, std::uint64_t seed, nb::handle places,
                        nb::handle propensities, nb::handle logged, nb::handle levels,
                        nb::handle barred) {
    View<const double> odds(utilities, "utilities", {ANY});
    const std::int64_t length = odds.length();
    if (length > std::numeric_limits<std::int32_t>::max()) refuse("utilities", "is too long");
    const auto size = static_cast<std::size_t>(length);
    View<std::int64_t> shown(places, "places", {ANY});
    const auto count = static_cast<std::size_t>(shown.length());
    if (count > size) refuse("places", "are more than candidates");
    View<double> chances(propensities, "propensities", {shown.length()});
    View<float> said(logged, "logged", {length});
    const std::int64_t bits = (length + 7) / 8;
    View<std::uint8_t> closed(barred, "barred", {shown.length(), bits});
    if (policy < GREEDY || policy > PLACKETT_LUCE) refuse("policy", "is none");
    if (method < NO_DIVERSITY || method > MMR) refuse("method", "is none");

    Given given;
    std::vector<double> worth_alone(size);
    for (std::size_t at = 0; at < size; ++at)
        worth_alone[at] = std::isnan(odds[at]) ? LOWEST : std::min(std::max(odds[at], -HIGHEST), HIGHEST);
    for (const nb::tuple &boost : tuples_of(boosts, "boosts", 2)) {
        const std::uint8_t *items = given.mask(boost[0], "boosts", length);
        const auto more = nb::cast<double>(boost[1]);
        for (std::size_t at = 0; at < size; ++at) worth_alone[at] += items[at] ? more : 0.0;
    }
    for (std::size_t at = 0; at < size; ++at) {
        said[at] = static_cast<float>(worth_alone[at]);
        worth_alone[at] = said[at];
    }
    std::vector<Pin> all_pins;
    for (const nb::tuple &pin : tuples_of(pins, "pins", 2)) {
        const auto place = nb::cast<std::int64_t>(pin[1]);
        if (place < 0) refuse("pins", "places must not be negative");
        all_pins.push_back({given.mask(pin[0], "pins", length), place});
    }
    nb::list lost_pins;
    const std::vector<Pinned> pinned = pinned_items(all_pins, worth_alone, count, lost_pins);
    Limits limits(size);
    for (const nb::tuple &rule : tuples_of(at_most, "at_most", 2))
        limits.add(Limit(given.mask(rule[0], "at_most", length), size, nb::cast<std::int64_t>(rule[1])));
    for (const nb::tuple &cap : tuples_of(caps, "caps", 4)) limits.add(cap_of(given, cap, length));
    Minimums minimums;
    for (const nb::tuple &rule : tuples_of(at_least, "at_least", 2))
        minimums.add(given.mask(rule[0], "at_least", length), nb::cast<std::int64_t>(rule[1]));
    Reserve reserve(limits, minimums);

    std::optional<Spread> spread;
    std::optional<View<std::uint8_t>> lowerings;
    if (method != NO_DIVERSITY) {
        View<const float> table(vectors, "vectors", {ANY, ANY});
        View<const float> lengths(norms, "norms", {table.length()});
        View<const std::int64_t> which(rows, "rows", {length});
        spread.emplace(memory_, static_cast<Method>(method), power, table, lengths, which, count);
        lowerings.emplace(levels, "levels", std::initializer_list<std::int64_t>{shown.length(), length});
    }
    const std::uint8_t *new_items = fresh.is_none() ? nullptr : given.mask(fresh, "fresh", length);
    Chance chance(static_cast<Policy>(policy), number, new_items, fresh_share, seed);

    Mask free(size, 1), within, allowed;
    std::vector<std::ptrdiff_t> pinned_at(count, -1);
    auto take = [&](std::size_t item, Why why) {
        free[item] = 0;
        limits.take(item, why);
        minimums.take(item);
    };
    for (std::size_t at = 0; at < pinned.size(); ++at) {
        pinned_at[pinned[at].place] = static_cast<std::ptrdiff_t>(at);
        take(pinned[at].item, BY_PIN);
        if (spread) spread->take(pinned[at].item);
    }
    nb::list kept_away, passed;
    std::vector<double> worth = worth_alone, of(size);
    auto left = static_cast<std::int64_t>(count - pinned.size());
    for (std::size_t place = 0; place < count; ++place) {
        if (pinned_at[place] >= 0) {
            const std::size_t item = pinned[pinned_at[place]].item;
            shown[place] = static_cast<std::int64_t>(item);
            chances[place] = 1.0;
            allowed.assign(size, 0);
            allowed[item] = 1;
            write_barred(allowed, closed.data() + place * bits);
            if (spread) std::memset(lowerings->data() + place * size, 0, size);
            continue;
        }
        if (spread) {
            std::uint8_t *own = lowerings->data() + place * size;
            spread->levels(own);
            lowered(worth_alone.data(), own, spread->unit(), size, worth.data());
        }
        const bool limited = limits.allowed(free, within);
        allowed = within;
        // Both look at it: what is kept for a minimum is so before places are.
        bool narrowed = reserve.narrow(allowed);
        narrowed |= minimums.narrow(allowed, left);
        const double best = of_allowed(worth.data(), allowed.data(), size, of.data());
        auto item = static_cast<std::size_t>(std::find(of.begin(), of.end(), best) - of.begin());
        if (item == size) throw std::logic_error("no candidate is allowed");
        double propensity = 1.0;
        if (!chance.is_none()) item = chance.draw(place, of, best, item, propensity);
        shown[place] = static_cast<std::int64_t>(item);
        chances[place] = propensity;
        write_barred(allowed, closed.data() + place * bits);
        if (limited)
            for (std::size_t at = 0; at < limits.all.size(); ++at) {
                if (!limits.all[at].bars_any()) continue;
                const std::int64_t better = count_better(free.data(), limits.all[at].closed(),
                                                         worth.data(), worth[item], size);
                if (better > 0) kept_away.append(nb::make_tuple(place, at, better));
            }
        if (narrowed && count_better(within.data(), within.data(), worth.data(), worth[item], size) > 0)
            passed.append(place);
        take(item, BY_NEED);
        --left;
        if (spread && left) spread->take(item);
    }
    memory_.forget_large();
    nb::list pins_taken, limits_lost, missing;
    for (const Pinned &one : pinned) pins_taken.append(nb::make_tuple(one.place, one.pin, one.item));
    for (const LostLimit &one : limits.lost) limits_lost.append(nb::make_tuple(one.limit, int{one.why}));
    for (const Minimum &one : minimums.all) missing.append(one.missing);
    return nb::make_tuple(pins_taken, lost_pins, kept_away, passed, limits_lost, missing,
                          spread ? spread->unit() : 0.0);
}

} // namespace

void register_selection(nb::module_ &m) {
    nb::class_<PlaceSelector>(m, "PlaceSelector").def(nb::init<>()).def("select", &PlaceSelector::select, nb::arg("utilities"), nb::arg("boosts"), nb::arg("pins"),
          nb::arg("at_most"), nb::arg("caps"), nb::arg("at_least"), nb::arg("method"),
          nb::arg("power"), nb::arg("vectors").none(), nb::arg("norms").none(), nb::arg("rows").none(), nb::arg("policy"),
          nb::arg("number"), nb::arg("fresh").none(), nb::arg("fresh_share"), nb::arg("seed"),
          nb::arg("places"), nb::arg("propensities"), nb::arg("logged"), nb::arg("levels").none(),
          nb::arg("barred"));
}

} // namespace harken
