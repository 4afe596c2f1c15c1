// One object of the API in protobuf, whole: which of its fields are read.
#pragma once

#include <protozero/pbf_reader.hpp>
#include <string_view>

#include "proxy/api/decode_draft.h"

namespace ipvsproxy::api {

/// Thrown where bytes cannot be what they are to be; caught by the decoder.
struct Broken {
    const char* reason;
};

/// The next field as text. @throws Broken where it is a number.
std::string_view text_in(protozero::pbf_reader& in);

/// Takes the fields of one object. @throws Broken, protozero::exception
using MessageReader = void (*)(std::string_view object, Draft& draft);

/// Of an object of that kind. Of kinds that are not read it takes the metadata alone.
MessageReader message_of(std::string_view kind);

} // namespace ipvsproxy::api
