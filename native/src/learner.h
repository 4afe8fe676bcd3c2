// What module.cpp registers of a learner's step: one function for each file.
#pragma once

#include <nanobind/nanobind.h>

namespace harken {

void register_fold_in(nanobind::module_& m);
void register_item_step(nanobind::module_& m);
void register_rules(nanobind::module_& m);
void register_popularity(nanobind::module_& m);
void register_recent_items(nanobind::module_& m);
void register_validation(nanobind::module_& m);
void register_frame_columns(nanobind::module_& m);

}  // namespace harken
