// Which items score highest. The twin in NumPy: services/ranker/domain/plain_scan.py.
//
// A score is vector . query + bias, or the cosine times |query|; larger is better, equal ones go by
// ordinal, and what has no number as score is not found.

#include "scan.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
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
constexpr size_t BLOCK = harken::SIGN_ROWS;

// Rows of one list: what a first look at signs reads is apart, to be read in one go.
struct alignas(64) Front {
    float weights[BLOCK], reaches[BLOCK];
    int32_t ordinals[BLOCK];
    // Signs lie behind: see Kernels::sign_passes.
    uint8_t *signs() { return reinterpret_cast<uint8_t *>(this + 1); }
};

// code * scale is the vector but for an error of length `error` at most.
struct alignas(64) Back {
    float scales[BLOCK], biases[BLOCK], errors[BLOCK], norms[BLOCK];
    int8_t *codes() { return reinterpret_cast<int8_t *>(this + 1); }
};

struct Block {
    Front *front;
    Back *back;
};

// Memory in pieces of one size, given back to the system with the whole of it: what is freed in
// pieces stays with the process when others lie between.
class Pieces {
  public:
    explicit Pieces(size_t bytes) : bytes_((bytes + 63) / 64 * 64) {}
    Pieces(const Pieces &) = delete;
    Pieces &operator=(const Pieces &) = delete;
    ~Pieces() {
        for (const Slab &slab : slabs_) munmap(slab.at, slab.bytes);
    }

    char *take() {
        if (free_.empty()) add_slab();
        char *taken = free_.back();
        free_.pop_back();
        return taken;
    }

    void give_back(void *piece) { free_.push_back(static_cast<char *>(piece)); }

  private:
    struct Slab {
        void *at;
        size_t bytes;
    };
    static constexpr size_t HUGE_PAGE = size_t(1) << 21;

    void add_slab() {
        // A quarter of what there is, up to some megabytes: few vectors take little.
        const size_t bytes = std::clamp(pieces_ * bytes_ / 4, 4 * bytes_, 4 * HUGE_PAGE);
        const size_t count = bytes / bytes_;
        slabs_.reserve(slabs_.size() + 1);
        free_.reserve(pieces_ + count);
        void *slab = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
        if (slab == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        // A hint: most of a scan is waiting for pages to be found.
        if (bytes >= HUGE_PAGE) madvise(slab, bytes, MADV_HUGEPAGE);
#endif
        slabs_.push_back({slab, bytes});
        pieces_ += count;
        for (size_t p = count; p-- > 0;) free_.push_back(static_cast<char *>(slab) + p * bytes_);
    }

    size_t bytes_, pieces_ = 0;
    std::vector<Slab> slabs_;
    std::vector<char *> free_;
};

struct List {
    std::vector<Block> blocks;
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

// Turns vectors so that none of their dimensions counts for more than the others: signs of what was
// turned say most then. Three rounds of fixed random signs and a fast Hadamard transform (Ailon &
// Chazelle 2009), of the first and of the last dimensions in turn where they are no power of two.
class Rotation {
  public:
    // `turn`: another one for each number.
    Rotation(size_t dimension, size_t turn)
        : size_((dimension + 7) / 8 * 8), flips_(ROUNDS * size_) {
        while (2 * power_ <= size_) power_ *= 2;
        uint64_t state = 0x9E3779B97F4A7C15 * (2 * turn + 1);
        for (float &flip : flips_) {
            // xorshift64* (Vigna 2016).
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            flip = (state * 0x2545F4914F6CDD1D) >> 63 ? 1.0f : -1.0f;
        }
    }

    size_t size() const { return size_; }

    // to [size]: `vector` [dimension], turned.
    void turn(const float *vector, size_t dimension, float *to) const {
        std::copy(vector, vector + dimension, to);
        std::fill(to + dimension, to + size_, 0.0f);
        const float even = 1 / std::sqrt(float(power_));
        for (size_t round = 0; round < ROUNDS; round++) {
            const float *flips = flips_.data() + round * size_;
            for (size_t j = 0; j < size_; j++) to[j] *= flips[j];
            float *part = round % 2 ? to + (size_ - power_) : to;
            for (size_t half = 1; half < power_; half *= 2) {
                for (size_t start = 0; start < power_; start += 2 * half) {
                    for (size_t j = start; j < start + half; j++) {
                        const float a = part[j], b = part[j + half];
                        part[j] = a + b;
                        part[j + half] = a - b;
                    }
                }
            }
            for (size_t j = 0; j < power_; j++) part[j] *= even;
        }
    }

  private:
    static constexpr size_t ROUNDS = 3;
    size_t size_, power_ = 1;
    std::vector<float> flips_;
};

// Blocks are turned in so many ways. The error of an estimate is that of a vector and a query: items
// with one vector, as new ones of one content have, would all be missed together.
constexpr size_t TURNS = 4;

// The query for a look at signs: RaBitQ (Gao & Long 2024) with one bit a dimension. With o the
// turned vector, s its signs and q the turned query, q . s |o|^2 / sum |o_j| is an estimate of
// q . o without bias; its error is |q| |o| sqrt((1 - c^2) / (c^2 (d - 1))) as standard deviation,
// c = sum |o_j| / (|o| sqrt(d)): near .8 after turning.
struct AskedSigns {
    std::vector<uint8_t> tables;
    harken::SignQuery query{};

    AskedSigns(const float *asked, size_t dimension, const Rotation &rotation, float norm) {
        const size_t size = rotation.size();
        std::vector<float> turned(size);
        rotation.turn(asked, dimension, turned.data());
        float largest = 0;
        for (const float one : turned) largest = std::max(largest, std::fabs(one));
        const float scale = largest / LEVELS;
        std::vector<int> codes(size, 0);
        for (size_t j = 0; j < size && scale > 0; j++) {
            codes[j] = int(std::lrint(std::clamp(turned[j] / scale, -LEVELS, LEVELS)));
        }
        tables.resize(size / 4 * 16);
        for (size_t group = 0; group < size / 4; group++) {
            for (int signs = 0; signs < 16; signs++) {
                int sum = 4 * int(LEVELS);
                for (int j = 0; j < 4; j++) {
                    sum += signs >> j & 1 ? codes[4 * group + j] : -codes[4 * group + j];
                }
                tables[group * 16 + signs] = uint8_t(sum);
            }
        }
        query = {tables.data(), size / 8, scale, LEVELS * float(size), ERRORS * SPREAD * norm};
    }

  private:
    static constexpr float LEVELS = 15;  // tables hold up to 8 times as much
    static constexpr float SPREAD = 0.63f;
    // sqrt(1 - c^2), a little more than it mostly is.
    static constexpr float ERRORS = 1.6f;
};

struct Bounded {
    float lower, upper;
    int32_t ordinal;
};

// Items that may be among the best `count`, while their scores are known within bounds.
class Contenders {
  public:
    // `guess`: what the best `count` are thought to reach: see `proven`.
    explicit Contenders(size_t count, float guess = NEVER)
        : count_(count), room_(std::max<size_t>(4 * count, 512)), least_(guess), guess_(guess) {}

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

    // Whether so many reach the guess that what was left out for it is not among the best.
    bool proven() const {
        if (guess_ == NEVER) return true;
        const float guess = guess_;
        return size_t(std::count_if(held_.begin(), held_.end(), [guess](const Bounded &one) {
                   return one.lower >= guess;
               })) >= count_;
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
    float least_, guess_;
    std::vector<Bounded> held_;
};

// 8-bit codes of vectors, in lists; every vector is in one list, and may move to another.
class VectorLists {
  public:
    VectorLists(size_t dimension, size_t lists)
        : dimension_(dimension),
          stride_((dimension + harken::CODE_STEP - 1) / harken::CODE_STEP * harken::CODE_STEP),
          rotations_{Rotation(dimension, 0), Rotation(dimension, 1), Rotation(dimension, 2),
                     Rotation(dimension, 3)},
          signs_(dimension >= SIGNS_FROM && dimension <= SIGNS_TO ? rotations_[0].size() / 8 : 0),
          fronts_(sizeof(Front) + BLOCK * signs_), backs_(sizeof(Back) + BLOCK * stride_),
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
                 const std::optional<Floats> &norms, bool by_signs, bool plain) {
        const Question asked(query, table, biases, norms, eligible);
        require(asked.dimension == dimension_, "the query has another dimension");
        require(probes.shape(0) == lists_.size(), "there are not as many probes as lists");
        std::vector<Scored> scored;
        const AskedCodes codes(asked.query, dimension_, stride_);
        if (count == 0 || !std::isfinite(codes.norm)) return best_of(scored, 0);
        std::vector<AskedSigns> signs;  // for each turn; none: signs are not looked at
        if (by_signs && signs_ > 0 && codes.error < EVER) {
            signs.reserve(TURNS);
            for (const Rotation &rotation : rotations_) {
                signs.emplace_back(asked.query, dimension_, rotation, codes.norm);
            }
        }
        const Kernels &with = harken::kernels(plain);
        float guess = NEVER;
        if (!signs.empty() && lists_.size() == 1) guess = guessed(asked, codes, with, signs, count);
        Search one{asked, codes, with, Contenders(count, guess), {}};
        look_into(one, probes, enough, signs);
        if (!one.contenders.proven()) {
            one.contenders = Contenders(count);
            look_into(one, probes, enough, signs);
        }
        const std::vector<Bounded> &left = one.contenders.left();
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
                to.blocks.reserve(to.blocks.size() + 1);
                to.blocks.push_back({new (fronts_.take()) Front, new (backs_.take()) Back});
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
            const Block &block = from.blocks[where.place / BLOCK], &tail = from.blocks[last / BLOCK];
            const size_t to = where.place % BLOCK, of = last % BLOCK;
            Back &hole = *block.back, &end = *tail.back;
            block.front->ordinals[to] = tail.front->ordinals[of];
            hole.scales[to] = end.scales[of];
            hole.biases[to] = end.biases[of];
            hole.errors[to] = end.errors[of];
            hole.norms[to] = end.norms[of];
            std::memcpy(hole.codes() + to * stride_, end.codes() + of * stride_, stride_);
            block.front->weights[to] = tail.front->weights[of];
            block.front->reaches[to] = tail.front->reaches[of];
            for (size_t b = 0; b < signs_; b++) {
                block.front->signs()[b * BLOCK + to] = tail.front->signs()[b * BLOCK + of];
            }
            where_[block.front->ordinals[to]].place = where.place;
        }
        if (from.size == (from.blocks.size() - 1) * BLOCK) {
            fronts_.give_back(from.blocks.back().front);
            backs_.give_back(from.blocks.back().back);
            from.blocks.pop_back();
        }
        where.list = -1;
        size_--;
    }

    void write(int32_t ordinal, const Where &where, const float *vector, float bias) {
        Front &front = *lists_[where.list].blocks[where.place / BLOCK].front;
        Back &block = *lists_[where.list].blocks[where.place / BLOCK].back;
        const size_t place = where.place % BLOCK;
        int8_t *codes = block.codes() + place * stride_;
        std::memset(codes, 0, stride_);
        float largest = 0;
        double square = 0;
        for (size_t j = 0; j < dimension_; j++) {
            largest = std::max(largest, std::fabs(vector[j]));
            square += double(vector[j]) * vector[j];
        }
        front.ordinals[place] = ordinal;
        const bool tiny = square > 0 && square < TINY;
        if (!(square < HUGE_SQUARE) || !std::isfinite(bias) || tiny) {
            // Nothing is known of its scores: the second look decides.
            block.scales[place] = block.biases[place] = 0;
            block.norms[place] = 1;
            block.errors[place] = front.reaches[place] = EVER;
            front.weights[place] = 0;
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
        if (signs_ > 0) write_signs(front, where, vector, bias);
    }

    // Which way a block of a list is turned. Of several lists it is that of the list: its rows go
    // from block to block.
    size_t turn_of(size_t list, size_t block) const {
        return (lists_.size() > 1 ? list : block) % TURNS;
    }

    void write_signs(Front &front, const Where &where, const float *vector, float bias) {
        const size_t place = where.place % BLOCK;
        const Rotation &rotation = rotations_[turn_of(where.list, where.place / BLOCK)];
        turned_.resize(rotation.size());
        rotation.turn(vector, dimension_, turned_.data());
        double sum = 0, square = 0;
        for (const float one : turned_) {
            sum += std::fabs(one);
            square += double(one) * one;
        }
        front.weights[place] = sum > 0 ? float(square / sum) : 0.0f;
        front.reaches[place] = bias;
        for (size_t b = 0; b < signs_; b++) {
            uint8_t signs = 0;
            for (int j = 0; j < 8; j++) signs |= uint8_t((turned_[8 * b + j] > 0) << j);
            front.signs()[b * BLOCK + place] = signs;
        }
    }

    // One search: what it looks for, what it has found, and rows whose codes come from memory.
    struct Search {
        const Question &asked;
        const AskedCodes &codes;
        const Kernels &with;
        Contenders contenders;
        std::vector<std::pair<Block, size_t>> waiting;

        void look_at_waiting(const VectorLists &lists) {
            for (const auto &[block, row] : waiting) {
                int32_t dot;
                with.code_dots(codes.codes.data(), block.back->codes() + row * lists.stride_, 1,
                               lists.stride_, &dot);
                const Bounded found = bounds(block, row, dot, codes, asked.norms != nullptr);
                if (found.upper >= contenders.least()) contenders.add(found);
            }
            waiting.clear();
        }
    };

    void look_into(Search &one, const Floats &probes, size_t enough,
                   const std::vector<AskedSigns> &signs) const {
        std::vector<Scored> order(lists_.size());
        for (size_t l = 0; l < order.size(); l++) {
            const float probe = probes.data()[l];
            order[l] = {std::isnan(probe) ? NEVER : probe, int64_t(l)};
        }
        // A heap: only as many are put in order as are looked into.
        const auto later = [](const Scored &a, const Scored &b) { return better(b, a); };
        std::make_heap(order.begin(), order.end(), later);
        const bool counting = enough < size_;
        for (size_t seen = 0; !order.empty() && seen < enough; order.pop_back()) {
            std::pop_heap(order.begin(), order.end(), later);
            const size_t number = order.back().ordinal;
            const List &list = lists_[number];
            if (order.size() > 1) fetch_first(lists_[order.front().ordinal]);
            if (!signs.empty()) {
                seen += scan_signs(number, signs, one, counting, 1);
            } else {
                seen += scan(list, one, counting);
            }
        }
        one.look_at_waiting(*this);
        one.contenders.left();
    }

    // Return what twice as many as are asked for may reach, by some of the only list; no number is
    // known where that holds too few. Rows that are looked at before much is known are saved.
    float guessed(const Question &asked, const AskedCodes &codes, const Kernels &with,
                  const std::vector<AskedSigns> &signs, size_t count) const {
        Search trial{asked, codes, with, Contenders(2 * count / EVERY + 8), {}};
        scan_signs(0, signs, trial, false, EVERY);
        trial.look_at_waiting(*this);
        trial.contenders.left();
        return trial.contenders.least();
    }

    static size_t eligible_of(const Front &front, size_t rows, const Question &asked) {
        size_t alive = 0;
        for (size_t r = 0; r < rows; r++) {
            const size_t ordinal = front.ordinals[r];
            alive += ordinal < asked.size && asked.eligible[ordinal];
        }
        return alive;
    }

    void fetch(const Front *front) const {
        const char *at = reinterpret_cast<const char *>(front);
        for (size_t byte = 0; byte < sizeof(Front) + BLOCK * signs_; byte += 64) {
            __builtin_prefetch(at + byte);
        }
    }

    void fetch_first(const List &list) const {
        for (size_t b = 0; b < std::min(SOON, list.blocks.size()); b++) {
            fetch(list.blocks[b].front);
        }
    }

    // Look through the signs of a list, one block of `every`, and at the codes of rows that these
    // let pass; return how many of its rows may be found, if that counts.
    size_t scan_signs(size_t number, const std::vector<AskedSigns> &signs, Search &one,
                      bool counting, size_t every) const {
        const List &list = lists_[number];
        size_t seen = 0;
        bool pass[BLOCK];
        float inverse[BLOCK], nothing[BLOCK];
        for (size_t b = 0; b < list.blocks.size(); b += every) {
            Front &front = *list.blocks[b].front;
            Back &block = *list.blocks[b].back;
            if (b + SOON * every < list.blocks.size()) fetch(list.blocks[b + SOON * every].front);
            const size_t rows = std::min(BLOCK, list.size - b * BLOCK);
            if (counting) seen += eligible_of(front, rows, one.asked);
            const float *weights = front.weights, *reaches = front.reaches;
            if (one.asked.norms != nullptr) {
                for (size_t r = 0; r < rows; r++) {
                    inverse[r] = block.norms[r] > 0 ? front.weights[r] / block.norms[r] : 0.0f;
                    nothing[r] = front.reaches[r] < EVER ? 0.0f : EVER;
                }
                // What a block has no rows for does not count, but is looked at.
                std::fill(inverse + rows, inverse + BLOCK, 0.0f);
                std::fill(nothing + rows, nothing + BLOCK, 0.0f);
                weights = inverse;
                reaches = nothing;
            }
            one.with.sign_passes(signs[turn_of(number, b)].query, front.signs(), weights, reaches,
                                 one.contenders.least(), pass);
            each_passed(front, pass, rows, one.asked, [&](size_t r) {
                const char *codes = reinterpret_cast<const char *>(block.codes());
                for (size_t byte = 0; byte < stride_; byte += 64) {
                    __builtin_prefetch(codes + r * stride_ + byte);
                }
                one.waiting.emplace_back(list.blocks[b], r);
            });
            if (one.waiting.size() >= WAITING) one.look_at_waiting(*this);
        }
        return seen;
    }

    // Look through the codes of a list; return how many of its rows may be found, if that counts.
    size_t scan(const List &list, Search &one, bool counting) const {
        size_t seen = 0;
        const Question &asked = one.asked;
        int32_t dots[BLOCK] = {};
        bool pass[BLOCK] = {};
        for (size_t b = 0; b < list.blocks.size(); b++) {
            const Front &front = *list.blocks[b].front;
            Back &block = *list.blocks[b].back;
            const size_t rows = std::min(BLOCK, list.size - b * BLOCK);
            if (counting) seen += eligible_of(front, rows, asked);
            one.with.code_dots(one.codes.codes.data(), block.codes(), rows, stride_, dots);
            if (asked.norms != nullptr) {
                std::fill(pass, pass + rows, true);
            } else {
                may_reach(block, rows, dots, one.codes, one.contenders.least(), pass);
            }
            each_passed(front, pass, rows, asked, [&](size_t r) {
                const Bounded found =
                    bounds(list.blocks[b], r, dots[r], one.codes, asked.norms != nullptr);
                if (found.upper >= one.contenders.least()) one.contenders.add(found);
            });
        }
        return seen;
    }

    // Call `look` with each row of a block that passes and is eligible; `pass` holds BLOCK flags.
    template <typename Look>
    static void each_passed(const Front &front, const bool *pass, size_t rows,
                            const Question &asked, const Look &look) {
        for (size_t at = 0; at < rows; at += 8) {
            uint64_t any;
            std::memcpy(&any, pass + at, 8);
            if (any == 0) continue;
            for (size_t r = at; r < std::min(at + 8, rows); r++) {
                const size_t ordinal = front.ordinals[r];
                if (pass[r] && ordinal < asked.size && asked.eligible[ordinal]) look(r);
            }
        }
    }

    // The upper one of `bounds` for many rows, without a branch: what is unknown passes.
    static void may_reach(const Back &block, size_t rows, const int32_t *dots,
                          const AskedCodes &query, float least, bool *pass) {
        for (size_t r = 0; r < rows; r++) {
            const float missed = block.errors[r], bias = block.biases[r];
            const float near = float(dots[r]) * (block.scales[r] * query.scale);
            const float error =
                query.norm * missed + query.error * (block.norms[r] + missed) + SMALLEST;
            pass[r] = !(near + bias + (error + 3e-7f * std::fabs(bias)) < least);
        }
    }

    // |q . v - q' . v'| <= |q| |v - v'| + |q - q'| |v'|, for q', v' as the codes say.
    static Bounded bounds(const Block &of, size_t r, int32_t dot, const AskedCodes &query,
                          bool cosine) {
        const Back &block = *of.back;
        const int32_t ordinal = of.front->ordinals[r];
        const float near = float(dot) * (block.scales[r] * query.scale);
        const float missed = block.errors[r];
        const float error =
            query.norm * missed + query.error * (block.norms[r] + missed) + SMALLEST;
        // No number where nothing is known of a row or of the query.
        if (!(error < EVER)) return {NEVER, EVER, ordinal};
        if (cosine) {
            const float inverse = block.norms[r] > 0 ? 1 / block.norms[r] : 0;
            // The norm that divides the exact score may differ in its last bits.
            const float slack = 4e-6f * query.norm;
            return {(near - error) * inverse - slack, (near + error) * inverse + slack,
                    ordinal};
        }
        const float bias = block.biases[r];
        const float slack = error + 3e-7f * std::fabs(bias);
        return {near + bias - slack, near + bias + slack, ordinal};
    }

    static constexpr size_t SIGNS_FROM = 64, SIGNS_TO = 2048;
    // Of fewer dimensions signs say little; sums of more do not fit.
    static constexpr size_t WAITING = 32;
    static constexpr size_t EVERY = 17;
    // One block of so many is looked at for a guess; of each turn as many.
    static constexpr size_t SOON = 2;
    // So many blocks before it is needed, one is asked for.
    size_t dimension_, stride_, size_ = 0;
    std::array<Rotation, TURNS> rotations_;
    size_t signs_;  // bytes of a row
    Pieces fronts_, backs_;
    std::vector<float> turned_;
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
             "by_signs"_a = false, "plain"_a = false,
             "Return ordinals and exact scores of the best `count` eligible rows of the lists with "
             "the largest probes, until `enough` eligible rows were seen.");
}
