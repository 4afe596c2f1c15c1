// Lists of the API server, read from files as from its connection.
#pragma once

#include <cstddef>
#include <string>

#include "proxy/api/decode.h"
#include "proxy/api/replica.h"

namespace ipvsproxy::bench {

/// Feeds a file in pieces. @return its size in bytes. @throws std::runtime_error when it is
/// refused.
std::size_t feed_file(const std::string& file, api::Decoder& decoder);

/// Takes a list in protobuf as a source follows it: nothing is said to be gone before all of it was
/// seen. @throws std::runtime_error when anything in it is odd.
void take_list(model::Store& store, api::Replica::Kind kind, const std::string& file);

} // namespace ipvsproxy::bench
