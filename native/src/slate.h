// Slates: candidates, features, order, and slots as bytes. See services/ranker/domain/slate.py.
#pragma once

#include <nanobind/nanobind.h>

namespace harken {

void register_slate(nanobind::module_ &m);

} // namespace harken
