// Arrays of Python, looked at: nothing is read before type, shape and order were checked.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace harken {

namespace nb = nanobind;

// Letters of Python's struct module, as NumPy says them.
template <typename T> constexpr const char *letters() = delete;
template <> constexpr const char *letters<bool>() { return "?"; }
template <> constexpr const char *letters<std::uint8_t>() { return "B"; }
template <> constexpr const char *letters<std::uint16_t>() { return "H"; }
template <> constexpr const char *letters<std::int32_t>() { return "i"; }
template <> constexpr const char *letters<std::int64_t>() { return sizeof(long) == 8 ? "lq" : "q"; }
template <> constexpr const char *letters<float>() { return "f"; }
template <> constexpr const char *letters<double>() { return "d"; }

[[noreturn]] inline void refuse(const char *name, const std::string &what) {
    throw nb::value_error((std::string(name) + ": " + what).c_str());
}

constexpr std::int64_t ANY = -1;

// A buffer that is held while it is looked at. Base of the views below.
class Buffer {
public:
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

protected:
    Buffer(nb::handle object, const char *name, bool writable) {
        int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &buffer_, flags) != 0) {
            if (!PyErr_ExceptionMatches(PyExc_BufferError) &&
                !PyErr_ExceptionMatches(PyExc_ValueError))
                throw nb::python_error();
            PyErr_Clear();
            refuse(name, writable ? "must be contiguous and writable" : "must be contiguous");
        }
    }

    ~Buffer() { PyBuffer_Release(&buffer_); }

    // The letters of the type, without what says byte order and alignment where they are ours, and
    // with one letter for integers of eight bytes: NumPy says either.
    std::string format() const {
        std::string found;
        bool name = false;
        for (const char *at = buffer_.format ? buffer_.format : "B"; *at; ++at) {
            if (*at == ':') {
                name = !name;
                found += ':';
            } else if (name || !std::strchr("=@^<", *at)) {
                found += !name && *at == 'l' && sizeof(long) == 8 ? 'q' : *at;
            }
        }
        return found;
    }

    Py_buffer buffer_{};
};

// An array [shape] of T in C order; ANY stands for any length. Writable when T is not const.
template <typename T> class View : Buffer {
    using Value = std::remove_const_t<T>;

public:
    View(nb::handle object, const char *name, std::initializer_list<std::int64_t> shape)
        : Buffer(object, name, !std::is_const_v<T>) {
        check(name, shape);
    }

    T *data() const { return static_cast<T *>(buffer_.buf); }
    std::int64_t length(int dimension = 0) const { return buffer_.shape[dimension]; }
    T &operator[](std::int64_t at) const { return data()[at]; }

private:
    void check(const char *name, std::initializer_list<std::int64_t> shape) const {
        const char *format = buffer_.format;
        bool same = format && format[0] && !format[1] && std::strchr(letters<Value>(), format[0]);
        if (!same || buffer_.itemsize != sizeof(Value))
            refuse(name, std::string("must hold ") + letters<Value>()[0] + ", holds " +
                             (format ? format : "bytes"));
        if (buffer_.ndim != static_cast<int>(shape.size()))
            refuse(name, "must have " + std::to_string(shape.size()) + " dimensions");
        int dimension = 0;
        for (std::int64_t wanted : shape) {
            if (wanted != ANY && length(dimension) != wanted)
                refuse(name, "must have length " + std::to_string(wanted) + " along " +
                                 std::to_string(dimension) + ", has " +
                                 std::to_string(length(dimension)));
            ++dimension;
        }
        if (reinterpret_cast<std::uintptr_t>(buffer_.buf) % alignof(Value) != 0)
            refuse(name, "is not aligned");
    }
};

// An array [n] of records without gaps, read field by field.
class Records : Buffer {
public:
    // `format`: as NumPy's buffers say it, without byte order. `size`: bytes of a record.
    Records(nb::handle object, const char *name, const char *format, std::int64_t size)
        : Buffer(object, name, false) {
        if (this->format() != format || buffer_.itemsize != size || buffer_.ndim != 1)
            refuse(name, std::string("must be [n] of ") + format + ", holds " + this->format());
    }

    std::int64_t length() const { return buffer_.shape[0]; }

    template <typename T> T read(std::int64_t row, int offset) const {
        T value;
        const char *at = static_cast<const char *>(buffer_.buf) + row * buffer_.itemsize + offset;
        std::memcpy(&value, at, sizeof(T));
        return value;
    }
};

} // namespace harken
