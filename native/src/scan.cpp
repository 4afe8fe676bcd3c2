// Which items score highest. The twin in NumPy: services/ranker/domain/plain_scan.py.
//
// A score is vector . query + bias, or the cosine times |query|; larger is better, equal ones go by
// ordinal, and what has no number as score is not found.

#include "scan.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "kernels.h"

namespace nb = nanobind;
using nb::literals::operator""_a;
using harken::Kernels;

namespace {

using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ordinals = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Found = std::pair<nb::ndarray<nb::numpy, int64_t, nb::ndim<1>>,
                        nb::ndarray<nb::numpy, double, nb::ndim<1>>>;

constexpr float EVER = std::numeric_limits<float>::infinity();
constexpr float NEVER = -EVER;
constexpr size_t AHEAD = 4;
// So many rows before it is needed, one is asked for.
constexpr double TINY = 1e-30;
// Squares of norms below this have no precision as floats.
constexpr float SMALLEST = 1e-35f;
// Of lengths above 1e15 a product of two, or a square, may come near to what a float can say.
constexpr double HUGE_SQUARE = 1e30;
// More than what products that are too small for a float can come to.

void require(bool holds, const char *what) {
    if (!holds) throw std::invalid_argument(what);
}

struct Scored {
    float score;
    int64_t ordinal;
};

bool better(const Scored &a, const Scored &b) {
    return a.score > b.score || (a.score == b.score && a.ordinal < b.ordinal);
}

// Return what keeps memory for as long as an array of Python lives.
template <typename T>
nb::capsule owned(std::unique_ptr<T[]> &memory) {
    return nb::capsule(memory.release(), [](void *p) noexcept { delete[] static_cast<T *>(p); });
}

// Return the best `count`, best first, as the two arrays that Python gets.
Found best_of(std::vector<Scored> &scored, size_t count) {
    if (scored.size() > count) {
        std::nth_element(scored.begin(), scored.begin() + count, scored.end(), better);
        scored.resize(count);
    }
    std::sort(scored.begin(), scored.end(), better);
    const size_t n = scored.size();
    auto ordinals = std::make_unique<int64_t[]>(n);
    auto scores = std::make_unique<double[]>(n);
    for (size_t i = 0; i < n; i++) {
        ordinals[i] = scored[i].ordinal;
        scores[i] = scored[i].score;
    }
    int64_t *ordinals_at = ordinals.get();
    double *scores_at = scores.get();
    return {{ordinals_at, {n}, owned(ordinals)}, {scores_at, {n}, owned(scores)}};
}

// What is asked for: exact vectors by ordinal, which of them may be found, and how they score.
struct Question {
    const float *query;
    const float *table;
    const float *biases;
    const float *norms;  // of vectors; null: scores are dot products, with biases
    const bool *eligible;
    size_t size, dimension;

    Question(const Floats &query, const Rows &table, const Floats &biases,
             const std::optional<Floats> &norms, const Flags &eligible)
        : query(query.data()), table(table.data()), biases(biases.data()),
          norms(norms ? norms->data() : nullptr), eligible(eligible.data()),
          size(eligible.shape(0)), dimension(query.shape(0)) {
        require(table.shape(1) == dimension, "the query has another dimension than the table");
        require(table.shape(0) >= size && biases.shape(0) >= size, "more flags than rows");
        require(!norms || norms->shape(0) >= size, "more flags than norms");
    }

    // Ask for a row that will be looked at soon.
    void fetch(size_t ordinal) const {
        const char *row = reinterpret_cast<const char *>(table + ordinal * dimension);
        for (size_t byte = 0; byte < dimension * sizeof(float); byte += 64) {
            __builtin_prefetch(row + byte);
        }
    }

    float score(const Kernels &with, size_t ordinal) const {
        const float dot = with.dot(query, table + ordinal * dimension, dimension);
        if (norms == nullptr) return dot + biases[ordinal];
        return norms[ordinal] > 0 ? dot / norms[ordinal] : 0.0f;
    }
};

Found exact_top(const Floats &query, const Rows &table, const Floats &biases, const Flags &eligible,
                size_t count, const std::optional<Floats> &norms, bool plain) {
    const Question asked(query, table, biases, norms, eligible);
    const Kernels &with = harken::kernels(plain);
    std::vector<Scored> scored;
    if (count == 0) return best_of(scored, 0);
    const size_t room = 2 * count + 64;
    scored.reserve(std::min(room, asked.size + 1));
    float least = NEVER;
    bool full = false;
    const auto look_at = [&](size_t ordinal) {
        const float score = asked.score(with, ordinal);
        // Ordinals ascend: one that only equals the worst of enough others is worse.
        if (full ? !(score > least) : std::isnan(score)) return;
        scored.push_back({score, int64_t(ordinal)});
        if (scored.size() == room) {
            std::nth_element(scored.begin(), scored.begin() + (count - 1), scored.end(), better);
            scored.resize(count);
            least = scored.back().score;
            full = true;
        }
    };
    size_t at = 0;
    for (; at + 8 <= asked.size; at += 8) {
        uint64_t any;
        std::memcpy(&any, asked.eligible + at, 8);
        if (any == 0) continue;
        for (size_t o = at; o < at + 8; o++) {
            if (asked.eligible[o]) look_at(o);
        }
    }
    for (; at < asked.size; at++) {
        if (asked.eligible[at]) look_at(at);
    }
    return best_of(scored, count);
}

// Return the scores of given rows.
nb::ndarray<nb::numpy, double, nb::ndim<1>> dots(const Floats &query, const Rows &table,
                                                 const Floats &biases, const Ordinals &ordinals,
                                                 bool plain) {
    const size_t n = ordinals.shape(0), dimension = query.shape(0);
    const size_t rows = std::min(table.shape(0), biases.shape(0));
    require(table.shape(1) == dimension, "the query has another dimension than the table");
    for (size_t i = 0; i < n; i++) {
        if (ordinals.data()[i] < 0 || size_t(ordinals.data()[i]) >= rows) {
            throw std::out_of_range("an ordinal is out of range");
        }
    }
    const Kernels &with = harken::kernels(plain);
    auto made = std::make_unique<double[]>(n);
    for (size_t i = 0; i < n; i++) {
        const size_t row = ordinals.data()[i];
        made[i] = with.dot(query.data(), table.data() + row * dimension, dimension) +
                  biases.data()[row];
    }
    double *at = made.get();
    return {at, {n}, owned(made)};
}

// So many rows are kept, and scanned, together.
constexpr size_t BLOCK = 64;

// Rows of one list: code * scale is the vector but for an error of length `error` at most.
struct Block {
    int32_t ordinals[BLOCK];
    float scales[BLOCK], biases[BLOCK], errors[BLOCK], norms[BLOCK];
    std::unique_ptr<int8_t[]> codes;

    explicit Block(size_t stride) : codes(new int8_t[BLOCK * stride]) {}
};

struct List {
    std::vector<std::unique_ptr<Block>> blocks;
    size_t size = 0;
};

// The query as integers: code * scale is the query but for an error of length `error` at most.
struct AskedCodes {
    std::vector<int16_t> codes;
    float scale = 0, norm = 0, error = 0;

    AskedCodes(const float *query, size_t dimension, size_t stride) : codes(stride, 0) {
        float largest = 0;
        double square = 0, missed = 0;
        for (size_t j = 0; j < dimension; j++) {
            largest = std::max(largest, std::fabs(query[j]));
            square += double(query[j]) * query[j];
        }
        // As fine as a sum of products with codes of up to 127 allows in 32 bits.
        const float levels =
            float(std::min<int64_t>(32767, (int64_t(1) << 31) / (127 * int64_t(stride)) - 1));
        if (largest > 0) scale = largest / levels;
        for (size_t j = 0; j < dimension && scale > 0; j++) {
            codes[j] = int16_t(std::lrint(std::clamp(query[j] / scale, -levels, levels)));
            missed += std::pow(double(query[j]) - double(scale) * codes[j], 2);
        }
        norm = float(std::sqrt(square));
        if (!(square < HUGE_SQUARE)) {
            // Products of it may be beyond a float: nothing is known of any score.
            std::fill(codes.begin(), codes.end(), int16_t(0));
            scale = 0;
            error = EVER;
            return;
        }
        // Rounding of sums of floats, of either kind of score: more than it can be.
        const double rounding = (double(dimension) / 16 + 16) * 1.2e-7;
        error = float(std::sqrt(missed) * 1.001 + norm * rounding);
    }
};

struct Bounded {
    float lower, upper;
    int32_t ordinal;
};

// Items that may be among the best `count`, while their scores are known within bounds.
class Contenders {
  public:
    explicit Contenders(size_t count) : count_(count), room_(std::max<size_t>(4 * count, 512)) {}

    // What is not at least this is not among the best.
    float least() const { return least_; }

    void add(const Bounded &one) {
        held_.push_back(one);
        if (held_.size() >= room_) prune();
    }

    const std::vector<Bounded> &left() {
        prune();
        return held_;
    }

  private:
    void prune() {
        if (held_.size() <= count_) return;
        std::nth_element(held_.begin(), held_.begin() + (count_ - 1), held_.end(),
                         [](const Bounded &a, const Bounded &b) { return a.lower > b.lower; });
        least_ = std::max(least_, held_[count_ - 1].lower);
        const float least = least_;
        held_.erase(std::remove_if(held_.begin(), held_.end(),
                                   [least](const Bounded &one) { return one.upper < least; }),
                    held_.end());
        room_ = std::max(room_, 2 * held_.size());
    }

    size_t count_, room_;
    float least_ = NEVER;
    std::vector<Bounded> held_;
};

// 8-bit codes of vectors, in lists; every vector is in one list, and may move to another.
class VectorLists {
  public:
    VectorLists(size_t dimension, size_t lists)
        : dimension_(dimension),
          stride_((dimension + harken::CODE_STEP - 1) / harken::CODE_STEP * harken::CODE_STEP),
          lists_(lists) {
        require(dimension >= 1 && dimension <= 65536, "dimension must be 1..65536");
        require(lists >= 1 && lists <= (1u << 24), "lists must be 1..2^24");
    }

    VectorLists(const VectorLists &) = delete;
    VectorLists &operator=(const VectorLists &) = delete;

    size_t size() const { return size_; }

    size_t put(const Ordinals &ordinals, const Ordinals &lists, const Rows &vectors,
               const Floats &biases) {
        const size_t n = ordinals.shape(0);
        require(lists.shape(0) == n && vectors.shape(0) == n && biases.shape(0) == n,
                "columns differ in length");
        require(vectors.shape(1) == dimension_, "vectors have another dimension");
        for (size_t i = 0; i < n; i++) {
            require(ordinals.data()[i] >= 0 && ordinals.data()[i] < (int64_t(1) << 31) - 1,
                    "an ordinal is out of range");
            require(lists.data()[i] >= 0 && size_t(lists.data()[i]) < lists_.size(),
                    "a list is out of range");
        }
        size_t moved = 0;
        for (size_t i = 0; i < n; i++) {
            moved += put_one(int32_t(ordinals.data()[i]), int32_t(lists.data()[i]),
                             vectors.data() + i * dimension_, biases.data()[i]);
        }
        return moved;
    }

    Found search(const Floats &query, const Rows &table, const Floats &biases,
                 const Flags &eligible, size_t count, const Floats &probes, size_t enough,
                 const std::optional<Floats> &norms, bool plain) {
        const Question asked(query, table, biases, norms, eligible);
        require(asked.dimension == dimension_, "the query has another dimension");
        require(probes.shape(0) == lists_.size(), "there are not as many probes as lists");
        const Kernels &with = harken::kernels(plain);
        std::vector<Scored> scored;
        const AskedCodes codes(asked.query, dimension_, stride_);
        if (count == 0 || !std::isfinite(codes.norm)) return best_of(scored, 0);
        Contenders contenders(count);
        std::vector<Scored> order(lists_.size());
        for (size_t l = 0; l < order.size(); l++) {
            const float probe = probes.data()[l];
            order[l] = {std::isnan(probe) ? NEVER : probe, int64_t(l)};
        }
        // A heap: only as many are put in order as are looked into.
        const auto later = [](const Scored &a, const Scored &b) { return better(b, a); };
        std::make_heap(order.begin(), order.end(), later);
        for (size_t seen = 0; !order.empty() && seen < enough; order.pop_back()) {
            std::pop_heap(order.begin(), order.end(), later);
            seen += scan(lists_[order.back().ordinal], asked, codes, with, contenders);
        }
        const std::vector<Bounded> &left = contenders.left();
        scored.reserve(left.size());
        for (size_t i = 0; i < left.size(); i++) {
            if (i + AHEAD < left.size()) asked.fetch(left[i + AHEAD].ordinal);
            const float score = asked.score(with, left[i].ordinal);
            if (!std::isnan(score)) scored.push_back({score, left[i].ordinal});
        }
        return best_of(scored, count);
    }

  private:
    struct Where {
        int32_t list = -1;
        int32_t place = 0;
    };

    bool put_one(int32_t ordinal, int32_t list, const float *vector, float bias) {
        if (size_t(ordinal) >= where_.size()) {
            where_.resize(std::max<size_t>(ordinal + 1, where_.size() * 5 / 4));
        }
        Where &where = where_[ordinal];
        const bool moved = where.list >= 0 && where.list != list;
        if (moved) take_out(where);
        if (where.list < 0) {
            List &to = lists_[list];
            if (to.size == to.blocks.size() * BLOCK) {
                to.blocks.push_back(std::make_unique<Block>(stride_));
            }
            where = {list, int32_t(to.size++)};
            size_++;
        }
        write(ordinal, where, vector, bias);
        return moved;
    }

    void take_out(Where &where) {
        List &from = lists_[where.list];
        const size_t last = --from.size;
        if (size_t(where.place) != last) {
            Block &hole = *from.blocks[where.place / BLOCK];
            const Block &end = *from.blocks[last / BLOCK];
            const size_t to = where.place % BLOCK, of = last % BLOCK;
            hole.ordinals[to] = end.ordinals[of];
            hole.scales[to] = end.scales[of];
            hole.biases[to] = end.biases[of];
            hole.errors[to] = end.errors[of];
            hole.norms[to] = end.norms[of];
            std::memcpy(hole.codes.get() + to * stride_, end.codes.get() + of * stride_, stride_);
            where_[hole.ordinals[to]].place = where.place;
        }
        if (from.size == (from.blocks.size() - 1) * BLOCK) from.blocks.pop_back();
        where.list = -1;
        size_--;
    }

    void write(int32_t ordinal, const Where &where, const float *vector, float bias) {
        Block &block = *lists_[where.list].blocks[where.place / BLOCK];
        const size_t place = where.place % BLOCK;
        int8_t *codes = block.codes.get() + place * stride_;
        std::memset(codes, 0, stride_);
        float largest = 0;
        double square = 0;
        for (size_t j = 0; j < dimension_; j++) {
            largest = std::max(largest, std::fabs(vector[j]));
            square += double(vector[j]) * vector[j];
        }
        block.ordinals[place] = ordinal;
        const bool tiny = square > 0 && square < TINY;
        if (!(square < HUGE_SQUARE) || !std::isfinite(bias) || tiny) {
            // Nothing is known of its scores: the second look decides.
            block.scales[place] = block.biases[place] = 0;
            block.norms[place] = 1;
            block.errors[place] = EVER;
            return;
        }
        const float scale = largest / 127;
        float missed = 0;  // in squares of `scale`
        for (size_t j = 0; j < dimension_ && scale > 0; j++) {
            const float exact = vector[j] / scale;
            const float level = std::clamp(std::nearbyint(exact), -127.f, 127.f);
            codes[j] = int8_t(level);
            missed += (exact - level) * (exact - level);
        }
        const float norm = float(std::sqrt(square));
        block.scales[place] = scale;
        block.biases[place] = bias;
        block.errors[place] = scale * std::sqrt(missed) * 1.001f + norm * 3e-7f;
        block.norms[place] = norm * 1.000001f;
    }

    // Look through a list; return how many of its rows may be found.
    size_t scan(const List &list, const Question &asked, const AskedCodes &query,
                const Kernels &with, Contenders &contenders) const {
        size_t seen = 0;
        int32_t dots[BLOCK];
        float lower[BLOCK], upper[BLOCK];
        for (size_t b = 0; b < list.blocks.size(); b++) {
            const Block &block = *list.blocks[b];
            const size_t rows = std::min(BLOCK, list.size - b * BLOCK);
            bool there[BLOCK];
            size_t alive = 0;
            for (size_t r = 0; r < rows; r++) {
                const size_t ordinal = block.ordinals[r];
                there[r] = ordinal < asked.size && asked.eligible[ordinal];
                alive += there[r];
            }
            if (alive == 0) continue;
            seen += alive;
            with.code_dots(query.codes.data(), block.codes.get(), rows, stride_, dots);
            bounds(block, rows, dots, query, asked.norms != nullptr, lower, upper);
            for (size_t r = 0; r < rows; r++) {
                if (there[r] && upper[r] >= contenders.least()) {
                    contenders.add({lower[r], upper[r], block.ordinals[r]});
                }
            }
        }
        return seen;
    }

    // |q . v - q' . v'| <= |q| |v - v'| + |q - q'| |v'|, for q', v' as the codes say.
    static void bounds(const Block &block, size_t rows, const int32_t *dots,
                       const AskedCodes &query, bool cosine, float *lower, float *upper) {
        for (size_t r = 0; r < rows; r++) {
            const float near = float(dots[r]) * (block.scales[r] * query.scale);
            const float missed = block.errors[r];
            const float known =
                query.norm * missed + query.error * (block.norms[r] + missed) + SMALLEST;
            // No number where nothing is known of a row or of the query.
            if (!(known < EVER)) {
                lower[r] = NEVER;
                upper[r] = EVER;
                continue;
            }
            const float error = known;
            if (cosine) {
                const float inverse = block.norms[r] > 0 ? 1 / block.norms[r] : 0;
                // The norm that divides the exact score may differ in its last bits.
                const float slack = 4e-6f * query.norm;
                lower[r] = (near - error) * inverse - slack;
                upper[r] = (near + error) * inverse + slack;
            } else {
                const float bias = block.biases[r];
                const float slack = error + 3e-7f * std::fabs(bias);
                lower[r] = near + bias - slack;
                upper[r] = near + bias + slack;
            }
        }
    }

    size_t dimension_, stride_, size_ = 0;
    std::vector<List> lists_;
    std::vector<Where> where_;
};

}  // namespace

void register_scan(nb::module_ &m) {
    m.def("exact_top", &exact_top, "query"_a.noconvert(), "table"_a.noconvert(),
          "biases"_a.noconvert(), "eligible"_a.noconvert(), "count"_a,
          "norms"_a.noconvert() = nb::none(), "plain"_a = false,
          "Return ordinals and scores of the best `count` eligible rows, by all of the table.");
    m.def("dots", &dots, "query"_a.noconvert(), "table"_a.noconvert(), "biases"_a.noconvert(),
          "ordinals"_a.noconvert(), "plain"_a = false, "Return the scores of given rows.");
    nb::class_<VectorLists>(m, "VectorLists", "8-bit codes of vectors, in lists.")
        .def(nb::init<size_t, size_t>(), "dimension"_a, "lists"_a = 1)
        .def("__len__", &VectorLists::size)
        .def("put", &VectorLists::put, "ordinals"_a.noconvert(), "lists"_a.noconvert(),
             "vectors"_a.noconvert(), "biases"_a.noconvert(),
             "Set vectors and their lists, the last of equal ordinals; return how many moved.")
        .def("search", &VectorLists::search, "query"_a.noconvert(), "table"_a.noconvert(),
             "biases"_a.noconvert(), "eligible"_a.noconvert(), "count"_a,
             "probes"_a.noconvert(), "enough"_a, "norms"_a.noconvert() = nb::none(),
             "plain"_a = false,
             "Return ordinals and exact scores of the best `count` eligible rows of the lists with "
             "the largest probes, until `enough` eligible rows were seen.");
}
