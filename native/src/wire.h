// Protocol buffers, written by hand: fields come in ascending order and what is empty is left out,
// so the bytes are those that protobuf's own classes write.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace harken {

inline int varint_size(std::uint64_t value) {
    int size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    return size;
}

// Bytes of a field with a length, its tag (below 16) included.
inline std::uint64_t field_size(std::uint64_t length) { return 1 + varint_size(length) + length; }

class Wire {
public:
    void clear() { bytes_.clear(); }
    const std::string &bytes() const { return bytes_; }

    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
        bytes_ += static_cast<char>(value);
    }

    // Tag and length of field `number` (below 16); its bytes are for the caller to write.
    void header(int number, std::uint64_t length) {
        bytes_ += static_cast<char>(number << 3 | 2);
        varint(length);
    }

    void text(int number, std::string_view value) {
        if (value.empty()) return;
        header(number, value.size());
        bytes_ += value;
    }

    void number(int number, std::uint64_t value) {
        if (value == 0) return;
        bytes_ += static_cast<char>(number << 3);
        varint(value);
    }

    void real(int number, double value) {
        if (!written(value)) return;
        bytes_ += static_cast<char>(number << 3 | 1);
        raw(&value, sizeof(value));
    }

    void raw(const void *from, std::size_t size) {
        bytes_.append(static_cast<const char *>(from), size);
    }

    // Zero is left out; minus zero is not.
    static bool written(double value) {
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof(bits));
        return bits != 0;
    }

private:
    std::string bytes_;
};

} // namespace harken
