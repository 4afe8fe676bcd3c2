#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HARKEN_X86 1
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace harken {
namespace {

#define ALWAYS_INLINE inline __attribute__((always_inline))

constexpr size_t LANES = 16;

ALWAYS_INLINE float dot_in_lanes(const float *a, const float *b, size_t d) {
    float lanes[LANES] = {};
    size_t j = 0;
    for (; j + LANES <= d; j += LANES) {
        for (size_t l = 0; l < LANES; l++) lanes[l] += a[j + l] * b[j + l];
    }
    for (size_t l = 0; j < d; j++, l++) lanes[l] += a[j] * b[j];
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        for (size_t l = 0; l < half; l++) lanes[l] += lanes[l + half];
    }
    return lanes[0];
}

float dot_plain(const float *a, const float *b, size_t d) { return dot_in_lanes(a, b, d); }

void code_dots_plain(const int16_t *query, const int8_t *codes, size_t rows, size_t stride,
                     int32_t *out) {
    for (size_t r = 0; r < rows; r++, codes += stride) {
        int32_t sum = 0;
        for (size_t j = 0; j < stride; j++) sum += int32_t(query[j]) * int32_t(codes[j]);
        out[r] = sum;
    }
}

ALWAYS_INLINE void passes(const SignQuery &query, const uint16_t *sums, const float *weights,
                          const float *biases, float least, bool *pass) {
    for (size_t r = 0; r < SIGN_ROWS; r++) {
        const float reached = query.scale * (float(sums[r]) - query.offset) + query.margin;
        pass[r] = weights[r] * reached + biases[r] >= least;
    }
}

#if defined(__aarch64__)

void sign_passes_neon(const SignQuery &query, const uint8_t *signs, const float *weights,
                      const float *biases, float least, bool *pass) {
    alignas(64) uint16_t sums[SIGN_ROWS];
    const uint8x16_t low = vdupq_n_u8(15);
    for (size_t part = 0; part < SIGN_ROWS; part += 16) {
        uint16x8_t first = vdupq_n_u16(0), second = first;
        for (size_t b = 0; b < query.bytes; b++) {
            const uint8x16_t own = vld1q_u8(signs + b * SIGN_ROWS + part);
            const uint8_t *tables = query.tables + b * 32;
            const uint8x16_t both =
                vaddq_u8(vqtbl1q_u8(vld1q_u8(tables), vandq_u8(own, low)),
                         vqtbl1q_u8(vld1q_u8(tables + 16), vshrq_n_u8(own, 4)));
            first = vaddw_u8(first, vget_low_u8(both));
            second = vaddw_u8(second, vget_high_u8(both));
        }
        vst1q_u16(sums + part, first);
        vst1q_u16(sums + part + 8, second);
    }
    passes(query, sums, weights, biases, least, pass);
}

#endif

void sign_passes_plain(const SignQuery &query, const uint8_t *signs, const float *weights,
                       const float *biases, float least, bool *pass) {
    uint16_t sums[SIGN_ROWS] = {};
    for (size_t b = 0; b < query.bytes; b++, signs += SIGN_ROWS) {
        const uint8_t *low = query.tables + b * 32, *high = low + 16;
        for (size_t r = 0; r < SIGN_ROWS; r++) {
            sums[r] = uint16_t(sums[r] + low[signs[r] & 15] + high[signs[r] >> 4]);
        }
    }
    passes(query, sums, weights, biases, least, pass);
}

constexpr Kernels PLAIN = {dot_plain, code_dots_plain, sign_passes_plain};
#if defined(__aarch64__)
constexpr Kernels NEON = {dot_plain, code_dots_plain, sign_passes_neon};
#endif

#if HARKEN_X86

__attribute__((target("avx2"))) float dot_avx2(const float *a, const float *b, size_t d) {
    return dot_in_lanes(a, b, d);
}

__attribute__((target("avx2"))) void code_dots_avx2(const int16_t *query, const int8_t *codes,
                                                    size_t rows, size_t stride, int32_t *out) {
    for (size_t r = 0; r < rows; r++, codes += stride) {
        __m256i sum = _mm256_setzero_si256();
        for (size_t j = 0; j < stride; j += 16) {
            const __m128i code = _mm_loadu_si128(reinterpret_cast<const __m128i *>(codes + j));
            const __m256i asked = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(query + j));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(code), asked));
        }
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
        out[r] = _mm_cvtsi128_si32(half);
    }
}

__attribute__((target("avx2"))) void sign_passes_avx2(const SignQuery &query, const uint8_t *signs,
                                                      const float *weights, const float *biases,
                                                      float least, bool *pass) {
    alignas(64) uint16_t sums[SIGN_ROWS];
    const __m256i low = _mm256_set1_epi8(15), even_bytes = _mm256_set1_epi16(255);
    for (size_t part = 0; part < SIGN_ROWS; part += 32) {
        __m256i even = _mm256_setzero_si256(), odd = even;
        for (size_t b = 0; b < query.bytes; b++) {
            const __m256i own = _mm256_loadu_si256(
                reinterpret_cast<const __m256i *>(signs + b * SIGN_ROWS + part));
            const __m128i *tables = reinterpret_cast<const __m128i *>(query.tables + b * 32);
            const __m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables));
            const __m256i second = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables + 1));
            const __m256i both = _mm256_add_epi8(
                _mm256_shuffle_epi8(first, _mm256_and_si256(own, low)),
                _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(own, 4), low)));
            even = _mm256_add_epi16(even, _mm256_and_si256(both, even_bytes));
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(both, 8));
        }
        const __m256i firsts = _mm256_unpacklo_epi16(even, odd);
        const __m256i lasts = _mm256_unpackhi_epi16(even, odd);
        __m256i *out = reinterpret_cast<__m256i *>(sums + part);
        _mm256_storeu_si256(out, _mm256_permute2x128_si256(firsts, lasts, 0x20));
        _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(firsts, lasts, 0x31));
    }
    passes(query, sums, weights, biases, least, pass);
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512")))

AVX512 float dot_avx512(const float *a, const float *b, size_t d) { return dot_in_lanes(a, b, d); }

AVX512 __m512i products_avx512(const int16_t *query, const int8_t *code, size_t stride) {
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < stride; j += 32) {
        const __m256i own = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(code + j));
        const __m512i asked = _mm512_loadu_si512(query + j);
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_cvtepi8_epi16(own), asked));
    }
    return sum;
}

AVX512 void code_dots_avx512(const int16_t *query, const int8_t *codes, size_t rows, size_t stride,
                             int32_t *out) {
    size_t r = 0;
    // Four together: summing up within a register takes longer than all products of a row.
    for (; r + 4 <= rows; r += 4, codes += 4 * stride) {
        const __m512i a = products_avx512(query, codes, stride);
        const __m512i b = products_avx512(query, codes + stride, stride);
        const __m512i c = products_avx512(query, codes + 2 * stride, stride);
        const __m512i d = products_avx512(query, codes + 3 * stride, stride);
        const __m512i ab =
            _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        const __m512i cd =
            _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        const __m512i all =
            _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        const __m256i half =
            _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
        _mm_storeu_si128(
            reinterpret_cast<__m128i *>(out + r),
            _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
    }
    for (; r < rows; r++, codes += stride) {
        out[r] = _mm512_reduce_add_epi32(products_avx512(query, codes, stride));
    }
}

AVX512 void sign_passes_avx512(const SignQuery &query, const uint8_t *signs, const float *weights,
                               const float *biases, float least, bool *pass) {
    alignas(64) uint16_t sums[SIGN_ROWS];
    const __m512i low = _mm512_set1_epi8(15), even_bytes = _mm512_set1_epi16(255);
    __m512i even = _mm512_setzero_si512(), odd = even;
    for (size_t b = 0; b < query.bytes; b++) {
        const __m512i own = _mm512_loadu_si512(signs + b * SIGN_ROWS);
        const __m128i *tables = reinterpret_cast<const __m128i *>(query.tables + b * 32);
        const __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128(tables));
        const __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128(tables + 1));
        const __m512i both = _mm512_add_epi8(
            _mm512_shuffle_epi8(first, _mm512_and_si512(own, low)),
            _mm512_shuffle_epi8(second, _mm512_and_si512(_mm512_srli_epi16(own, 4), low)));
        even = _mm512_add_epi16(even, _mm512_and_si512(both, even_bytes));
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16(both, 8));
    }
    const __m512i firsts = _mm512_unpacklo_epi16(even, odd);
    const __m512i lasts = _mm512_unpackhi_epi16(even, odd);
    __m128i *out = reinterpret_cast<__m128i *>(sums);
    _mm_store_si128(out, _mm512_extracti32x4_epi32(firsts, 0));
    _mm_store_si128(out + 1, _mm512_extracti32x4_epi32(lasts, 0));
    _mm_store_si128(out + 2, _mm512_extracti32x4_epi32(firsts, 1));
    _mm_store_si128(out + 3, _mm512_extracti32x4_epi32(lasts, 1));
    _mm_store_si128(out + 4, _mm512_extracti32x4_epi32(firsts, 2));
    _mm_store_si128(out + 5, _mm512_extracti32x4_epi32(lasts, 2));
    _mm_store_si128(out + 6, _mm512_extracti32x4_epi32(firsts, 3));
    _mm_store_si128(out + 7, _mm512_extracti32x4_epi32(lasts, 3));
    passes(query, sums, weights, biases, least, pass);
}

constexpr Kernels AVX2_ONES = {dot_avx2, code_dots_avx2, sign_passes_avx2};
constexpr Kernels AVX512_ONES = {dot_avx512, code_dots_avx512, sign_passes_avx512};

#endif

}  // namespace

const Kernels &kernels(bool plain) {
    if (plain) return PLAIN;
#if HARKEN_X86
    static const Kernels &best =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl")
            ? AVX512_ONES
        : __builtin_cpu_supports("avx2") ? AVX2_ONES
                                         : PLAIN;
    return best;
#elif defined(__aarch64__)
    return NEON;
#else
    return PLAIN;
#endif
}

}  // namespace harken
