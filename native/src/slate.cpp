// What make_slate in services/ranker/domain/slate.py does around retrieval and the scorer. The names
// are those of its modules (sources/rules, popularity, candidates, signals, candidate_features,
// reasons), each of which says what is computed and why; here is the same, one item after the other.
#include "slate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>

#include "numbering.h"
#include "selection_loops.h"
#include "views.h"
#include "wire.h"

namespace harken {
namespace {

enum Source { VECTOR, RULES, POPULARITY, SOURCES };
enum Signal { RULES_LOG = SOURCES, LAST, POSITION, SESSION, RECENT, OWN_COUNT, OWN_RECENCY, TREND, HISTORY_LOG,
              SCORED, CONTENT = SCORED, ROWS };
constexpr int FIRST_SCORED = TREND, LATER = SCORED - FIRST_SCORED; // later ones have the last columns
constexpr std::array<std::string_view, SOURCES> SOURCE_NAMES{"vector", "rules", "popularity"};
// Of features: listed, reciprocal of the rank, z, z by depth, and the count.
constexpr int IN = 0, RR = SOURCES, Z = 2 * SOURCES, ZD = Z + FIRST_SCORED, LOG_COUNT = ZD + FIRST_SCORED;
constexpr int LATER_Z = LOG_COUNT + 1, YOUNG = LATER_Z + 2 * LATER; // z and z by depth of each
constexpr int YOUNG_VECTOR = YOUNG + 1, CONTENT_Z = YOUNG_VECTOR + 1, YOUNG_CONTENT = CONTENT_Z + 1;
constexpr int COLUMNS = YOUNG_CONTENT + 1;

// Columns of a row of popularity: levels by place in the history, by place in the session, of all,
// the count, and the level that fades fast.
constexpr int PLACES = 7, LEVEL = 2 * PLACES, COUNT = LEVEL + 1, FAST = COUNT + 1;
constexpr int POPULAR_COLUMNS = FAST + 1;

// Of an item's content: how many features, and of how many; see content_codes.
constexpr int CONTENT_WIDTH = 16, CONTENT_BUCKETS = 4096;

constexpr int WINDOW = 20, HISTORY = 30;
constexpr double SHRINK = 5.0, HISTORY_SHRINK = 20.0, MIDDLE_DEPTH = 5.0, DEPTH_SCALE = 3.0, LEAST_SHARE = 0.01;
constexpr double SHARE_OF_ALL = 1e-3, FLOOR_LOG2 = 30.0, YOUNG_EVENTS = 5.0;
constexpr std::int64_t SESSION_GAP_US = 30LL * 60 * 1'000'000;
constexpr std::int64_t MAX_LOGGED = 100;
// Columns of a head beside those of the features: gain first, bias and place last.
constexpr int HEAD_EXTRAS = 3;
enum ReasonCode { FOLLOWS = 1, TASTE = 2, POPULAR = 3, LIKE = 4 }; // as in slate.proto

constexpr double NOTHING = -std::numeric_limits<double>::infinity();

constexpr const char *RECENT_FORMAT = "T{q:item:f:weight:d:time:}";
constexpr const char *SEEN_FORMAT = "T{i:item:h:kind:q:time:}";

[[noreturn]] void out_of_range(const char *name, std::int64_t value, std::int64_t size) {
    throw std::out_of_range(std::string(name) + ": " + std::to_string(value) +
                            " is not below " + std::to_string(size));
}

void check_ordinal(const char *name, std::int64_t ordinal, std::int64_t size) {
    if (ordinal < 0 || ordinal >= size) out_of_range(name, ordinal, size);
}

// Unix seconds as microseconds, cut; what does not fit is the least there is, as in NumPy.
std::int64_t microseconds(double seconds) {
    double wide = seconds * 1e6;
    if (!(std::abs(wide) < 9.2e18)) return std::numeric_limits<std::int64_t>::min();
    return static_cast<std::int64_t>(wide);
}

// Differences wrap, as in NumPy.
std::int64_t minus(std::int64_t one, std::int64_t other) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(one) -
                                     static_cast<std::uint64_t>(other));
}

double log2_floor(std::int64_t value) {
    int found = 0;
    while (value >>= 1) ++found;
    return found;
}

int place_after(std::int64_t items) {
    return static_cast<int>(std::min<double>(log2_floor(1 + items), PLACES - 1));
}

struct Proposal {
    double score;
    std::int64_t ordinal;
};

// Largest score first, equal ones by ordinal, NaN last.
bool before(const Proposal &one, const Proposal &other) {
    if (one.score > other.score) return true;
    if (one.score < other.score) return false;
    if (bool nan = std::isnan(one.score); nan != std::isnan(other.score)) return !nan;
    return one.ordinal < other.ordinal;
}

void keep_best(std::vector<Proposal> &found, std::int64_t count) {
    auto size = static_cast<std::int64_t>(found.size());
    if (size > count) {
        std::nth_element(found.begin(), found.begin() + count, found.end(), before);
        found.resize(count);
    }
    std::sort(found.begin(), found.end(), before);
}

// A set of ordinals below a size, which knows how many of its members are below another.
class OrdinalSet {
public:
    void reset(std::int64_t size) {
        words_.assign((size + 63) / 64, 0);
        below_.resize(words_.size());
    }
    bool has(std::int64_t ordinal) const { return words_[ordinal >> 6] >> (ordinal & 63) & 1; }
    void add(std::int64_t ordinal) { words_[ordinal >> 6] |= std::uint64_t{1} << (ordinal & 63); }

    // Return the members, ascending; `place` is right from then on.
    void list(std::vector<std::int64_t> &into) {
        into.clear();
        for (std::size_t at = 0; at < words_.size(); ++at) {
            below_[at] = static_cast<std::int32_t>(into.size());
            for (std::uint64_t left = words_[at]; left; left &= left - 1)
                into.push_back(static_cast<std::int64_t>(at) * 64 + __builtin_ctzll(left));
        }
    }
    std::int64_t place(std::int64_t member) const {
        std::uint64_t lower = words_[member >> 6] & ((std::uint64_t{1} << (member & 63)) - 1);
        return below_[member >> 6] + __builtin_popcountll(lower);
    }

private:
    std::vector<std::uint64_t> words_;
    std::vector<std::int32_t> below_;
};

// The recent items of a user that speak for others, latest first, and what follows from them.
class History {
public:
    std::vector<std::int64_t> items;
    std::vector<double> times;
    std::vector<std::int64_t> own;       // distinct items
    std::vector<std::int32_t> own_first; // where each comes first
    std::vector<std::int32_t> own_count;
    std::vector<std::int64_t> latest;    // distinct items, latest first
    std::vector<double> latest_times;
    std::int64_t length = 0; // distinct items, HISTORY at most
    int place = 0, session_place = 0;

    void read(const Records &recent, std::int64_t size, double now) {
        items.clear();
        times.clear();
        for (std::int64_t row = recent.length(); row-- > 0;) {
            if (!(recent.read<float>(row, 8) > 0)) continue;
            auto item = recent.read<std::int64_t>(row, 0);
            check_ordinal("recent", item, size);
            items.push_back(item);
            times.push_back(recent.read<double>(row, 12));
        }
        own.clear();
        own_first.clear();
        own_count.clear();
        order_.resize(items.size());
        for (std::size_t at = 0; at < order_.size(); ++at) order_[at] = static_cast<std::int32_t>(at);
        std::sort(order_.begin(), order_.end(), [this](std::int32_t one, std::int32_t other) {
            return items[one] != items[other] ? items[one] < items[other] : one < other;
        });
        for (std::int32_t at : order_) {
            if (own.empty() || own.back() != items[at]) {
                own.push_back(items[at]);
                own_first.push_back(at);
                own_count.push_back(0);
            }
            ++own_count.back();
        }
        order_ = own_first;
        std::sort(order_.begin(), order_.end());
        length = std::min<std::int64_t>(HISTORY, order_.size());
        latest.clear();
        latest_times.clear();
        for (std::int32_t at : order_) {
            latest.push_back(items[at]);
            latest_times.push_back(times[at]);
        }
        std::int64_t later = microseconds(now), session = 0;
        for (; session < length; ++session) {
            std::int64_t then = microseconds(latest_times[session]);
            if (minus(later, then) > SESSION_GAP_US) break;
            later = then;
        }
        place = place_after(length);
        session_place = PLACES + place_after(session);
    }

    // Return the rank of each of the latest `count`, from 1; items of one time share their mean.
    void ranks(std::size_t count, std::vector<double> &into) const {
        into.clear();
        for (std::size_t first = 0, next; first < count; first = next) {
            for (next = first + 1; next < latest.size() && latest_times[next] == latest_times[first];) ++next;
            double shared = static_cast<double>(next - first);
            auto mean = static_cast<double>(static_cast<float>(first + (shared + 1) / 2));
            for (std::size_t at = first; at < next && at < count; ++at) into.push_back(mean);
        }
    }

private:
    std::vector<std::int32_t> order_;
};

// The rules that begin at the latest items, and the scores of what they lead to.
class FollowedRules {
public:
    Numbering targets;
    std::vector<double> scores, last_scores, history_scores; // by number of the target

    void follow(const History &history, const View<const std::int32_t> &table,
                const View<const float> &weights, const View<const double> &popular,
                std::int64_t size) {
        std::int64_t slots = table.length(1);
        std::size_t steps = std::min<std::size_t>(WINDOW, history.latest.size());
        latest_.assign(history.latest.begin(), history.latest.begin() + steps);
        history.ranks(steps, ranks_);
        // What happened at one time has no order: all of it is last.
        std::size_t last = 0;
        for (std::size_t step = 0; step < steps; ++step)
            last += history.latest_times[step] == history.latest_times[0];
        for (std::int64_t item : latest_)
            for (std::int64_t at = 0; at < slots; at += 16) {
                __builtin_prefetch(table.data() + item * slots + at);
                __builtin_prefetch(weights.data() + item * slots + at);
            }
        targets.reset(steps * slots);
        totals_.assign(steps * slots, 0.0);
        last_totals_.assign(steps * slots, 0.0);
        even_totals_.assign(steps * slots, 0.0);
        rules_.clear();
        rules_.reserve(steps * slots);
        for (std::size_t step = 0; step < steps; ++step) {
            std::int64_t item = latest_[step];
            double frequency = std::sqrt(popular[item * POPULAR_COLUMNS + COUNT] + SHRINK);
            double factor = 1.0 / (ranks_[step] * frequency), even = 1.0 / frequency;
            const std::int32_t *target = table.data() + item * slots;
            const float *weight = weights.data() + item * slots;
            for (std::int64_t slot = 0; slot < slots; ++slot) {
                if (target[slot] < 0) continue;
                check_ordinal("targets", target[slot], size);
                std::int32_t number = targets.number(target[slot]);
                double gain = static_cast<double>(weight[slot]) * factor;
                rules_.push_back({number, static_cast<std::int32_t>(step), gain});
                totals_[number] += gain;
                even_totals_[number] += static_cast<double>(weight[slot]) * even;
                if (step < last) last_totals_[number] += gain;
            }
        }
        for (std::int32_t target : targets.members)
            __builtin_prefetch(popular.data() + target * std::int64_t{POPULAR_COLUMNS} + COUNT);
        scores.resize(targets.members.size());
        last_scores.resize(targets.members.size());
        history_scores.resize(targets.members.size());
        for (std::size_t number = 0; number < scores.size(); ++number) {
            std::int64_t target = targets.members[number];
            double events = popular[target * POPULAR_COLUMNS + COUNT];
            double norm = std::sqrt(events + SHRINK);
            scores[number] = totals_[number] / norm;
            last_scores[number] = last_totals_[number] / norm;
            history_scores[number] = even_totals_[number] / std::sqrt(events + HISTORY_SHRINK);
        }
    }

    // Return for given items the recent one that adds most to the score, -1 where none does; of
    // equal ones the latest, and only of those that `nameable` marks.
    void because(const std::vector<std::int64_t> &items, const View<const bool> &nameable,
                 std::vector<std::int64_t> &into) {
        std::size_t steps = latest_.size();
        into.assign(items.size(), -1);
        row_of_.assign(scores.size(), -1);
        for (std::size_t row = 0; row < items.size(); ++row) {
            std::int32_t number = targets.find(items[row]);
            if (number >= 0) row_of_[number] = static_cast<std::int32_t>(row);
        }
        gains_.assign(items.size() * steps, 0.0);
        for (const Rule &rule : rules_)
            if (row_of_[rule.target] >= 0) gains_[row_of_[rule.target] * steps + rule.step] += rule.gain;
        for (std::size_t row = 0; row < items.size(); ++row) {
            double most = 0.0;
            for (std::size_t step = 0; step < steps; ++step) {
                double gain = gains_[row * steps + step];
                if (nameable[latest_[step]] && gain > most) {
                    most = gain;
                    into[row] = latest_[step];
                }
            }
        }
    }

private:
    struct Rule {
        std::int32_t target, step;
        double gain;
    };
    std::vector<std::int64_t> latest_;
    std::vector<double> ranks_, totals_, last_totals_, even_totals_, gains_;
    std::vector<Rule> rules_;
    std::vector<std::int32_t> row_of_;
};

// One slate at a time, in memory that is used again for the next one: gather, then features, then
// finish. Nothing of what Python hands over is kept between calls.
// What `count` candidates of `width` features are weighed by: see `finish` in the stub.
struct Weighing {
    View<const double> weights;
    View<const float> raw, features;
    std::optional<View<const double>> learned;

    Weighing(nb::handle raw, nb::handle weights, nb::handle head, nb::handle features,
             std::int64_t count, std::int64_t width)
        : weights(weights, "weights", {ANY}), raw(raw, "raw", {count, this->weights.length()}),
          features(features, "features", {ANY, width}) {
        if (this->features.length() < count) out_of_range("features", count, this->features.length());
        if (!head.is_none())
            learned.emplace(head, "head",
                            std::initializer_list<std::int64_t>{this->weights.length(), width + HEAD_EXTRAS});
    }
    const double *head() const { return learned ? learned->data() : nullptr; }
};

class Draft {
public:
    std::int64_t gather(nb::handle recent, nb::handle targets, nb::handle weights,
                        nb::handle popular, nb::handle order, nb::handle touched,
                        nb::handle is_touched, nb::handle eligible, nb::handle nearest,
                        nb::handle asked, std::int64_t pool, std::int64_t wanted, double now,
                        double level_now, nb::handle into);
    void features(nb::handle dots, nb::handle held, nb::handle popular, nb::handle buckets,
                  nb::handle weights, nb::handle into);
    void ranks(nb::handle into) const;
    void weigh(nb::handle raw, nb::handle weights, nb::handle head, nb::handle features,
               nb::handle sources, nb::handle given, nb::handle priors, nb::handle scores,
               nb::handle into);
    nb::tuple finish(nb::handle raw, nb::handle weights, nb::handle head, nb::handle features,
                     nb::handle item_ids, nb::handle nameable, std::int64_t count, int field,
                     bool logged, nb::handle places, nb::handle propensities, nb::handle others,
                     int alike, std::int64_t resembled, nb::handle beside);

private:
    enum Stage { EMPTY, GATHERED, READY };

    void propose_followed(const View<const bool> &eligible);
    void propose_popular(nb::handle order, nb::handle touched, nb::handle is_touched,
                         const View<const bool> &eligible, const View<const double> &popular);
    void propose_nearest(nb::handle nearest);
    void unite(const View<const bool> &eligible, std::int64_t wanted, nb::handle asked);
    void rank_beside();
    void write_signals(const View<const double> &popular);
    void write_popular(const View<const double> &popular);
    void write_likeness(const View<const std::uint16_t> &buckets, const View<const float> &weights);
    void write_followed(const std::vector<double> &scores, double *into) const;
    void relative_log(const double *scores, double *into) const;
    void floor_levels(double *row) const;
    void standardise(double *row) const;
    void score(const View<const float> &raw, const View<const double> &weights,
               const double *head, const float *features);
    double usual_penalty(const View<const double> &weights) const;
    void weigh_sources(nb::handle sources, double *utilities) const;
    bool take(const View<const std::int64_t> &places);
    void rank_others(nb::handle others);
    void write_slots(nb::handle item_ids, const View<const bool> &nameable, int field, int alike,
                     std::int64_t resembled, nb::handle beside);
    void write_logged(nb::handle item_ids, const View<const float> &raw, const double *head,
                      const float *features);

    double *row(int which) { return table_.data() + which * size_t(count_); }
    bool among(std::int64_t place) const { return usual_.empty() || usual_[place]; }

    Stage stage_ = EMPTY;
    std::int64_t size_ = 0; // of the catalogue
    std::int64_t pool_ = 0;
    double level_now_ = 0.0;
    History history_;
    FollowedRules rules_;
    std::array<std::vector<Proposal>, SOURCES> proposed_;
    OrdinalSet chosen_;
    std::int64_t count_ = 0; // of candidates
    std::int64_t width_ = COLUMNS; // features that the generation takes: the first ones
    std::vector<std::int64_t> ordinals_;
    std::vector<std::int32_t> followed_; // number among the rules' targets, -1: none
    std::vector<char> usual_, asked_;    // empty: all are
    bool has_others_ = false;            // asked for and not usual
    std::array<std::vector<std::int32_t>, SOURCES> ranks_;
    std::array<std::vector<double>, SOURCES> scores_;
    std::vector<double> reciprocal_{0.0}; // by rank
    std::vector<double> ranks_of_latest_;
    std::vector<double> table_, overall_;
    std::vector<double> profile_ = std::vector<double>(CONTENT_BUCKETS, 0.0); // 0 between slates
    std::int64_t outcomes_ = 0;
    std::vector<double> logits_;
    std::vector<Proposal> order_; // places, best first
    bool weighed_ = false;        // `order_` holds all candidates, as they were weighed
    struct Other {
        std::string_view name;
        std::vector<std::int32_t> ranks; // of the slots, from 1; 0: it does not list them
    };
    std::vector<Other> others_;
    std::vector<std::int32_t> slot_of_; // of candidates, -1: none
    std::vector<double> chances_; // of the slots; empty: all are sure
    std::vector<std::int64_t> items_, because_;
    std::vector<float> column_;
    Wire slots_, log_;
};

std::int64_t Draft::gather(nb::handle recent, nb::handle targets, nb::handle weights,
                           nb::handle popular, nb::handle order, nb::handle touched,
                           nb::handle is_touched, nb::handle eligible, nb::handle nearest,
                           nb::handle asked, std::int64_t pool, std::int64_t wanted, double now,
                           double level_now, nb::handle into) {
    stage_ = EMPTY;
    weighed_ = false;
    View<const bool> may(eligible, "eligible", {ANY});
    size_ = may.length();
    if (size_ > std::numeric_limits<std::int32_t>::max()) refuse("eligible", "is too long");
    if (pool < 0 || wanted < 0) refuse("pool", "and wanted must not be negative");
    View<const double> popularity(popular, "popular", {ANY, POPULAR_COLUMNS});
    View<const std::int32_t> rules(targets, "targets", {ANY, ANY});
    View<const float> rule_weights(weights, "weights", {rules.length(0), rules.length(1)});
    if (popularity.length() < size_) out_of_range("popular", size_, popularity.length());
    if (rules.length() < size_) out_of_range("targets", size_, rules.length());
    pool_ = pool;
    level_now_ = level_now;
    history_.read(Records(recent, "recent", RECENT_FORMAT, 20), size_, now);
    rules_.follow(history_, rules, rule_weights, popularity, size_);
    propose_nearest(nearest);
    propose_followed(may);
    propose_popular(order, touched, is_touched, may, popularity);
    unite(may, wanted, asked);
    for (std::int64_t ordinal : ordinals_) {
        __builtin_prefetch(popularity.data() + ordinal * POPULAR_COLUMNS);
        __builtin_prefetch(popularity.data() + ordinal * POPULAR_COLUMNS + 8);
        __builtin_prefetch(popularity.data() + ordinal * POPULAR_COLUMNS + FAST);
    }
    View<std::int64_t> room(into, "into", {ANY});
    if (room.length() < count_) refuse("into", "has no room for all candidates");
    std::copy(ordinals_.begin(), ordinals_.end(), room.data());
    stage_ = GATHERED;
    return count_;
}

void Draft::propose_nearest(nb::handle nearest) {
    View<const std::int64_t> found(nearest, "nearest", {ANY});
    auto &proposed = proposed_[VECTOR];
    proposed.clear();
    for (std::int64_t at = 0; at < found.length(); ++at) {
        check_ordinal("nearest", found[at], size_);
        proposed.push_back({0.0, found[at]});
    }
}

void Draft::propose_followed(const View<const bool> &eligible) {
    auto &proposed = proposed_[RULES];
    proposed.clear();
    const auto &members = rules_.targets.members;
    proposed.resize(members.size());
    std::size_t found = 0;
    for (std::size_t number = 0; number < members.size(); ++number) {
        proposed[found] = {rules_.scores[number], members[number]};
        found += eligible[members[number]];
    }
    proposed.resize(found);
    keep_best(proposed, pool_);
}

void Draft::propose_popular(nb::handle order, nb::handle touched, nb::handle is_touched,
                            const View<const bool> &eligible, const View<const double> &popular) {
    View<const std::int64_t> ordered(order, "order", {ANY});
    View<const std::int64_t> changed(touched, "touched", {ANY});
    View<const bool> has_changed(is_touched, "is_touched", {ANY});
    if (has_changed.length() < size_) out_of_range("is_touched", size_, has_changed.length());
    auto level = [&](std::int64_t item) { return popular[item * POPULAR_COLUMNS + LEVEL]; };
    auto &proposed = proposed_[POPULARITY];
    proposed.clear();
    for (std::int64_t at = 0; at < changed.length(); ++at) {
        check_ordinal("touched", changed[at], size_);
        if (eligible[changed[at]]) proposed.push_back({level(changed[at]), changed[at]});
    }
    keep_best(proposed, pool_);
    auto middle = static_cast<std::int64_t>(proposed.size()), end = middle + pool_;
    for (std::int64_t at = 0; at < ordered.length(); ++at) {
        if (static_cast<std::int64_t>(proposed.size()) == end) break;
        std::int64_t item = ordered[at];
        check_ordinal("order", item, size_);
        if (eligible[item] && !has_changed[item]) proposed.push_back({level(item), item});
    }
    std::inplace_merge(proposed.begin(), proposed.begin() + middle, proposed.end(), before);
    if (static_cast<std::int64_t>(proposed.size()) > pool_) proposed.resize(pool_);
    while (!proposed.empty() && !(proposed.back().score > NOTHING)) proposed.pop_back();
}

void Draft::unite(const View<const bool> &eligible, std::int64_t wanted, nb::handle asked) {
    chosen_.reset(size_);
    std::int64_t usual = 0;
    auto choose = [&](std::int64_t item) {
        usual += !chosen_.has(item);
        chosen_.add(item);
    };
    for (const auto &proposed : proposed_)
        for (const Proposal &one : proposed) choose(one.ordinal);
    for (std::int64_t item = 0; item < size_ && usual < wanted; ++item)
        if (eligible[item]) choose(item);
    usual_.clear();
    asked_.clear();
    std::vector<std::int64_t> others;
    if (!asked.is_none()) {
        View<const std::int64_t> list(asked, "asked", {ANY});
        for (std::int64_t at = 0; at < list.length(); ++at) {
            check_ordinal("asked", list[at], size_);
            if (!chosen_.has(list[at])) others.push_back(list[at]);
            chosen_.add(list[at]);
        }
        chosen_.list(ordinals_);
        asked_.assign(ordinals_.size(), 0);
        for (std::int64_t at = 0; at < list.length(); ++at) asked_[chosen_.place(list[at])] = 1;
    } else {
        chosen_.list(ordinals_);
    }
    // Where there is nothing usual to compare with they are compared with each other.
    if (!others.empty() && usual > 0) {
        usual_.assign(ordinals_.size(), 1);
        for (std::int64_t item : others) usual_[chosen_.place(item)] = 0;
    }
    count_ = static_cast<std::int64_t>(ordinals_.size());
    for (int source = 0; source < SOURCES; ++source) {
        ranks_[source].assign(count_, 0);
        std::int32_t rank = 0;
        for (const Proposal &one : proposed_[source]) ranks_[source][chosen_.place(one.ordinal)] = ++rank;
    }
    followed_.resize(count_);
    for (std::int64_t at = 0; at < count_; ++at) followed_[at] = rules_.targets.find(ordinals_[at]);
    has_others_ = !others.empty();
}

void Draft::features(nb::handle dots, nb::handle held, nb::handle popular, nb::handle buckets,
                     nb::handle weights, nb::handle into) {
    if (stage_ == EMPTY) throw std::logic_error("nothing was gathered");
    stage_ = GATHERED;
    weighed_ = false;
    View<const double> popularity(popular, "popular", {ANY, POPULAR_COLUMNS});
    if (popularity.length() < size_) out_of_range("popular", size_, popularity.length());
    View<const std::uint16_t> content(buckets, "buckets", {ANY, CONTENT_WIDTH});
    if (content.length() < size_) out_of_range("buckets", size_, content.length());
    View<const float> shares(weights, "weights", {content.length(), CONTENT_WIDTH});
    View<float> room(into, "into", {ANY, ANY});
    if (room.length() < count_) refuse("into", "has no room for all candidates");
    width_ = room.length(1);
    if (width_ > COLUMNS) refuse("into", "has more columns than there are features");
    std::array<float, COLUMNS> all;
    for (auto &scores : scores_) scores.resize(count_);
    if (dots.is_none()) {
        std::fill(scores_[VECTOR].begin(), scores_[VECTOR].end(), NOTHING);
    } else {
        View<const double> scores(dots, "dots", {count_});
        View<const bool> has(held, "held", {ANY});
        if (has.length() < size_) out_of_range("held", size_, has.length());
        for (std::int64_t at = 0; at < count_; ++at)
            scores_[VECTOR][at] = has[ordinals_[at]] ? scores[at] : NOTHING;
    }
    for (std::int64_t at = 0; at < count_; ++at) {
        scores_[RULES][at] = followed_[at] >= 0 ? rules_.scores[followed_[at]] : NOTHING;
        scores_[POPULARITY][at] = popularity[ordinals_[at] * POPULAR_COLUMNS + LEVEL] - level_now_;
    }
    if (has_others_) rank_beside();
    table_.resize(ROWS * count_);
    for (int source = 0; source < SOURCES; ++source)
        std::copy(scores_[source].begin(), scores_[source].end(), row(source));
    // Levels of popularity stay: where there is none is for the features to say.
    for (int source : {VECTOR, RULES})
        std::replace(row(source), row(source) + count_, NOTHING, 0.0);
    for (std::size_t at = 0; at < ordinals_.size() && width_ > CONTENT_Z; ++at) {
        __builtin_prefetch(content.data() + ordinals_[at] * CONTENT_WIDTH);
        __builtin_prefetch(shares.data() + ordinals_[at] * CONTENT_WIDTH);
    }
    write_signals(popularity);
    write_likeness(content, shares);
    for (int which = 0; which < ROWS; ++which) {
        floor_levels(row(which));
        standardise(row(which));
    }
    double depth = (std::log2(1.0 + static_cast<double>(history_.length)) - MIDDLE_DEPTH) / DEPTH_SCALE;
    auto most = std::max<std::int64_t>(pool_, proposed_[VECTOR].size());
    for (std::int64_t rank = reciprocal_.size(); rank <= most; ++rank)
        reciprocal_.push_back(1.0 / std::log2(static_cast<double>(rank) + 1.0));
    for (std::int64_t at = 0; at < count_; ++at) {
        float *to = all.data();
        for (int source = 0; source < SOURCES; ++source) {
            std::int32_t rank = ranks_[source][at];
            to[IN + source] = rank > 0 ? 1.0F : 0.0F;
            to[RR + source] = static_cast<float>(reciprocal_[rank]);
        }
        for (int which = 0; which < SCORED; ++which) {
            double z = table_[which * count_ + at];
            int later = LATER_Z + 2 * (which - FIRST_SCORED);
            to[which < FIRST_SCORED ? Z + which : later] = static_cast<float>(z);
            to[which < FIRST_SCORED ? ZD + which : later + 1] = static_cast<float>(z * depth);
        }
        double events = popularity[ordinals_[at] * POPULAR_COLUMNS + COUNT];
        to[LOG_COUNT] = static_cast<float>(std::log2(1.0 + events));
        double young = YOUNG_EVENTS / (YOUNG_EVENTS + events);
        to[YOUNG] = static_cast<float>(young);
        to[YOUNG_VECTOR] = static_cast<float>(young * table_[VECTOR * count_ + at]);
        to[CONTENT_Z] = static_cast<float>(table_[CONTENT * count_ + at]);
        to[YOUNG_CONTENT] = static_cast<float>(young * table_[CONTENT * count_ + at]);
        std::copy_n(to, width_, room.data() + at * width_);
    }
    stage_ = READY;
}

// Give those who stand beside the usual candidates the rank that they would have among them.
void Draft::rank_beside() {
    std::vector<double> listed;
    for (int source = 0; source < SOURCES; ++source) {
        const auto &scores = scores_[source];
        listed.clear();
        for (const Proposal &one : proposed_[source]) {
            double score = scores[chosen_.place(one.ordinal)];
            if (!std::isnan(score)) listed.push_back(score);
        }
        std::sort(listed.begin(), listed.end());
        for (std::int64_t at = 0; at < count_; ++at) {
            // Without anything usual all are beside it, and nothing is listed.
            if (!usual_.empty() && usual_[at]) continue;
            auto first = std::isnan(scores[at])
                             ? listed.begin()
                             : std::upper_bound(listed.begin(), listed.end(), scores[at]);
            auto better = listed.end() - first;
            bool ranked = scores[at] != NOTHING && better < pool_;
            ranks_[source][at] = ranked ? static_cast<std::int32_t>(better + 1) : 0;
        }
    }
}

void Draft::write_signals(const View<const double> &popular) {
    relative_log(row(RULES), row(RULES_LOG));
    write_followed(rules_.last_scores, row(LAST));
    write_followed(rules_.history_scores, row(HISTORY_LOG));
    write_popular(popular);
    for (std::int64_t at = 0; at < count_; ++at)
        row(TREND)[at] = popular[ordinals_[at] * POPULAR_COLUMNS + FAST];
    std::fill(row(OWN_COUNT), row(OWN_RECENCY) + count_, 0.0);
    for (std::size_t own = 0; own < history_.own.size(); ++own) {
        if (!chosen_.has(history_.own[own])) continue;
        std::int64_t at = chosen_.place(history_.own[own]);
        row(OWN_COUNT)[at] = std::log2(1.0 + history_.own_count[own]);
        row(OWN_RECENCY)[at] = 1.0 / (1.0 + history_.own_first[own]);
    }
}

// Write how like the latest items candidates are; nothing is read where no generation takes it.
void Draft::write_likeness(const View<const std::uint16_t> &buckets, const View<const float> &weights) {
    double *into = row(CONTENT);
    std::fill(into, into + count_, 0.0);
    if (width_ <= CONTENT_Z) return;
    std::size_t steps = std::min<std::size_t>(WINDOW, history_.latest.size());
    history_.ranks(steps, ranks_of_latest_);
    bool known = false;
    for (std::size_t step = 0; step < steps; ++step) {
        std::int64_t first = history_.latest[step] * CONTENT_WIDTH;
        double share = 1.0 / std::sqrt(ranks_of_latest_[step]);
        for (std::int64_t at = first; at < first + CONTENT_WIDTH; ++at) {
            profile_[buckets[at] % CONTENT_BUCKETS] += static_cast<double>(weights[at]) * share;
            known |= weights[at] != 0.0F;
        }
    }
    if (!known) return;
    for (std::int64_t place = 0; place < count_; ++place) {
        std::int64_t first = ordinals_[place] * CONTENT_WIDTH;
        double sum = 0.0;
        for (std::int64_t at = first; at < first + CONTENT_WIDTH; ++at)
            sum += profile_[buckets[at] % CONTENT_BUCKETS] * static_cast<double>(weights[at]);
        into[place] = sum;
    }
    for (std::size_t step = 0; step < steps; ++step) {
        const std::uint16_t *own = buckets.data() + history_.latest[step] * CONTENT_WIDTH;
        for (int at = 0; at < CONTENT_WIDTH; ++at) profile_[own[at] % CONTENT_BUCKETS] = 0.0;
    }
}

// Write the relative logarithm of scores by number of the rules' target; 0 where no rule leads.
void Draft::write_followed(const std::vector<double> &scores, double *into) const {
    for (std::int64_t at = 0; at < count_; ++at)
        into[at] = followed_[at] >= 0 ? scores[followed_[at]] : 0.0;
    relative_log(into, into);
}

// Write log(score / best + 0.01) of scores >= 0; zeros when none is positive.
void Draft::relative_log(const double *scores, double *into) const {
    double best = 0.0;
    for (std::int64_t at = 0; at < count_; ++at)
        if (among(at) && !(scores[at] <= best) && !std::isnan(best)) best = scores[at];
    if (best <= 0) {
        std::fill(into, into + count_, 0.0);
        return;
    }
    const double least = std::log(LEAST_SHARE);
    for (std::int64_t at = 0; at < count_; ++at)
        into[at] = scores[at] == 0.0 ? least : std::log(scores[at] / best + LEAST_SHARE);
}

// Write position, session and recent.
void Draft::write_popular(const View<const double> &popular) {
    double best = NOTHING;
    bool numbers = true;
    for (std::int64_t ordinal : ordinals_) {
        const double *levels = popular.data() + ordinal * POPULAR_COLUMNS;
        for (int place = 0; place < 2 * PLACES; ++place) {
            best = levels[place] > best ? levels[place] : best;
            numbers &= levels[place] == levels[place];
        }
    }
    double *position = row(POSITION), *session = row(SESSION), *recent = row(RECENT);
    if (!numbers || !std::isfinite(best)) {
        std::fill(position, recent + count_, 0.0);
        return;
    }
    // Levels grow without limit; relative to the best of them they can be added.
    for (std::int64_t at = 0; at < count_; ++at) {
        const double *levels = popular.data() + ordinals_[at] * POPULAR_COLUMNS;
        double here = 0.0, overall = 0.0;
        for (int place = 0; place < PLACES; ++place) {
            // Most items have no events in most places.
            double mass = levels[place] == NOTHING ? 0.0 : std::exp2(levels[place] - best);
            overall += mass;
            if (place == history_.place) here = mass;
        }
        double anywhere = SHARE_OF_ALL * overall;
        double now = levels[history_.session_place];
        double now_mass = now == NOTHING ? 0.0 : std::exp2(now - best);
        position[at] = std::log2(here + anywhere);
        session[at] = std::log2(now_mass + anywhere);
        recent[at] = std::log2(overall);
    }
}

// Levels that are minus infinity become one below the least; none is too far below the best.
void Draft::floor_levels(double *row) const {
    bool all = true, all_among = true, any = false;
    // Most rows have nothing to floor: the difference is 0 but for infinities and what is no number.
    for (std::int64_t at = 0; at < count_; ++at) all &= row[at] - row[at] == 0.0;
    if (all) return;
    double best = NOTHING, least = -NOTHING;
    for (std::int64_t at = 0; at < count_; ++at) {
        bool known = std::isfinite(row[at]);
        if (!among(at)) continue;
        all_among = all_among && known;
        if (!known) continue;
        any = true;
        best = std::max(best, row[at]);
        least = std::min(least, row[at]);
    }
    if (!any) {
        std::fill(row, row + count_, 0.0);
        return;
    }
    // As long as all of the request is known nothing of it is floored.
    bool floored = usual_.empty() || !all_among;
    for (std::int64_t at = 0; at < count_; ++at) {
        if (!std::isfinite(row[at])) row[at] = least - 1.0;
        if (floored) row[at] = std::max(row[at], best - FLOOR_LOG2);
    }
}

// Several sums side by side, so that none waits for the one before.
constexpr std::int64_t LANES = 4;

template <typename Term> double sum_of(std::int64_t count, Term term) {
    double lanes[LANES] = {};
    std::int64_t at = 0;
    for (; at + LANES <= count; at += LANES)
        for (std::int64_t lane = 0; lane < LANES; ++lane) lanes[lane] += term(at + lane);
    for (; at < count; ++at) lanes[0] += term(at);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

// Make z-scores; zeros where the spread is not above rounding.
void Draft::standardise(double *row) const {
    const char *usual = usual_.empty() ? nullptr : usual_.data();
    std::int64_t size = usual ? std::count(usual, usual + count_, 1) : count_;
    if (size == 0) return;
    double largest = 0.0;
    for (std::int64_t at = 0; at < count_; ++at) {
        double value = usual && !usual[at] ? 0.0 : std::abs(row[at]);
        largest = value > largest ? value : largest;
    }
    double sum = usual ? sum_of(count_, [=](std::int64_t at) { return usual[at] ? row[at] : 0.0; })
                       : sum_of(count_, [=](std::int64_t at) { return row[at]; });
    double mean = sum / static_cast<double>(size);
    for (std::int64_t at = 0; at < count_; ++at) row[at] -= mean;
    auto square = [=](std::int64_t at) { return row[at] * row[at]; };
    double squares =
        usual ? sum_of(count_, [=](std::int64_t at) { return usual[at] ? square(at) : 0.0; })
              : sum_of(count_, square);
    double spread = std::sqrt(squares / static_cast<double>(size));
    double scale = spread > 1e-9 * std::max(1.0, largest) ? 1.0 / spread : 0.0;
    for (std::int64_t at = 0; at < count_; ++at) row[at] *= scale;
}

double probability(double logit) {
    // exp of what is not positive only: it cannot overflow.
    double small = std::exp(-std::abs(logit));
    return (logit >= 0 ? 1.0 : small) / (1.0 + small);
}

void Draft::score(const View<const float> &raw, const View<const double> &weights,
                  const double *head, const float *features) {
    logits_.resize(count_ * outcomes_);
    order_.clear();
    for (std::int64_t at = 0; at < count_; ++at) {
        double score = 0.0;
        for (std::int64_t outcome = 0; outcome < outcomes_; ++outcome) {
            double logit = raw[at * outcomes_ + outcome];
            if (head != nullptr) {
                const double *learned = head + outcome * (width_ + HEAD_EXTRAS);
                double sum = 0.0;
                for (std::int64_t column = 0; column < width_; ++column)
                    sum += static_cast<double>(features[at * width_ + column]) * learned[1 + column];
                logit = learned[0] * logit + sum + learned[1 + width_];
            }
            logits_[at * outcomes_ + outcome] = logit;
            score += probability(logit) * weights[outcome];
        }
        // Candidates ascend, so equal scores go by ordinal.
        order_.push_back({score, at});
    }
}

// Return what outcomes of negative weight take of most candidates, as weighing._usual.
double Draft::usual_penalty(const View<const double> &weights) const {
    std::vector<double> taken;
    for (std::int64_t outcome = 0; outcome < outcomes_; ++outcome) {
        if (weights[outcome] >= 0.0) continue;
        taken.resize(count_, 0.0);
        for (std::int64_t at = 0; at < count_; ++at)
            taken[at] -= probability(logits_[at * outcomes_ + outcome]) * weights[outcome];
    }
    taken.erase(std::remove_if(taken.begin(), taken.end(), [](double one) { return one != one; }),
                taken.end());
    if (taken.empty()) return 0.0;
    auto middle = taken.begin() + (static_cast<std::ptrdiff_t>(taken.size()) - 1) / 2;
    std::nth_element(taken.begin(), middle, taken.end());
    return *middle;
}

// Write the rank of candidates in each source, from 1, 0 where it does not list them.
void Draft::ranks(nb::handle into) const {
    if (stage_ == EMPTY) throw std::logic_error("nothing was gathered");
    View<std::int32_t> room(into, "into", {SOURCES, count_});
    for (int source = 0; source < SOURCES; ++source)
        std::copy(ranks_[source].begin(), ranks_[source].end(), room.data() + source * count_);
}

// Write the scores of all candidates, that `finish` orders by, and what a surface makes of them.
void Draft::weigh(nb::handle raw, nb::handle weights, nb::handle head, nb::handle features,
                  nb::handle sources, nb::handle given, nb::handle priors, nb::handle scores,
                  nb::handle into) {
    if (stage_ != READY) throw std::logic_error("features come first");
    weighed_ = false;
    const Weighing by(raw, weights, head, features, count_, width_);
    outcomes_ = by.weights.length();
    View<double> plain(scores, "scores", {count_}), room(into, "into", {count_});
    View<const std::int64_t> asked(given, "given", {ANY});
    View<const double> more(priors, "priors", {asked.length()});
    for (std::int64_t at = 0; at < asked.length(); ++at) check_ordinal("given", asked[at], size_);
    score(by.raw, by.weights, by.head(), by.features.data());
    for (std::int64_t at = 0; at < count_; ++at) plain[at] = order_[at].score;
    double most = 0.0;
    for (std::int64_t outcome = 0; outcome < outcomes_; ++outcome)
        most += std::max(by.weights[outcome], 0.0);
    if (most > 0.0)
        log_odds(plain.data(), usual_penalty(by.weights), most, count_, room.data());
    else
        std::copy_n(plain.data(), count_, room.data());
    if (!sources.is_none()) weigh_sources(sources, room.data());
    for (std::int64_t at = 0; at < asked.length(); ++at)
        if (chosen_.has(asked[at])) room[chosen_.place(asked[at])] += more[at];
    weighed_ = true;
}

// Apply quotas, and weights of what one source alone proposed; what is beyond all quotas has none.
void Draft::weigh_sources(nb::handle sources, double *utilities) const {
    if (!PyTuple_CheckExact(sources.ptr()) || PyTuple_GET_SIZE(sources.ptr()) != 3)
        throw nb::type_error("sources: must be a tuple of 3");
    nb::handle lists = PyTuple_GET_ITEM(sources.ptr(), 2);
    if (!PyList_CheckExact(lists.ptr())) throw nb::type_error("sources: lists must be a list");
    const std::int64_t others = PyList_GET_SIZE(lists.ptr());
    View<const std::int64_t> quotas(PyTuple_GET_ITEM(sources.ptr(), 0), "quotas", {SOURCES});
    View<const double> weights(PyTuple_GET_ITEM(sources.ptr(), 1), "weights", {SOURCES + others});
    // How many lists a candidate is in, and in which of them last.
    std::vector<std::int32_t> times(count_, 0), last(count_, -1);
    for (int source = 0; source < SOURCES; ++source)
        for (std::int64_t at = 0; at < count_; ++at)
            if (std::int32_t rank = ranks_[source][at]; rank > 0 && rank <= quotas[source]) {
                ++times[at];
                last[at] = source;
            }
    for (std::int64_t other = 0; other < others; ++other) {
        View<const std::int64_t> list(PyList_GET_ITEM(lists.ptr(), other), "list", {ANY});
        const auto source = static_cast<std::int32_t>(SOURCES + other);
        for (std::int64_t at = 0; at < list.length(); ++at) {
            check_ordinal("list", list[at], size_);
            if (!chosen_.has(list[at])) continue;
            std::int64_t place = chosen_.place(list[at]);
            times[place] += last[place] != source;
            last[place] = source;
        }
    }
    for (std::int64_t at = 0; at < count_; ++at) {
        if (times[at] == 1) utilities[at] += weights[last[at]];
        bool listed = ranks_[VECTOR][at] || ranks_[RULES][at] || ranks_[POPULARITY][at];
        if (times[at] == 0 && listed) utilities[at] = std::numeric_limits<double>::quiet_NaN();
    }
}

// Note the rank of each slot in the lists of other sources, (name, ordinals).
void Draft::rank_others(nb::handle others) {
    others_.clear();
    if (others.is_none()) return;
    if (!PyList_CheckExact(others.ptr())) throw nb::type_error("others: must be a list");
    slot_of_.assign(count_, -1);
    for (std::size_t slot = 0; slot < order_.size(); ++slot)
        slot_of_[order_[slot].ordinal] = static_cast<std::int32_t>(slot);
    for (Py_ssize_t number = 0; number < PyList_GET_SIZE(others.ptr()); ++number) {
        PyObject *one = PyList_GET_ITEM(others.ptr(), number);
        if (!PyTuple_CheckExact(one) || PyTuple_GET_SIZE(one) != 2)
            throw nb::type_error("others: must hold tuples of 2");
        Py_ssize_t size = 0;
        const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(one, 0), &size);
        if (name == nullptr) throw nb::python_error();
        View<const std::int64_t> list(PyTuple_GET_ITEM(one, 1), "others", {ANY});
        Other other{{name, static_cast<std::size_t>(size)}, std::vector<std::int32_t>(order_.size(), 0)};
        for (std::int64_t at = 0; at < list.length(); ++at) {
            check_ordinal("others", list[at], size_);
            if (!chosen_.has(list[at])) continue;
            std::int32_t slot = slot_of_[chosen_.place(list[at])];
            if (slot >= 0 && other.ranks[slot] == 0) other.ranks[slot] = static_cast<std::int32_t>(at + 1);
        }
        others_.push_back(std::move(other));
    }
}

// Make the candidates at these places the order; return whether all their scores are numbers.
bool Draft::take(const View<const std::int64_t> &places) {
    std::vector<Proposal> all;
    all.swap(order_);
    bool finite = true;
    for (std::int64_t at = 0; at < places.length(); ++at) {
        check_ordinal("places", places[at], count_);
        order_.push_back(all[places[at]]);
        finite = finite && !std::isnan(order_.back().score);
    }
    return finite;
}

nb::tuple Draft::finish(nb::handle raw, nb::handle weights, nb::handle head, nb::handle features,
                        nb::handle item_ids, nb::handle nameable, std::int64_t count, int field,
                        bool logged, nb::handle places, nb::handle propensities,
                        nb::handle others, int alike, std::int64_t resembled, nb::handle beside) {
    if (stage_ != READY) throw std::logic_error("features come first");
    const Weighing given(raw, weights, head, features, count_, width_);
    outcomes_ = given.weights.length();
    View<const bool> listed(nameable, "nameable", {ANY});
    if (listed.length() < size_) out_of_range("nameable", size_, listed.length());
    if (!PyList_CheckExact(item_ids.ptr())) throw nb::type_error("item_ids: must be a list");
    if (PyList_GET_SIZE(item_ids.ptr()) < size_)
        out_of_range("item_ids", size_, PyList_GET_SIZE(item_ids.ptr()));
    if (count < 0) refuse("count", "must not be negative");
    if (field < 1 || field > 15) refuse("field", "must be 1 to 15");
    std::optional<View<const std::int64_t>> chosen;
    if (!places.is_none()) chosen.emplace(places, "places", std::initializer_list<std::int64_t>{ANY});
    std::int64_t slots = chosen ? chosen->length() : count;
    chances_.clear();
    if (!propensities.is_none()) {
        View<const double> chances(propensities, "propensities", {slots});
        chances_.assign(chances.data(), chances.data() + slots);
    }
    if (!beside.is_none()) {
        if (!PyList_CheckExact(beside.ptr())) throw nb::type_error("beside: must be a list");
        if (PyList_GET_SIZE(beside.ptr()) != slots) refuse("beside", "must have one for each slot");
        for (Py_ssize_t at = 0; at < slots; ++at)
            if (!PyBytes_CheckExact(PyList_GET_ITEM(beside.ptr(), at)))
                throw nb::type_error("beside: must be of bytes");
    }
    if (resembled >= 0) check_ordinal("resembled", resembled, size_);
    // Of what was weighed just now, the scores are there.
    bool scored = weighed_ && logits_.size() == static_cast<std::size_t>(count_ * outcomes_);
    if (!chosen || !scored)
        score(given.raw, given.weights, given.head(), given.features.data());
    weighed_ = false;
    bool finite = true;
    if (chosen) {
        finite = take(*chosen);
    } else {
        if (!asked_.empty())
            order_.erase(std::remove_if(order_.begin(), order_.end(),
                                        [this](const Proposal &one) { return !asked_[one.ordinal]; }),
                         order_.end());
        finite = std::none_of(order_.begin(), order_.end(),
                              [](const Proposal &one) { return std::isnan(one.score); });
        keep_best(order_, count);
    }
    rank_others(others);
    write_slots(item_ids, listed, field, alike, resembled, beside);
    const std::string &written = slots_.bytes();
    nb::object columns = nb::none();
    if (logged) {
        write_logged(item_ids, given.raw, given.head(), given.features.data());
        columns = nb::bytes(log_.bytes().data(), log_.bytes().size());
    }
    return nb::make_tuple(nb::bytes(written.data(), written.size()), order_.size(), finite, columns);
}

std::string_view id_of(nb::handle item_ids, std::int64_t ordinal) {
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(PyList_GET_ITEM(item_ids.ptr(), ordinal), &size);
    if (text == nullptr) throw nb::python_error();
    return {text, static_cast<std::size_t>(size)};
}

// Slots as elements of field `field` of an answer.
void Draft::write_slots(nb::handle item_ids, const View<const bool> &nameable, int field, int alike,
                        std::int64_t resembled, nb::handle beside) {
    items_.clear();
    for (const Proposal &one : order_) items_.push_back(ordinals_[one.ordinal]);
    rules_.because(items_, nameable, because_);
    slots_.clear();
    for (std::size_t slot = 0; slot < order_.size(); ++slot) {
        std::int64_t at = order_[slot].ordinal;
        // Sources that proposed the item, by rank; of equal ranks in their order.
        std::array<int, SOURCES> sources;
        int proposed = 0;
        std::uint64_t sources_size = 0;
        std::array<std::uint64_t, SOURCES> source_sizes;
        for (int source = 0; source < SOURCES; ++source) {
            std::int32_t rank = ranks_[source][at];
            if (rank == 0) continue;
            source_sizes[source] = field_size(SOURCE_NAMES[source].size()) +
                                   (Wire::written(scores_[source][at]) ? 9 : 0) + 1 +
                                   varint_size(rank);
            sources_size += field_size(source_sizes[source]);
            int to = proposed++;
            for (; to > 0 && ranks_[sources[to - 1]][at] > rank; --to) sources[to] = sources[to - 1];
            sources[to] = source;
        }
        auto rank = [&](int source) {
            std::int32_t found = ranks_[source][at];
            return found ? found : std::numeric_limits<std::int32_t>::max();
        };
        ReasonCode reason = POPULAR;
        std::string_view because;
        if (rank(RULES) <= std::min(rank(VECTOR), rank(POPULARITY)) && because_[slot] >= 0) {
            reason = FOLLOWS;
            because = id_of(item_ids, because_[slot]);
        } else if (int personal = std::min(rank(VECTOR), rank(RULES));
                   personal <= rank(POPULARITY) && personal < std::numeric_limits<std::int32_t>::max()) {
            reason = TASTE;
        }
        bool only_alike = resembled >= 0 && proposed == 0;
        for (std::size_t other = 0; other < others_.size(); ++other) {
            std::int32_t own = others_[other].ranks[slot];
            only_alike &= (own > 0) == (static_cast<int>(other) == alike);
            // A source without scores of its own says minus the rank: the best is the largest.
            if (own > 0)
                sources_size += field_size(field_size(others_[other].name.size()) + 9 + 1 + varint_size(own));
        }
        if (only_alike && alike >= 0 && alike < static_cast<int>(others_.size())) {
            reason = LIKE;
            because = id_of(item_ids, resembled);
        }
        std::string_view item_id = id_of(item_ids, items_[slot]);
        std::uint64_t reason_size = 2 + (because.empty() ? 0 : field_size(because.size()));
        double score = order_[slot].score, chance = slot < chances_.size() ? chances_[slot] : 1.0;
        std::string_view more;
        if (!beside.is_none()) {
            PyObject *bytes = PyList_GET_ITEM(beside.ptr(), slot);
            more = {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
        }
        slots_.header(field, (item_id.empty() ? 0 : field_size(item_id.size())) +
                             (Wire::written(score) ? 9 : 0) + sources_size + field_size(reason_size) +
                             (Wire::written(chance) ? 9 : 0) + more.size());
        slots_.text(1, item_id);
        slots_.real(2, score);
        for (int place = 0; place < proposed; ++place) {
            int source = sources[place];
            slots_.header(3, source_sizes[source]);
            slots_.text(1, SOURCE_NAMES[source]);
            slots_.real(2, scores_[source][at]);
            slots_.number(3, ranks_[source][at]);
        }
        for (const Other &other : others_) {
            std::int32_t own = other.ranks[slot];
            if (own == 0) continue;
            slots_.header(3, field_size(other.name.size()) + 9 + 1 + varint_size(own));
            slots_.text(1, other.name);
            slots_.real(2, -static_cast<double>(own));
            slots_.number(3, own);
        }
        slots_.header(4, reason_size);
        slots_.number(1, reason);
        slots_.text(2, because);
        slots_.real(5, chance);
        slots_.raw(more.data(), more.size());
    }
}

// Fields item_ids to features of a ServedSlate, of the first items.
void Draft::write_logged(nb::handle item_ids, const View<const float> &raw, const double *head,
                         const float *features) {
    std::int64_t shown = std::min<std::int64_t>(MAX_LOGGED, order_.size());
    log_.clear();
    for (std::int64_t slot = 0; slot < shown; ++slot) {
        std::string_view item_id = id_of(item_ids, items_[slot]);
        log_.header(9, item_id.size());
        log_.raw(item_id.data(), item_id.size());
    }
    auto write = [this](int number, std::int64_t values) {
        if (values == 0) return;
        log_.header(number, values * sizeof(float));
        log_.raw(column_.data(), values * sizeof(float));
    };
    column_.assign(std::max<std::int64_t>(shown * outcomes_, shown), 1.0F);
    std::transform(chances_.begin(), chances_.begin() + std::min<std::int64_t>(shown, chances_.size()),
                   column_.begin(), [](double chance) { return static_cast<float>(chance); });
    write(10, shown);
    for (std::int64_t slot = 0; slot < shown; ++slot) {
        double place = std::log2(1.0 + static_cast<double>(slot));
        for (std::int64_t outcome = 0; outcome < outcomes_; ++outcome) {
            double logit = logits_[order_[slot].ordinal * outcomes_ + outcome];
            if (head != nullptr) logit += place * head[(outcome + 1) * (width_ + HEAD_EXTRAS) - 1];
            column_[slot * outcomes_ + outcome] = static_cast<float>(probability(logit));
        }
    }
    write(11, shown * outcomes_);
    for (std::int64_t slot = 0; slot < shown; ++slot)
        std::copy_n(raw.data() + order_[slot].ordinal * outcomes_, outcomes_,
                    column_.data() + slot * outcomes_);
    write(12, shown * outcomes_);
    if (shown == 0) return;
    log_.header(13, shown * width_ * sizeof(float));
    for (std::int64_t slot = 0; slot < shown; ++slot)
        log_.raw(features + order_[slot].ordinal * width_, width_ * sizeof(float));
}

// Write into `into` [size] which items are servable, held, not excluded and not hidden by events.
// Returns how many there are before exclusion, after it, and in the end.
nb::tuple eligible_items(nb::handle servable, nb::handle held, nb::handle excluded, nb::handle seen,
                         nb::handle hides_us, std::int64_t now_us, nb::handle into) {
    View<const bool> may(servable, "servable", {ANY});
    std::int64_t size = may.length();
    View<const bool> has(held, "held", {size});
    View<bool> left(into, "into", {size});
    View<const std::int64_t> out(excluded, "excluded", {ANY});
    std::int64_t count = 0;
    for (std::int64_t item = 0; item < size; ++item) {
        left[item] = may[item] && has[item];
        count += left[item];
    }
    std::int64_t first = count;
    auto drop = [&](const char *name, std::int64_t item) {
        check_ordinal(name, item, size);
        count -= left[item];
        left[item] = false;
    };
    for (std::int64_t at = 0; at < out.length(); ++at) drop("excluded", out[at]);
    std::int64_t second = count;
    if (!seen.is_none()) {
        Records events(seen, "seen", SEEN_FORMAT, 14);
        if (hides_us.is_none()) {
            for (std::int64_t row = 0; row < events.length(); ++row)
                drop("seen", events.read<std::int32_t>(row, 0));
        } else {
            View<const std::int64_t> hides(hides_us, "hides_us", {ANY});
            for (std::int64_t row = 0; row < events.length(); ++row) {
                auto kind = events.read<std::int16_t>(row, 4);
                check_ordinal("seen", kind, hides.length());
                auto since = minus(now_us, events.read<std::int64_t>(row, 6));
                if (since < hides[kind]) drop("seen", events.read<std::int32_t>(row, 0));
            }
        }
    }
    return nb::make_tuple(first, second, count);
}

// Clear from `eligible` what is not in a mask; return how many are left.
std::int64_t keep(nb::handle eligible, nb::handle mask) {
    View<bool> left(eligible, "eligible", {ANY});
    View<const bool> wanted(mask, "mask", {left.length()});
    static_assert(sizeof(bool) == 1);
    auto *bytes = reinterpret_cast<std::uint8_t *>(left.data());
    return both(bytes, reinterpret_cast<const std::uint8_t *>(wanted.data()), left.length(), bytes);
}

// Write the eligible items of several lists, best first, each once: surface/sources/merging.py.
std::int64_t merge(nb::handle lists, nb::handle eligible, nb::handle into) {
    View<const bool> may(eligible, "eligible", {ANY});
    View<std::int64_t> room(into, "into", {ANY});
    if (!PyList_CheckExact(lists.ptr())) throw nb::type_error("lists: must be a list");
    struct List {
        View<const std::int64_t> items;
        View<const double> levels;
        std::int64_t at = 0;

        explicit List(PyObject *pair)
            : items(PyTuple_GET_ITEM(pair, 0), "items", {ANY}),
              levels(PyTuple_GET_ITEM(pair, 1), "levels", {items.length()}) {}
    };
    std::deque<List> heads;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(lists.ptr()); ++at) {
        PyObject *pair = PyList_GET_ITEM(lists.ptr(), at);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2)
            throw nb::type_error("lists: must hold tuples of 2");
        heads.emplace_back(pair);
    }
    Numbering found;
    found.reset(room.length());
    while (static_cast<std::int64_t>(found.members.size()) < room.length()) {
        List *best = nullptr;
        for (List &list : heads) {
            if (list.at == list.items.length()) continue;
            Proposal own{list.levels[list.at], list.items[list.at]};
            if (!best || before(own, {best->levels[best->at], best->items[best->at]})) best = &list;
        }
        if (!best) break;
        std::int64_t item = best->items[best->at++];
        check_ordinal("items", item, may.length());
        if (may[item]) room[found.number(static_cast<std::int32_t>(item))] = item;
    }
    return static_cast<std::int64_t>(found.members.size());
}

// features[row] . weights[outcome]: sums side by side, so that none waits for the one before, and of
// each row alone, so that a candidate has the same score whoever stands beside it.
float weighed(const float *features, const float *weights, std::int64_t columns) {
    constexpr int WIDTH = 4;
    float lanes[WIDTH] = {};
    std::int64_t column = 0;
    for (; column + WIDTH <= columns; column += WIDTH)
        for (int lane = 0; lane < WIDTH; ++lane)
            lanes[lane] += features[column + lane] * weights[column + lane];
    for (int lane = 0; column < columns; ++column, ++lane)
        lanes[lane] += features[column] * weights[column];
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

// into = features weights^T + offsets: what a scorer of one matrix says.
void affine(nb::handle features, nb::handle weights, nb::handle offsets, nb::handle into) {
    View<const float> offset(offsets, "offsets", {ANY});
    std::int64_t outcomes = offset.length();
    View<const float> weight(weights, "weights", {outcomes, ANY});
    std::int64_t columns = weight.length(1);
    View<float> scores(into, "into", {ANY, outcomes});
    std::int64_t count = scores.length();
    View<const float> rows(features, "features", {count, columns});
    for (std::int64_t row = 0; row < count; ++row)
        for (std::int64_t outcome = 0; outcome < outcomes; ++outcome)
            scores[row * outcomes + outcome] =
                weighed(rows.data() + row * columns, weight.data() + outcome * columns, columns) +
                offset[outcome];
}

} // namespace

void register_slate(nb::module_ &m) {
    m.attr("SLATE_COLUMNS") = COLUMNS;
    m.attr("POPULAR_COLUMNS") = POPULAR_COLUMNS;
    nb::class_<Draft>(m, "SlateDraft")
        .def(nb::init<>())
        .def_static("eligible", &eligible_items, nb::arg("servable"), nb::arg("held"),
                    nb::arg("excluded"), nb::arg("seen").none(), nb::arg("hides_us").none(),
                    nb::arg("now_us"), nb::arg("into"))
        .def_static("keep", &keep, nb::arg("eligible"), nb::arg("mask"))
        .def_static("merge", &merge, nb::arg("lists"), nb::arg("eligible"), nb::arg("into"))
        .def_static("affine", &affine, nb::arg("features"), nb::arg("weights"),
                    nb::arg("offsets"), nb::arg("into"))
        .def("gather", &Draft::gather, nb::arg("recent"), nb::arg("targets"), nb::arg("weights"),
             nb::arg("popular"), nb::arg("order"), nb::arg("touched"), nb::arg("is_touched"),
             nb::arg("eligible"), nb::arg("nearest"), nb::arg("asked").none(), nb::arg("pool"),
             nb::arg("wanted"), nb::arg("now"), nb::arg("level_now"), nb::arg("into"))
        .def("features", &Draft::features, nb::arg("dots").none(), nb::arg("held").none(),
             nb::arg("popular"), nb::arg("buckets"), nb::arg("weights"), nb::arg("into"))
        .def("finish", &Draft::finish, nb::arg("raw"), nb::arg("weights"), nb::arg("head").none(),
             nb::arg("features"), nb::arg("item_ids"), nb::arg("nameable"), nb::arg("count"),
             nb::arg("field"), nb::arg("logged"), nb::arg("places").none() = nb::none(),
             nb::arg("propensities").none() = nb::none(), nb::arg("others").none() = nb::none(),
             nb::arg("alike") = -1, nb::arg("resembled") = -1, nb::arg("beside").none() = nb::none())
        .def("ranks", &Draft::ranks, nb::arg("into"))
        .def("weigh", &Draft::weigh, nb::arg("raw"), nb::arg("weights"), nb::arg("head").none(),
             nb::arg("features"), nb::arg("sources").none(), nb::arg("given"), nb::arg("priors"),
             nb::arg("scores"), nb::arg("into"));
}

} // namespace harken
