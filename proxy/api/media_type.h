// In which form the API server is asked to answer, and in which it has.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/api/decode.h"

namespace ipvsproxy::api {

/// What is always understood.
inline constexpr const char* json_only = "application/json";

/// The header Accept for clientConnection's acceptContentTypes or, where that is empty, its
/// contentType: of the types named there those that are understood, JSON and Kubernetes' protobuf,
/// in their order. JSON comes last in any case, as some servers know nothing else.
std::string accepted(std::string_view accept_content_types, std::string_view content_type);

/// The decoder for an answer. @param content_type its header; protobuf or else JSON
std::unique_ptr<Decoder> decoder_for(std::string_view content_type, Receiver receiver);
/// Whether that is protobuf.
bool is_protobuf(std::string_view content_type);

} // namespace ipvsproxy::api
