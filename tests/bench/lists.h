// Lists of the API server, read from files as from its connection.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#include "proxy/api/decode.h"
#include "proxy/api/replica.h"

namespace ipvsproxy::bench {

/// Feeds a file in pieces. @return its size in bytes. @throws std::runtime_error when it is
/// refused.
std::size_t feed_file(const std::string& file, api::Decoder& decoder);

/// A list in protobuf on its way into a store, taken as a source follows it: nothing is said to be
/// gone before all of it was seen.
class List {
public:
    List(model::Store& store, api::Replica::Kind kind, const std::string& file);
    /// Takes the next piece. @return whether there was one: otherwise the list is complete.
    /// @throws std::runtime_error when anything in it is odd.
    bool take();

private:
    std::ifstream in_;
    api::Replica replica_;
    api::ProtobufDecoder decoder_;
    std::string piece_;
    bool complete_{};
};

/// Takes all of a list. @throws std::runtime_error as above
void take_list(model::Store& store, api::Replica::Kind kind, const std::string& file);

} // namespace ipvsproxy::bench
