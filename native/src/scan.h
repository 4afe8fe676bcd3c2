// Which items score highest: exact scans, and lists of 8-bit codes with an exact second look.
#pragma once

#include <nanobind/nanobind.h>

void register_scan(nanobind::module_ &m);
