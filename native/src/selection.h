// Which candidates stand at the places of a slate. See services/ranker/domain/selection/select.py.
#pragma once

#include <nanobind/nanobind.h>

namespace harken {

void register_selection(nanobind::module_ &m);

} // namespace harken
