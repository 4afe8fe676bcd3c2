// The Python module: one function for each file beside this one.
#include <nanobind/nanobind.h>

#include "learner.h"
#include "scan.h"
#include "selection.h"
#include "slate.h"

NB_MODULE(_core, m) {
    m.doc() = "Loops that Harken exists for, compiled. Every one has a twin in NumPy.";
    // A process that ends in the middle of something keeps what it had: that is no leak.
    nanobind::set_leak_warnings(false);
    // Grows whenever a function changes what it takes or gives: services/common/compiled_core.py.
    m.attr("INTERFACE") = 9;
    harken::register_fold_in(m);
    harken::register_item_step(m);
    harken::register_rules(m);
    harken::register_popularity(m);
    harken::register_recent_items(m);
    harken::register_validation(m);
    harken::register_frame_columns(m);
    register_scan(m);
    harken::register_selection(m);
    harken::register_slate(m);
}
