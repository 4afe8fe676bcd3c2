#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HARKEN_X86 1
#include <immintrin.h>
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

constexpr Kernels PLAIN = {dot_plain, code_dots_plain};

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

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512")))

AVX512 float dot_avx512(const float *a, const float *b, size_t d) { return dot_in_lanes(a, b, d); }

AVX512 void code_dots_avx512(const int16_t *query, const int8_t *codes, size_t rows, size_t stride,
                             int32_t *out) {
    for (size_t r = 0; r < rows; r++, codes += stride) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t j = 0; j < stride; j += 32) {
            const __m256i code = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(codes + j));
            const __m512i asked = _mm512_loadu_si512(query + j);
            sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_cvtepi8_epi16(code), asked));
        }
        out[r] = _mm512_reduce_add_epi32(sum);
    }
}

constexpr Kernels AVX2_ONES = {dot_avx2, code_dots_avx2};
constexpr Kernels AVX512_ONES = {dot_avx512, code_dots_avx512};

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
#else
    return PLAIN;
#endif
}

}  // namespace harken
