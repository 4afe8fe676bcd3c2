// The Python module: one function for each file beside this one.
#include <nanobind/nanobind.h>

#include "scan.h"

namespace nb = nanobind;

NB_MODULE(_core, m) {
    m.doc() = "Loops that Harken exists for, compiled. Every one has a twin in NumPy.";
    register_scan(m);
}
