// Manifests as input: a store, and what keeps it equal to the files.
#pragma once

#include "proxy/files/source.h"
#include "proxy/model/store.h"

namespace ipvsproxy::run {

/// The objects of `-f`, read once when it is made. What does not parse is logged, object by object.
struct Input {
    explicit Input(files::Where where);
    model::Store store;
    files::Source source; ///< keeps the store equal to the files
};

} // namespace ipvsproxy::run
